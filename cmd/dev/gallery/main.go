package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
)

func main() {
	out := flag.String("out", "", "folder for the pages and pictures")
	only := flag.String("only", "", "only scenes whose name contains this")
	sheet := flag.Bool("sheet", false, "one picture for each scene instead of four")
	chromium := flag.String("chromium", "chromium", "the browser to take pictures with; empty for none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *only, *sheet, *chromium); err != nil {
		slog.Error("the gallery could not be made", "cause", err)
		os.Exit(1)
	}
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
