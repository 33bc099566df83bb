package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/televisit/televisit/audit"
)

// server is the running product. Its parts stop in the reverse order of their start.
type server struct {
	parts
	config   Config
	log      *slog.Logger
	draining atomic.Bool
	failed   chan error
	stops    []func()
	closing  sync.Once
}

const (
	sealEvery   = 2 * time.Second
	drainFor    = 20 * time.Second
	turnTestFor = 10 * time.Second
)

// newServer makes the parts; Start opens the doors.
func newServer(ctx context.Context, config Config, log *slog.Logger) (*server, error) {
	s := &server{config: config, log: log, failed: make(chan error, 4)}
	if err := s.assemble(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// later adds what Close will do, before all that was added earlier.
func (s *server) later(stop func()) { s.stops = append(s.stops, stop) }

// Failed reports a part that ended by itself.
func (s *server) Failed() <-chan error { return s.failed }

// Start begins the background work and serves. It returns once requests are taken.
func (s *server) Start(ctx context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.startSealing(background)
	if err := s.startRecordings(ctx); err != nil {
		cancel()
		return err
	}
	if err := s.jobs.Start(ctx); err != nil {
		cancel()
		return fmt.Errorf("start the jobs: %w", err)
	}
	s.later(func() { s.stopWithin("jobs", s.jobs.Stop) })
	if err := s.calls.recover(background, 2*s.config.Media.Grace); err != nil {
		cancel()
		return fmt.Errorf("take up open calls: %s", audit.Safe(err))
	}
	if err := s.listen(); err != nil {
		cancel()
		return err
	}
	go s.sso.Run(background)
	s.later(cancel)
	return s.testRelay(ctx)
}

func (s *server) startSealing(ctx context.Context) {
	go s.sealer.Run(ctx)
	go s.seals.run(ctx)
	s.later(func() {
		<-s.sealer.Done()
		<-s.seals.done
	})
}

// startRecordings uploads what a crash left in the spool.
func (s *server) startRecordings(ctx context.Context) error {
	left, err := s.tapes.recorder.Recover(ctx)
	if err != nil {
		s.log.Warn("what an earlier run left in the spool is still being uploaded", "recordings", len(left), "cause", err)
	}
	return nil
}

// testRelay proves that TURN relays through each of its listeners; a relay that does not work is reported, and the
// server runs, since most calls need none.
func (s *server) testRelay(ctx context.Context) error {
	if s.turn == nil {
		return nil
	}
	testing, cancel := context.WithTimeout(ctx, turnTestFor)
	defer cancel()
	if err := s.turn.SelfTest(testing); err != nil {
		s.log.Error("the TURN relay failed its own test: callers behind strict firewalls will not connect", "cause", err)
		return nil
	}
	s.log.Info("the TURN relay passed its own test")
	return nil
}

func (s *server) listen() error {
	cert, err := tls.LoadX509KeyPair(s.config.TLS.Cert, s.config.TLS.Key)
	if err != nil {
		return fmt.Errorf("load the certificate: %w", err)
	}
	listener, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.serve(tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), s.engine)
	if s.config.MetricsListen == "" {
		return nil
	}
	metrics, err := net.Listen("tcp", s.config.MetricsListen)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	s.serve(metrics, s.metrics.Handler())
	return nil
}

func (s *server) serve(l net.Listener, h http.Handler) {
	web := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(quiet{s.log.Handler()}, slog.LevelDebug),
	}
	go func() {
		if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving ended: %w", err)
		}
	}()
	s.later(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := web.Shutdown(ctx); err != nil {
			_ = web.Close()
		}
	})
}

func (s *server) stopWithin(what string, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	if err := stop(ctx); err != nil {
		s.log.Warn("a part did not stop cleanly", "part", what, "cause", err)
	}
}

// Close stops everything and waits for it.
func (s *server) Close() {
	s.closing.Do(func() {
		s.draining.Store(true)
		for i := len(s.stops) - 1; i >= 0; i-- {
			s.stops[i]()
		}
	})
}

// quiet drops the text of the HTTP library's own messages, which name addresses of clients.
type quiet struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	return q.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "a connection failed before a request was read", r.PC))
}
