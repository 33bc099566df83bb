package main

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

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
	site, err := web.NewSite(func(*gin.Context) web.Frame { return web.Frame{} }, slog.Default())
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
	return slices.Concat(worklistScenes(), scheduleScenes(), recordScenes(), publicScenes(), callScenes())
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
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/static/:file", g.site.Assets().Serve)
	r.GET("/scene/:theme/:name", func(c *gin.Context) {
		for _, s := range g.scenes {
			if s.name != c.Param("name") {
				continue
			}
			body, err := g.render(s, c.Param("theme"))
			if err != nil {
				c.String(http.StatusInternalServerError, err.Error())
				return
			}
			c.Data(http.StatusOK, "text/html; charset=utf-8", body)
			return
		}
		c.Status(http.StatusNotFound)
	})
	r.GET("/scenes", func(c *gin.Context) {
		names := make([]string, len(g.scenes))
		for i, s := range g.scenes {
			names[i] = s.name
		}
		c.JSON(http.StatusOK, names)
	})
	r.GET("/frames/:name", func(c *gin.Context) {
		var page strings.Builder
		page.WriteString(`<!doctype html><style>body{margin:0;display:flex;align-items:flex-start;gap:8px;background:#888}iframe{border:0;height:100vh;flex:none}</style>`)
		for _, shot := range c.QueryArray("shot") {
			theme, width, _ := strings.Cut(shot, "-")
			fmt.Fprintf(&page, `<iframe src="/scene/%s/%s" style="width:%spx"></iframe>`,
				html.EscapeString(theme), html.EscapeString(c.Param("name")), html.EscapeString(width))
		}
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(page.String()))
	})
	return r
}
