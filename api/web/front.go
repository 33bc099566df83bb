package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/sso"
)

const (
	languageCookie = "lang"
	themeCookie    = "theme"
	aYear          = 365 * 24 * 3600
)

// SignInFlows is what package identity/sso offers.
type SignInFlows interface {
	BeginLaunchURL(ctx context.Context, from identity.Caller, rawQuery, browser string) (string, error)
	BeginLogin(ctx context.Context, from identity.Caller, provider, returnPath, browser string) (string, error)
	Complete(ctx context.Context, from identity.Caller, c sso.Callback) (sso.Result, error)
	SaveGrant(ctx context.Context, who audit.Actor, staff, visit uuid.UUID, g *sso.Grant) (uuid.UUID, error)
	BeginStepUp(ctx context.Context, from identity.Caller, provider, returnPath, browser string, maxAge time.Duration) (string, error)
	BackChannelLogout(ctx context.Context, from identity.Caller, provider, token string) (sso.LoggedOut, error)
	LogoutURL(ctx context.Context, provider, returnURL string) string
	JWKS() []byte
}

// Register signs people in.
type Register interface {
	SignIn(ctx context.Context, from identity.Caller, org uuid.UUID, proof identity.Identity) (identity.Staff, error)
	StaffBySubject(ctx context.Context, org uuid.UUID, issuer, subject string) (identity.Staff, error)
}

// SessionKeeper begins and ends sessions.
type SessionKeeper interface {
	Begin(ctx context.Context, who audit.Actor, s identity.Session) (string, identity.Principal, error)
	Lookup(ctx context.Context, cookie string) (identity.Principal, error)
	End(ctx context.Context, p identity.Principal, from identity.Caller) error
	EndAll(ctx context.Context, who audit.Actor, staff uuid.UUID) (int, error)
	EndIssuerSession(ctx context.Context, from identity.Caller, org uuid.UUID, connection, sid string) (int, error)
}

// FrontPages are the ways in and out: sign-in, launch, sign-out, preferences.
type FrontPages struct {
	Site      *Site
	Origin    string
	Providers []SignInProvider
	EHRs      []string // names of the EHRs that launch us
	Flows     SignInFlows
	People    Register
	Sessions  SessionKeeper
	Staff     StaffRegister
	Launches  *LaunchDesk
}

// SignInProvider is an identity provider on the sign-in page.
type SignInProvider struct{ Name, Organisation string }

// Register implements api.Registrar.
func (f *FrontPages) Register(r api.Routes) {
	// All of a hospital may come from one address, and all at eight o'clock.
	gate := &api.Limit{Name: "sign-in", Every: 200 * time.Millisecond, Burst: 120}
	public := func(method, path string, limit *api.Limit, handler gin.HandlerFunc) {
		r.HandleRoute(api.Route{Method: method, Path: path, Action: api.Public, Limit: limit}, handler)
	}
	public(http.MethodGet, "/", nil, f.index)
	public(http.MethodGet, "/launch", gate, f.launch)
	public(http.MethodGet, "/launch/callback", gate, f.callback)
	public(http.MethodGet, "/sso/callback", gate, f.callback)
	public(http.MethodGet, "/sso/:provider", gate, f.login)
	public(http.MethodPost, "/preferences", nil, f.preferences)
	public(http.MethodGet, "/.well-known/jwks.json", nil, f.keys)
	// The identity provider itself posts this one: no browser, no cookie, no origin.
	r.HandleRoute(api.Route{Method: http.MethodPost, Path: "/sso/:provider/logout", Action: api.Public, Answers: api.JSON, Bearer: true, Limit: gate}, f.backChannelLogout)
	r.Handle(http.MethodGet, "/prove-again", identity.SessionEnd, f.proveAgain)
	r.Handle(http.MethodPost, "/logout", identity.SessionEnd, f.logout)
	r.HandleRoute(api.Route{Method: http.MethodPost, Path: "/handoff", Action: identity.SessionEnd, Answers: api.JSON}, f.handOff)
	r.HandleRoute(api.Route{Method: http.MethodPost, Path: "/handoff/who", Action: api.Public, Answers: api.JSON, Limit: gate}, f.handOffWho)
	r.HandleRoute(api.Route{Method: http.MethodPost, Path: "/handoff/accept", Action: api.Public, Answers: api.JSON, Limit: gate}, f.handOffAccept)
	public(http.MethodGet, "/handoff", nil, f.handOffPage)
	r.HandleRoute(api.Route{Method: http.MethodGet, Path: "/static/:file", Action: api.Public}, f.Site.Assets().Serve)
}

