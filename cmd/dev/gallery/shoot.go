package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// shoot takes the pictures. A page is shown in a frame of the wanted width, because a window has a least width.
func (g *gallery) shoot(ctx context.Context, out, chromium string, sheet bool) error {
	server := httptest.NewServer(g.handler())
	defer server.Close()
	profile, err := os.MkdirTemp("", "gallery")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	for _, s := range g.scenes {
		if sheet {
			if err := picture(ctx, chromium, profile, server.URL, s.name, filepath.Join(out, s.name+".png"), 2080, "light-1280", "light-390", "dark-390"); err != nil {
				return err
			}
			continue
		}
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int{1280, 390} {
				file := filepath.Join(out, fmt.Sprintf("%s-%s-%d.png", s.name, theme, width))
				if err := picture(ctx, chromium, profile, server.URL, s.name, file, width, fmt.Sprintf("%s-%d", theme, width)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func picture(ctx context.Context, chromium, profile, base, name, file string, width int, shots ...string) error {
	address := base + "/frames/" + name + "?" + url.Values{"shot": shots}.Encode()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+profile,
		fmt.Sprintf("--window-size=%d,960", max(width, 500)), "--screenshot="+file, address)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("picture of %s: %w: %s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}
