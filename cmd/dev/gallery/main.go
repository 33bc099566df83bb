package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	out := flag.String("out", "", "folder for the pages and pictures")
	only := flag.String("only", "", "only scenes whose name contains this")
	sheet := flag.Bool("sheet", false, "one picture for each scene instead of four")
	chromium := flag.String("chromium", "chromium", "the browser to take pictures with; empty for none")
	serve := flag.String("serve", "", "serve the pages at this address instead: /scene/light/NAME, and /scenes for the names")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *serve != "" {
		if err := serveAt(ctx, *serve); err != nil {
			slog.Error("the gallery cannot be served", "cause", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, *out, *only, *sheet, *chromium); err != nil {
		slog.Error("the gallery could not be made", "cause", err)
		os.Exit(1)
	}
}

// serveAt serves the pages until ctx ends, for whatever wants to look at them: a person, or a checker of accessibility.
func serveAt(ctx context.Context, address string) error {
	g, err := newGallery("")
	if err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: g.handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func run(ctx context.Context, out, only string, sheet bool, chromium string) error {
	if out == "" {
		return fmt.Errorf("name a folder with -out")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	g, err := newGallery(only)
	if err != nil {
		return err
	}
	if err := g.write(out); err != nil {
		return err
	}
	if chromium == "" {
		return nil
	}
	return g.shoot(ctx, out, chromium, sheet)
}
