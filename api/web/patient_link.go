package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/phi"
)

// Links lets the holders of links in: *join.Links.
type Links interface {
	Look(ctx context.Context, link uuid.UUID) (join.Preview, error)
	Prove(ctx context.Context, from identity.Caller, link uuid.UUID, secret string, birthDate phi.Date) (cookie string, p identity.Principal, err error)
}

// LinkPages are what a link opens: the proof, and the way into the visit.
type LinkPages struct {
	Site  *Site
	Links Links
}

// Register implements api.Registrar.
func (l *LinkPages) Register(r api.Routes) {
	// Guessing is bounded by each link's own count; this bounds what one address, behind which many may be, costs us.
	limit := &api.Limit{Name: "link", Every: 200 * time.Millisecond, Burst: 60}
	r.HandleRoute(api.Route{Method: http.MethodGet, Path: "/v/:link", Action: api.Public, Limit: limit}, l.page)
	r.HandleRoute(api.Route{Method: http.MethodPost, Path: "/v/:link/prove", Action: api.Public, Answers: api.JSON, Limit: limit, Body: 4096}, l.prove)
}

// page asks for the proof. It tells nobody whose visit it is.
func (l *LinkPages) page(c *gin.Context) {
	id, err := api.PathID(c, "link")
	view, status := &InvitationView{Link: id.String()}, http.StatusOK
	var refused *join.LinkRefused
	var preview join.Preview
	if err == nil {
		preview, err = l.Links.Look(c.Request.Context(), id)
		view.Kind = string(preview.Kind)
	} else {
		err = &join.LinkRefused{Reason: "unknown"}
	}
	if errors.As(err, &refused) {
		view.Refused, status = refused.Reason, http.StatusGone
		if refused.Reason == "unknown" {
			status = http.StatusNotFound
		}
	} else if err != nil {
		api.Fail(c, err)
		return
	}
	l.Site.Render(c, status, view)
}

// prove takes the secret and the date of birth from the body, never from the address.
func (l *LinkPages) prove(c *gin.Context) {
	var given struct {
		Secret    string   `json:"secret"`
		BirthDate phi.Date `json:"birthDate"`
	}
	id, err := api.PathID(c, "link")
	if err == nil {
		err = c.ShouldBindJSON(&given)
	}
	if large := new(http.MaxBytesError); err != nil && !errors.Is(err, api.ErrNotFound) && !errors.As(err, &large) {
		err = &api.Invalid{Field: "birthDate", Sentence: l.Site.texts.Get(l.Site.Lang(c), "patient.js.link.no-date")}
	}
	var cookie string
	if err == nil {
		cookie, _, err = l.Links.Prove(c.Request.Context(), api.CallerOf(c), id, given.Secret, given.BirthDate)
	}
	if err != nil {
		api.Fail(c, l.told(c, err))
		return
	}
	api.BeginSession(c, cookie)
	c.JSON(http.StatusOK, gin.H{"next": "/visit"})
}

// told says in the reader's language why the link did not open.
func (l *LinkPages) told(c *gin.Context, err error) error {
	var refused *join.LinkRefused
	if !errors.As(err, &refused) {
		return err
	}
	lang, status := l.Site.Lang(c), http.StatusForbidden
	text := l.Site.texts.Get(lang, "patient.refused."+refused.Reason)
	switch refused.Reason {
	case "incomplete":
		status = http.StatusBadRequest
	case "unknown":
		status = http.StatusNotFound
	case "wrong-birth-date":
		text = l.Site.texts.Count(lang, "patient.wrong", refused.Remaining)
	case "locked":
		status = http.StatusLocked
	case "expired", "revoked", "cancelled", "ended", "no-show":
		status = http.StatusGone
	}
	return &api.Statused{Status: status, Err: &sentence{err, refused.Reason, text}}
}
