package web_test

import (
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/televisit/televisit/api/web"
)

func newSite(t *testing.T) *web.Site {
	t.Helper()
	site, err := web.NewSite(func(*gin.Context) web.Frame { return web.Frame{} }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func frames(lang string) []web.Frame {
	staff := &web.StaffFrame{Name: "Kofi Osei", Organisation: "Sandbox Hospital", Nav: []web.NavItem{{Href: "/worklist", Key: "worklist", Icon: "list", Current: true}}}
	return []web.Frame{{Lang: lang, Nonce: "n", CSRF: "c", Path: "/"}, {Lang: lang, Theme: "dark", Nonce: "n", CSRF: "c", Path: "/", Staff: staff}}
}

// Every page renders with nothing in it and with everything in it, in every language.
func TestEveryViewRenders(t *testing.T) {
	site := newSite(t)
	for _, lang := range site.Texts().Languages() {
		for _, v := range web.Views() {
			for _, fill := range []bool{false, true} {
				for _, frame := range frames(lang) {
					frame.V = v
					if fill {
						frame.V = filled(v)
					}
					body, err := site.Execute("layout", frame)
					if err != nil {
						t.Errorf("%s %s filled=%v: %v", lang, v.Template(), fill, err)
						continue
					}
					if page := string(body); !strings.Contains(page, "<h1") || strings.Count(page, "<h1") != 1 {
						t.Errorf("%s %s: a page has exactly one h1", lang, v.Template())
					}
				}
			}
		}
	}
}

func TestEveryTemplateHasAView(t *testing.T) {
	known := map[string]bool{}
	for _, v := range web.Views() {
		known[v.Template()] = true
	}
	files, err := fs.Glob(os.DirFS("templates"), "*/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no templates found", err)
	}
	for _, file := range files {
		page := strings.TrimSuffix(file, ".html")
		if !strings.HasPrefix(page, "partials/") && !strings.HasPrefix(page, "layouts/") && !known[page] {
			t.Errorf("template %s has no view in Views()", page)
		}
	}
}

// A patient's first page must open quickly on a poor line: its own bytes plus the style stay far below 60 kB.
func TestPatientStyleIsSmall(t *testing.T) {
	site := newSite(t)
	if size := site.Assets().Size("patient.css"); size == 0 || size > 12_000 {
		t.Errorf("patient.css takes %d bytes on the wire", size)
	}
}
