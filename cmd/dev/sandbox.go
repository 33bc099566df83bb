package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox"
)

type sandboxCommand struct{}

const drain = 3 * time.Second

// Run serves until SIGTERM or SIGINT.
func (sandboxCommand) Run(log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return runSandbox(ctx, os.Stdin, os.Stdout, log)
}

func runSandbox(ctx context.Context, in io.Reader, out io.Writer, log *slog.Logger) error {
	config := sandbox.Config{Log: log}
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return fmt.Errorf("read the configuration from standard input: %w", err)
	}
	certificate, err := tls.LoadX509KeyPair(config.TLSCert, config.TLSKey)
	if err != nil {
		return fmt.Errorf("load the TLS certificate: %w", err)
	}
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if config.Origin == "" {
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		config.Origin = "https://localhost:" + port
	}
	server, err := sandbox.New(config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return errors.Join(serve(ctx, server, listener, certificate, out, log), server.Close())
}

func serve(ctx context.Context, server *sandbox.Server, listener net.Listener, certificate tls.Certificate, out io.Writer, log *slog.Logger) error {
	web := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}}
	failed := make(chan error, 1)
	go func() { failed <- web.ServeTLS(listener, "", "") }()
	if err := json.NewEncoder(out).Encode(server.Ready()); err != nil {
		return errors.Join(fmt.Errorf("print the ready line: %w", err), web.Close())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	timeout, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := web.Shutdown(timeout); err != nil {
		return web.Close() // a request that a fault holds open does not hold the process
	}
	return nil
}
