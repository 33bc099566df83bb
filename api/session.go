package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

const (
	sessionCookie = "__Host-televisit"
	flowCookie    = "__Host-televisit-flow" // binds a sign-in to the browser that began it
)

// session finds out who asks, and refuses at the door whoever could not do the route's action to anything at all.
// The handler asks Allow about the resource itself.
func (e *Engine) session(r Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		p, err := e.lookup(c)
		if err == nil {
			c.Set(keyPrincipal, p)
		}
		if r.Action == Public {
			return
		}
		if err != nil {
			Fail(c, err)
			return
		}
		if err := CouldEver(p, r.Action); err != nil {
			recordRefusal(c, r.Action, identity.Resource{}, err)
			Fail(c, err)
			return
		}
		if !unsafeMethod(c) {
			return
		}
		if matches, err := csrfMatches(c, p); err != nil {
			Fail(c, err)
		} else if !matches {
			recordRefusal(c, r.Action, identity.Resource{}, errCSRF)
			Fail(c, errCSRF)
		}
	}
}

// CouldEver is the policy's answer for the resource that suits p best: p's own visit.
func CouldEver(p identity.Principal, a identity.Action) error {
	return identity.Can(p, a, identity.Resource{Org: p.Org, Visit: p.Visit, Clinician: p.Staff})
}

// lookup tries each session cookie: a browser may hold one of its own and one partitioned to an EHR's frame. A page
// that refreshes by itself says so and does not count as use of the session.
func (e *Engine) lookup(c *gin.Context) (identity.Principal, error) {
	if c.GetHeader("X-Background") != "" || routeOf(c).Stream {
		return e.peek(c)
	}
	return e.holder(c, e.deps.Sessions.Lookup)
}

// peek is lookup that never counts as use.
func (e *Engine) peek(c *gin.Context) (identity.Principal, error) {
	if peeker, ok := e.deps.Sessions.(Peeker); ok {
		return e.holder(c, peeker.Peek)
	}
	return e.holder(c, e.deps.Sessions.Lookup)
}

func (e *Engine) holder(c *gin.Context, find func(context.Context, string) (identity.Principal, error)) (identity.Principal, error) {
	last := ErrSignedOut
	for _, cookie := range c.Request.CookiesNamed(sessionCookie) {
		p, err := find(c.Request.Context(), cookie.Value)
		if err == nil {
			return p, nil
		}
		last = err
	}
	return identity.Principal{}, last
}

// StillSignedIn tells whether the session of a long answer goes on.
func StillSignedIn(c *gin.Context) bool {
	_, err := engineOf(c).lookup(c)
	return err == nil
}

// sameOrigin refuses a change that another site's page asks for.
func (e *Engine) sameOrigin(c *gin.Context) {
	if !unsafeMethod(c) || e.fromHere(c) {
		return
	}
	// Whose cookie came along with it is who was to be abused.
	if p, err := e.peek(c); err == nil {
		record(c, p.Actor(IP(c), RequestID(c)), routeOf(c).Action, identity.Resource{}, errOrigin)
	}
	Fail(c, errOrigin)
}

// fromHere believes the browser's word about where a request comes from; programs send neither header.
func (e *Engine) fromHere(c *gin.Context) bool {
	if origin := c.GetHeader("Origin"); origin != "" {
		return origin == e.deps.Origin
	}
	site := c.GetHeader("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

func unsafeMethod(c *gin.Context) bool {
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// csrfMatches also tells of a form that is too large to look for the value in.
func csrfMatches(c *gin.Context, p identity.Principal) (bool, error) {
	given := c.GetHeader("X-CSRF")
	if given == "" {
		if err := c.Request.ParseForm(); is[*http.MaxBytesError](err) {
			return false, err
		}
		given = c.PostForm("csrf")
	}
	return p.CSRF != "" && subtle.ConstantTimeCompare([]byte(given), []byte(p.CSRF)) == 1, nil
}

// BeginSession sets the session's cookie. In an EHR's frame it is partitioned to that EHR.
func BeginSession(c *gin.Context, value string) { setCookie(c, sessionCookie, value, 0) }

// EndSession forgets the cookie.
func EndSession(c *gin.Context) { setCookie(c, sessionCookie, "", -1) }

// Browser is a random value that this browser keeps while it signs in.
func Browser(c *gin.Context) string {
	if found := c.Request.CookiesNamed(flowCookie); len(found) > 0 && len(found[0].Value) >= 32 {
		return found[0].Value
	}
	value := random(32)
	setCookie(c, flowCookie, value, 900)
	return value
}

func setCookie(c *gin.Context, name, value string, seconds int) {
	http.SetCookie(c.Writer, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteNoneMode, Partitioned: Embedded(c), MaxAge: seconds})
}

// Embedded tells whether the page is shown inside another one.
func Embedded(c *gin.Context) bool { return c.GetHeader("Sec-Fetch-Dest") == "iframe" }

func recordRefusal(c *gin.Context, action identity.Action, r identity.Resource, refused error) {
	record(c, ActorOf(c), action, r, refused)
}

func record(c *gin.Context, who audit.Actor, action identity.Action, r identity.Resource, refused error) {
	e := engineOf(c)
	code := "refused"
	var coded interface{ Code() string }
	if errors.As(refused, &coded) {
		code = coded.Code()
	}
	err := e.deps.Trail.Record(c.Request.Context(), who, audit.Event{Action: "access.refused", Outcome: audit.Refused, Visit: r.Visit,
		Detail: map[string]any{"wanted": string(action), "route": c.FullPath(), "code": code}})
	if err != nil {
		e.deps.Log.Error("a refusal could not be recorded", "cause", audit.Safe(err), "request_id", RequestID(c))
	}
}
