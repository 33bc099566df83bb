package rtc_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api/rtc"
	"github.com/televisit/televisit/media"
)

// TestBrowsersSeeAndHearEachOther drives real Chromium tabs with the product's own module through a call on a real node.
func TestBrowsersSeeAndHearEachOther(t *testing.T) {
	chromium := find(t, "chromium", "chromium-browser", "google-chrome")
	if _, err := os.Stat("e2e/node_modules"); err != nil {
		run(t, "npm", "ci", "--no-audit", "--no-fund")
	}
	h := newHall(t)
	run(t, "node", "drive.mjs", h.http.URL, chromium)
}

func find(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("none of %v is installed", names)
	return ""
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = "e2e"
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	t.Logf("%s", out.Bytes())
	if err != nil {
		t.Fatalf("%s failed: %v", name, err)
	}
}

// hall is a server with one room, a page, and lines that can be cut.
type hall struct {
	http   *httptest.Server
	ledger *ledger
	grants map[string]rtc.Grant

	mu    sync.Mutex
	cut   map[string]bool
	lines map[string][]net.Conn
}

type lineKey struct{}

func newHall(t *testing.T) *hall {
	t.Helper()
	clinician, patient := people()
	guest := rtc.Grant{Org: patient.Org, Room: patient.Room, Participant: uuid.New(), Role: media.RoleGuest}
	h := &hall{
		ledger: newLedger(), cut: map[string]bool{}, lines: map[string][]net.Conn{},
		grants: map[string]rtc.Grant{"clinician": clinician, "patient": patient, "guest": guest},
	}
	node, err := media.NewNode(media.Config{UDPAddr: "127.0.0.1:0", IncludeLoopback: true, MuteAfter: time.Second, Grace: time.Minute}, newReports())
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	h.http = httptest.NewUnstartedServer(engine)
	h.http.Config.ConnContext = func(ctx context.Context, line net.Conn) context.Context {
		return context.WithValue(ctx, lineKey{}, line)
	}
	server, err := rtc.NewServer(rtc.Config{
		Origins: []string{"http://" + h.http.Listener.Addr().String()}, Node: node, Access: h.ledger, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	script := bundle(t)
	engine.GET("/", func(c *gin.Context) {
		c.Data(http.StatusOK, "text/html", []byte(`<!doctype html><title>call</title><body><script type="module" src="/page.js"></script>`))
	})
	engine.GET("/page.js", func(c *gin.Context) { c.Data(http.StatusOK, "text/javascript", script) })
	engine.POST("/token/:as", h.reachable, h.token)
	engine.GET("/rtc/:as", h.reachable, server.Serve)
	engine.POST("/control/:do/:as", h.control)
	h.http.Start()
	t.Cleanup(func() {
		node.Close()
		server.Close()
		h.http.CloseClientConnections()
		h.http.Close()
	})
	return h
}

func bundle(t *testing.T) []byte {
	t.Helper()
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{"e2e/page.ts"}, Bundle: true, Format: api.FormatESModule, Target: api.ES2022, TsconfigRaw: "{}",
	})
	if len(result.Errors) > 0 {
		t.Fatal(result.Errors[0].Text)
	}
	return result.OutputFiles[0].Contents
}

func (h *hall) token(c *gin.Context) {
	as := c.Param("as")
	c.JSON(http.StatusOK, gin.H{
		"token": h.ledger.issue(h.grants[as]), "expires": time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339), "ws": "/rtc/" + as,
	})
}

// reachable notes the line that a request came on, or drops it while that person's lines are cut.
func (h *hall) reachable(c *gin.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	as := c.Param("as")
	line, ok := c.Request.Context().Value(lineKey{}).(net.Conn)
	if !ok {
		panic(fmt.Sprintf("no line for %s", as))
	}
	if h.cut[as] {
		_ = line.Close()
		c.Abort()
		return
	}
	h.lines[as] = append(h.lines[as], line)
}

func (h *hall) control(c *gin.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	as := c.Param("as")
	h.cut[as] = c.Param("do") == "cut"
	for _, line := range h.lines[as] {
		_ = line.Close()
	}
	h.lines[as] = nil
	c.Status(http.StatusNoContent)
}
