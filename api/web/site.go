package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"
)

// View is what a page shows, as plain values. Template names the file under templates without its ending, such as
// "staff/worklist"; the folder decides the layout.
type View interface{ Template() string }

// Frame is what every template gets: the view as .V, and what layouts need.
type Frame struct {
	Lang  string // "en", "es"
	Theme string // "light", "dark" or "" (as the system has it)
	Nonce string // of this response's Content-Security-Policy
	CSRF  string // the session's token; forms send it as "csrf"
	Path  string // address of this page, for forms that come back to it
	Staff *StaffFrame
	V     View
}

// StaffFrame is what the frame around staff pages shows of the person who is signed in.
type StaffFrame struct {
	Name         string
	Organisation string
	Nav          []NavItem
	Embedded     bool // shown inside an EHR's frame
}

// NavItem is an entry of the main navigation.
type NavItem struct {
	Href, Key, Icon string
	Current         bool
}

// Site renders pages.
type Site struct {
	sets   map[string]map[string]*template.Template // language -> page -> its set
	assets *Assets
	texts  *Texts
	frame  func(*gin.Context) Frame
	log    *slog.Logger
}

// NewSite bundles the assets, parses every template in every language and checks that they are complete: each
// template that is called exists, each text key is known, each asset is there. frame tells who is signed in (see Desk); a Site that only
// executes needs none.
func NewSite(frame func(*gin.Context) Frame, log *slog.Logger) (*Site, error) {
	texts, err := loadTexts(localeFiles())
	if err != nil {
		return nil, err
	}
	assets, err := Bundle()
	if err != nil {
		return nil, err
	}
	sets, err := parseAll(templateFiles(), texts, assets)
	if err != nil {
		return nil, err
	}
	return &Site{sets: sets, assets: assets, texts: texts, frame: frame, log: log}, nil
}

// Render writes a whole page.
func (s *Site) Render(c *gin.Context, status int, v View) { s.write(c, status, "layout", v) }

// Fragment writes one block of a page, for a part that is refreshed in place.
func (s *Site) Fragment(c *gin.Context, status int, block string, v View) {
	s.write(c, status, block, v)
}

func (s *Site) write(c *gin.Context, status int, block string, v View) {
	frame := s.complete(c, s.frame(c))
	frame.V = v
	body, err := s.Execute(block, frame)
	if err != nil {
		s.log.Error("a page could not be rendered", "page", v.Template(), "block", block, "cause", cause(err))
		c.Data(http.StatusInternalServerError, "text/plain; charset=utf-8", []byte(s.texts.Get(frame.Lang, "error.render")))
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Vary", "Accept-Language, Cookie")
	c.Data(status, "text/html; charset=utf-8", body)
}

// Execute renders a block of frame's view. Nothing is written until all of it is rendered.
func (s *Site) Execute(block string, frame Frame) ([]byte, error) {
	page, ok := s.sets[s.texts.language(frame.Lang)][frame.V.Template()]
	if !ok {
		return nil, fmt.Errorf("there is no template %s", frame.V.Template())
	}
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, block, frame); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// Lang is the language of the request's reader.
func (s *Site) Lang(c *gin.Context) string { return s.complete(c, Frame{}).Lang }

// Texts gives the texts, for handlers that answer with a sentence.
func (s *Site) Texts() *Texts { return s.texts }

// Assets gives the bundled styles and scripts.
func (s *Site) Assets() *Assets { return s.assets }

func templateFiles() fs.FS { return sub(embedded, "templates") }
func localeFiles() fs.FS   { return sub(embedded, "locales") }