func (f *FrontPages) index(c *gin.Context) {
	if api.SignedIn(c) {
		c.Redirect(http.StatusSeeOther, home(api.PrincipalOf(c)))
		return
	}
	next := localPath(c.Query("next"), "")
	view := &SignInView{EHRs: f.EHRs, Next: next != ""}
	if over := c.Query("over"); f.Site.Texts().Has("signin.over." + over) {
		view.Over = over
	}
	for _, p := range f.Providers {
		href := "/sso/" + url.PathEscape(p.Name)
		if next != "" {
			href += "?" + url.Values{"next": {next}}.Encode()
		}
		view.Providers = append(view.Providers, Provider{Organisation: p.Organisation, Href: href})
	}
	f.Site.Render(c, http.StatusOK, view)
}

func (f *FrontPages) login(c *gin.Context) {
	to, err := f.Flows.BeginLogin(c.Request.Context(), api.CallerOf(c), c.Param("provider"), localPath(c.Query("next"), "/"), api.Browser(c))
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, to)
}

func (f *FrontPages) launch(c *gin.Context) {
	to, err := f.Flows.BeginLaunchURL(c.Request.Context(), api.CallerOf(c), c.Request.URL.RawQuery, api.Browser(c))
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, to)
}

// callback ends a sign-in: proof, person, session; after a launch also the visit that is meant.
func (f *FrontPages) callback(c *gin.Context) {
	ctx, from := c.Request.Context(), api.CallerOf(c)
	result, err := f.Flows.Complete(ctx, from, sso.Callback{Code: c.Query("code"), State: c.Query("state"), Iss: c.Query("iss"),
		Error: c.Query("error"), Browser: api.Browser(c)})
	if err != nil {
		api.Fail(c, err)
		return
	}
	person, err := f.People.SignIn(ctx, from, result.Org, result.Identity())
	if err != nil {
		api.Fail(c, err)
		return
	}
	session := identity.Session{Kind: audit.Staff, Staff: person.ID, Roles: person.Roles, Connection: result.Connection,
		AuthTime: result.AuthTime, ACR: result.ACR, IssuerSession: result.SessionID}
	who := from.Anonymous(result.Org)
	who.Kind, who.ID = audit.Staff, person.ID
	if result.Grant != nil {
		if session.Grant, err = f.Flows.SaveGrant(ctx, who, person.ID, uuid.Nil, result.Grant); err != nil {
			api.Fail(c, err)
			return
		}
	}
	principal, err := f.begin(c, who, session)
	if err != nil {
		api.Fail(c, err)
		return
	}
	to := localPath(result.ReturnPath, "/")
	if to == "/" {
		to = home(principal)
	}
	if result.Kind == "smart" {
		if to, err = f.Launches.Destination(ctx, principal.Actor(from.IP, from.RequestID), result); err != nil {
			api.Fail(c, err)
			return
		}
	}
	c.Redirect(http.StatusSeeOther, to)
}

// preferences keeps the language and the theme in cookies; they tell nothing about anybody.
func (f *FrontPages) preferences(c *gin.Context) {
	if lang := c.PostForm("lang"); lang != "" {
		setPreference(c, languageCookie, f.Site.Texts().Match(lang, ""))
	}
	if theme := c.PostForm("theme"); theme == "light" || theme == "dark" {
		setPreference(c, themeCookie, theme)
	}
	c.Redirect(http.StatusSeeOther, localPath(c.PostForm("back"), "/"))
}

func setPreference(c *gin.Context, name, value string) {
	// Not HttpOnly: the page's own switch of the theme writes it too.
	http.SetCookie(c.Writer, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: aYear, Secure: true, SameSite: http.SameSiteNoneMode, Partitioned: api.Embedded(c)})
}

func (f *FrontPages) keys(c *gin.Context) {
	c.Header("Cache-Control", "public, max-age=300")
	c.Data(http.StatusOK, "application/jwk-set+json", f.Flows.JWKS())
}
