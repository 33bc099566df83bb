package api_test

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/api/fhirapi"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/identity"
)

// update rewrites the documentation of the routes.
var update = flag.Bool("update", false, "rewrite testdata/routes.md")

// everyDoor is an engine with every route of the server; the handlers stand on nothing, for none is reached here.
func everyDoor(t *testing.T, d *doors) *api.Engine {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	site, err := web.NewSite(func(*gin.Context) web.Frame { return web.Frame{} }, quiet)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := api.New(api.Deps{Origin: origin, Sessions: d, Trail: d, Pages: d, Metrics: prometheus.NewRegistry(), Now: time.Now, Log: quiet},
		&api.Health{}, &web.FrontPages{Site: site}, &web.LaunchDesk{}, &web.WorklistPages{}, &web.SchedulePages{}, &web.VisitPages{}, &web.VisitorPages{}, &web.LinkPages{},
		&web.RecordingPages{}, &web.AuditPages{}, &web.BoundaryPages{}, &web.AdminPages{}, &web.Events{}, &fhirapi.Server{})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// TestRoutes documents every route, the action that it takes, and which role could ever pass.
func TestRoutes(t *testing.T) {
	var page strings.Builder
	fmt.Fprintln(&page, "# Routes\n\nMade by `go test ./api -run TestRoutes -update`. A dot: the role may pass for at least its own visits; the handler then asks about the one visit.\nPublic: nobody needs to be signed in. Bearer: an access token is asked for instead of a session.")
	fmt.Fprint(&page, "\n| method | path | action |")
	for _, role := range identity.Roles() {
		fmt.Fprintf(&page, " %s |", role)
	}
	fmt.Fprint(&page, "\n|---|---|---|"+strings.Repeat("---|", len(identity.Roles()))+"\n")
	for _, r := range everyDoor(t, open(t)).Routes() {
		action := string(r.Action)
		if r.Action == api.Public {
			action = "(public)"
		}
		if r.Bearer {
			action += " (bearer)"
		}
		fmt.Fprintf(&page, "| %s | %s | %s |", r.Method, r.Path, action)
		for _, role := range identity.Roles() {
			mark := " "
			if r.Action == api.Public || api.CouldEver(someone(role), r.Action) == nil {
				mark = "•"
			}
			fmt.Fprintf(&page, " %s |", mark)
		}
		fmt.Fprintln(&page)
	}
	if *update {
		if err := os.WriteFile("testdata/routes.md", []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/routes.md")
	if err != nil || string(want) != page.String() {
		t.Fatalf("testdata/routes.md differs from the routes: run go test ./api -run TestRoutes -update and read the difference (%v)", err)
	}
}

// someone holds one role.
func someone(role identity.Role) identity.Principal {
	p := identity.Principal{Session: uuid.New(), Org: uuid.New(), Roles: []identity.Role{role}, CSRF: "right"}
	if identity.IsStaffRole(role) {
		p.Staff = uuid.New()
	} else {
		p.Visit, p.Participant = uuid.New(), uuid.New()
	}
	return p
}

// TestEveryRouteRefusesAtTheDoor walks every route that takes a session, as nobody and as every role that the policy
// refuses: none reaches its handler, which would fail here for want of parts.
func TestEveryRouteRefusesAtTheDoor(t *testing.T) {
	d := open(t)
	engine := everyDoor(t, d)
	for _, r := range engine.Routes() {
		if r.Action == api.Public || r.Bearer {
			continue
		}
		path := strings.NewReplacer(":id", uuid.NewString(), ":patient", uuid.NewString(), ":link", uuid.NewString()).Replace(r.Path)
		if got := knock(engine, r.Method, path, ""); got != http.StatusUnauthorized && got != http.StatusSeeOther {
			t.Errorf("%s %s answers %d to nobody", r.Method, r.Path, got)
		}
		for _, role := range identity.Roles() {
			d.sessions[string(role)] = someone(role)
			if api.CouldEver(someone(role), r.Action) == nil {
				continue
			}
			if got := knock(engine, r.Method, path, string(role)); got != http.StatusForbidden {
				t.Errorf("%s %s answers %d to a %s", r.Method, r.Path, got, role)
			}
		}
	}
}

func knock(engine http.Handler, method, path, session string) int {
	r := httptest.NewRequest(method, path, http.NoBody)
	r.Header.Set("X-CSRF", "right")
	if session != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: session})
	}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	_, _ = io.Copy(io.Discard, w.Body)
	return w.Code
}
