package api

import (
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
		if unsafeMethod(c) && !csrfMatches(c, p) {
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
	find := e.deps.Sessions.Lookup
	if peeker, ok := e.deps.Sessions.(Peeker); ok && (c.GetHeader("X-Background") != "" || routeOf(c).Stream) {
		find = peeker.Peek
	}
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
	if !unsafeMethod(c) {
		return
	}
	if origin := c.GetHeader("Origin"); origin != "" {
		if origin != e.deps.Origin {
			Fail(c, errCSRF)
		}
		return
	}
	if site := c.GetHeader("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		Fail(c, errCSRF)
	}
}

func unsafeMethod(c *gin.Context) bool {
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

func csrfMatches(c *gin.Context, p identity.Principal) bool {
	given := c.GetHeader("X-CSRF")
	if given == "" {
		given = c.PostForm("csrf")
	}
	return p.CSRF != "" && subtle.ConstantTimeCompare([]byte(given), []byte(p.CSRF)) == 1
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
	e := engineOf(c)
	code := "refused"
	var coded interface{ Code() string }
	if errors.As(refused, &coded) {
		code = coded.Code()
	}
	err := e.deps.Trail.Record(c.Request.Context(), ActorOf(c), audit.Event{Action: "access.refused", Outcome: audit.Refused, Visit: r.Visit,
		Detail: map[string]any{"wanted": string(action), "route": c.FullPath(), "code": code}})
	if err != nil {
		e.deps.Log.Error("a refusal could not be recorded", "cause", audit.Safe(err), "request_id", RequestID(c))
	}
}
