package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
)

func (d *demo) loadState() error {
	raw, err := os.ReadFile(filepath.Join(d.dir, "demo.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("read the demonstration's state: %w", err)
	default:
		if err := json.Unmarshal(raw, &d.state); err != nil {
			return fmt.Errorf("the demonstration's state is damaged (%s): %w", filepath.Join(d.dir, "demo.json"), err)
		}
	}
	if d.state.AppPassword == "" {
		d.state.AppPassword = randomHex(24)
	}
	if d.state.OrgID == "" {
		d.state.OrgID = uuid.NewString()
	}
	return nil
}

func (d *demo) saveState() error {
	raw, err := json.MarshalIndent(d.state, "", "  ")
	if err != nil {
		return err
	}
	if err := writeDurably(filepath.Join(d.dir, "demo.json"), raw, 0o600); err != nil {
		return fmt.Errorf("keep the demonstration's state: %w", err)
	}
	return nil
}

// earlierRunEnds bounds the wait for a port that the last run used: when that run was killed, its sandbox still ends.
const earlierRunEnds = 5 * time.Second

// choosePorts keeps the ports of the last start where they are free, so that pages which are still open find the server
// again. On the first start it takes the wanted one and the usual ones (--listen with port 0: any), and free ones where
// something else listens.
func (d *demo) choosePorts(ctx context.Context, host, wanted string) error {
	want, err := strconv.Atoi(wanted)
	if err != nil {
		return fmt.Errorf("--listen: %q is not a port", wanted)
	}
	if d.state.ServerPort != 0 && (want == defaultPort || want == 0) {
		want = d.state.ServerPort
	}
	d.awaitEarlierRun(ctx, host)
	kept := func(port, usual int) int {
		if port == 0 && wanted != "0" {
			return usual
		}
		return port
	}
	taken := map[int]bool{}
	choices := []struct {
		port *int
		want int
		udp  bool
	}{
		{&d.state.ServerPort, want, false},
		{&d.state.SandboxPort, kept(d.state.SandboxPort, 9443), false},
		{&d.state.MediaPort, kept(d.state.MediaPort, 7881), true},
		{&d.state.TURNPort, kept(d.state.TURNPort, 3478), true},
		{&d.state.TURNTLSPort, kept(d.state.TURNTLSPort, 5349), false},
		{&d.state.MetricsPort, kept(d.state.MetricsPort, 9464), false},
	}
	for _, c := range choices {
		port, err := freePort(host, c.want, c.udp, taken)
		if err != nil {
			return err
		}
		*c.port = port
		taken[port] = true
	}
	return nil
}

// awaitEarlierRun waits a moment for the ports of the last start.
func (d *demo) awaitEarlierRun(ctx context.Context, host string) {
	end := time.Now().Add(earlierRunEnds)
	for _, port := range []int{d.state.ServerPort, d.state.SandboxPort} {
		for port != 0 && !listenable(host, port) && time.Now().Before(end) && ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
}

func listenable(host string, port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// Free ports are looked for below those that the kernel gives to outgoing connections (32768 and up on Linux): one of
// them could sit on a port of ours while the demonstration is away for a moment.
const (
	firstFreePort = 20_000
	freePorts     = 12_000
	portTries     = 100
)

// freePort gives want when nobody listens there, else another. UDP parts listen on TCP as well.
func freePort(host string, want int, udp bool, taken map[int]bool) (int, error) {
	for try := range portTries {
		port := want
		if try > 0 || want == 0 {
			port = firstFreePort + mathrand.IntN(freePorts)
		}
		if !taken[port] && listenable(host, port) && (!udp || bindable(host, port)) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s", host)
}

func bindable(host string, port int) bool {
	p, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return p.Close() == nil
}

// openLog writes JSON lines to path and warnings to standard error as well.
func openLog(path, level string) (*slog.Logger, func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the log folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the log: %w", err)
	}
	handler := slog.NewMultiHandler(newLogHandler(f, level), newLogHandler(os.Stderr, "warn"))
	return slog.New(handler), func() { _ = f.Close() }, nil
}

func newLogHandler(w io.Writer, level string) slog.Handler {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails on Linux; Go aborts if it does
	return hex.EncodeToString(b)
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
