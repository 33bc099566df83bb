package main

import (
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/televisit/televisit/api/web"
)

// scene is a page in one state.
type scene struct {
	name  string // worklist-empty
	path  string // the route it stands for
	roles []string
	view  web.View
	lang  string // "en" unless set
}

type gallery struct {
	site   *web.Site
	scenes []scene
}

func newGallery(only string) (*gallery, error) {
	site, err := web.NewSite(nil, slog.Default())
	if err != nil {
		return nil, err
	}
	g := &gallery{site: site}
	for _, s := range scenes() {
		if strings.Contains(s.name, only) {
			g.scenes = append(g.scenes, s)
		}
	}
	return g, nil
}

func scenes() []scene {
	return slices.Concat(worklistScenes(), scheduleScenes(), recordScenes(), adminScenes(), publicScenes(), callScenes())
}

func (g *gallery) render(s scene, theme string) ([]byte, error) {
	lang := s.lang
	if lang == "" {
		lang = web.DefaultLanguage
	}
	frame := web.Frame{Lang: lang, Theme: theme, Nonce: "gallery", CSRF: "gallery", Path: s.path, V: s.view}
	if len(s.roles) > 0 {
		frame.Staff = &web.StaffFrame{Name: "Dr. Kofi Osei", Organisation: "Sandbox Hospital", Nav: web.Navigation(s.path, s.roles...)}
	}
	return g.site.Execute("layout", frame)
}

// write puts each page into the folder.
func (g *gallery) write(out string) error {
	for _, s := range g.scenes {
		body, err := g.render(s, "")
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := os.WriteFile(filepath.Join(out, s.name+".html"), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// handler serves /scene/<theme>/<name>, the assets, /scenes with the names, and /frames/<name> with several sizes side by side.
func (g *gallery) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", g.site.Assets())
	mux.HandleFunc("GET /scene/{theme}/{name}", g.scene)
	mux.HandleFunc("GET /scenes", func(w http.ResponseWriter, _ *http.Request) {
		names := make([]string, len(g.scenes))
		for i, s := range g.scenes {
			names[i] = s.name
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(names) // who left does not read it
	})
	mux.HandleFunc("GET /frames/{name}", func(w http.ResponseWriter, r *http.Request) {
		var page strings.Builder
		page.WriteString(`<!doctype html><style>body{margin:0;display:flex;align-items:flex-start;gap:8px;background:#888}iframe{border:0;height:100vh;flex:none}</style>`)
		for _, shot := range r.URL.Query()["shot"] {
			theme, width, _ := strings.Cut(shot, "-")
			fmt.Fprintf(&page, `<iframe src="/scene/%s/%s" style="width:%spx"></iframe>`,
				html.EscapeString(theme), html.EscapeString(r.PathValue("name")), html.EscapeString(width))
		}
		htmlPage(w, []byte(page.String()))
	})
	return mux
}

func (g *gallery) scene(w http.ResponseWriter, r *http.Request) {
	at := slices.IndexFunc(g.scenes, func(s scene) bool { return s.name == r.PathValue("name") })
	if at < 0 {
		http.NotFound(w, r)
		return
	}
	body, err := g.render(g.scenes[at], r.PathValue("theme"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	htmlPage(w, body)
}

func htmlPage(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body) // who left does not read it
}
