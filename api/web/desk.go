package web

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// StaffRegister knows the people who work for an organisation.
type StaffRegister interface {
	Staff(ctx context.Context, who audit.Actor, id uuid.UUID) (identity.Staff, error)
	Clinicians(ctx context.Context, who audit.Actor) ([]identity.Staff, error)
}

// Organisations knows the organisations' names.
type Organisations interface {
	Organisation(ctx context.Context, id uuid.UUID) (identity.Organisation, error)
}

// Desk fills the frame around the pages of whoever is signed in.
type Desk struct {
	Staff         StaffRegister
	Organisations Organisations
	Log           *slog.Logger
}

// Frame is the frame of this request's page.
func (d *Desk) Frame(c *gin.Context) Frame {
	p := api.PrincipalOf(c)
	if p.Staff == uuid.Nil {
		return Frame{}
	}
	roles := make([]string, len(p.Roles))
	for i, role := range p.Roles {
		roles[i] = string(role)
	}
	staff := &StaffFrame{Nav: Navigation(c.FullPath(), roles...), Embedded: api.Embedded(c)}
	// A page without its reader's name is better than none.
	if person, err := d.Staff.Staff(c.Request.Context(), api.ActorOf(c), p.Staff); err != nil {
		d.Log.Warn("the reader's name could not be read", "cause", audit.Safe(err), "request_id", api.RequestID(c))
	} else {
		staff.Name = person.Name.Reveal()
	}
	if org, err := d.Organisations.Organisation(c.Request.Context(), p.Org); err != nil {
		d.Log.Warn("the organisation could not be read", "cause", audit.Safe(err), "request_id", api.RequestID(c))
	} else {
		staff.Organisation = org.Name
	}
	return Frame{Staff: staff}
}

// complete adds what every frame takes from the request.
func (s *Site) complete(c *gin.Context, f Frame) Frame {
	f.Nonce, f.CSRF, f.Path = api.Nonce(c), api.PrincipalOf(c).CSRF, c.Request.URL.RequestURI()
	if c.Request.Method != "GET" {
		f.Path = "/"
	}
	chosen, _ := c.Cookie(languageCookie)
	f.Lang = s.texts.Match(chosen, c.GetHeader("Accept-Language"))
	if theme, _ := c.Cookie(themeCookie); theme == "light" || theme == "dark" {
		f.Theme = theme
	}
	return f
}

// Problem shows an error as a page. The texts know each code; one that they do not know is told by its kind.
func (s *Site) Problem(c *gin.Context, p api.Problem) {
	view := &ProblemView{Status: p.Status, Code: p.Code, Detail: p.Detail, Request: p.Request, Staff: api.PrincipalOf(c).Staff != uuid.Nil}
	if !s.texts.Has("problem.title." + p.Code) {
		view.Code = problemKind(p.Status)
	} else if is := p.Code; is != "invalid" && is != "refused" {
		view.Detail = "" // the page's own words say it, in the reader's language
	}
	s.Render(c, p.Status, view)
}

// Sentence tells a problem in one line, for scripts.
func (s *Site) Sentence(c *gin.Context, p api.Problem) string {
	code := p.Code
	if !s.texts.Has("problem.title." + code) {
		code = problemKind(p.Status)
	}
	lang := s.Lang(c)
	title := s.texts.Get(lang, "problem.title."+code) + "."
	if code == "internal" {
		return title // its advice speaks of a number on the page
	}
	return title + " " + s.texts.Get(lang, "problem.advice."+code)
}

func problemKind(status int) string {
	switch {
	case status == 404:
		return "not-found"
	case status == 409:
		return "conflict"
	case status == 410:
		return "gone"
	case status == 429:
		return "too-many"
	case status == 502:
		return "upstream"
	case status == 503:
		return "offline"
	case status >= 500:
		return "internal"
	}
	return "refused"
}

// home is where a person begins.
func home(p identity.Principal) string {
	switch {
	case p.Visit != uuid.Nil:
		return "/visit"
	case p.Has(identity.Clinician):
		return "/worklist"
	case p.Has(identity.Scheduler):
		return "/schedule"
	case p.Has(identity.Compliance):
		return "/audit"
	case p.Has(identity.Admin):
		return "/admin/visits"
	}
	return "/"
}

// localPath is path when it leads into this site, or fallback.
func localPath(path, fallback string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return fallback
	}
	return path
}

// zone is the time zone of that name, or UTC.
func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}
