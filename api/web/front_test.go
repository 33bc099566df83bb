package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
)

// proven answers every sign-in with the same proof: package identity/sso has its own tests.
type proven struct {
	noFlows
	result sso.Result
}

func (p proven) Complete(context.Context, identity.Caller, sso.Callback) (sso.Result, error) {
	return p.result, nil
}

// callback walks back from the identity provider with a cookie of a session, and gives the session that begins.
func callback(t *testing.T, h *hospital, result sso.Result, cookie string) (identity.Principal, *httptest.ResponseRecorder) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	site := must(web.NewSite(func(*gin.Context) web.Frame { return web.Frame{} }, quiet))(t)
	engine := must(api.New(api.Deps{Origin: origin, Sessions: h.sessions, Trail: h.db, Pages: site, Metrics: prometheus.NewRegistry(), Now: func() time.Time { return h.now }, Log: quiet},
		&web.FrontPages{Site: site, Origin: origin, Flows: proven{result: result}, People: h.people, Sessions: h.sessions}))(t)
	r := httptest.NewRequest(http.MethodGet, "/sso/callback?code=c&state=s", nil)
	r.RemoteAddr = "203.0.113.77:40000"
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: cookie})
	}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	for _, set := range w.Result().Cookies() {
		if set.Name == "__Host-televisit" {
			return must(h.sessions.Lookup(t.Context(), set.Value))(t), w
		}
	}
	t.Fatalf("no session: %d %s", w.Code, w.Body)
	return identity.Principal{}, w
}

func TestProvingAgainGoesOnFromTheSession(t *testing.T) {
	h := openHospital(t)
	result := sso.Result{Org: h.org, Kind: "sso", Connection: "north", Issuer: "https://idp.example.org", Subject: "u-1", Name: phi.NewText("Dr. Mia Roth"),
		Roles: []identity.Role{identity.Clinician}, AuthTime: h.now, ReturnPath: "/visits/1/review"}
	first, _ := callback(t, h, result, "")
	cookie, session, err := h.sessions.Begin(t.Context(), first.Actor(h.clinician.actor.IP, "r"), identity.Session{Kind: first.Kind, Staff: first.Staff, Roles: first.Roles, Connection: "north", AuthTime: h.now})
	h.check(err)

	h.now = h.now.Add(10 * time.Minute)
	result.AuthTime = h.now
	again, w := callback(t, h, result, cookie)
	if again.CSRF != session.CSRF || !again.AuthTime.After(session.AuthTime) || again.Session == session.Session || w.Header().Get("Location") != "/visits/1/review" {
		t.Errorf("%+v after %+v", again, session)
	}
	if _, err := h.sessions.Lookup(t.Context(), cookie); err == nil {
		t.Error("the older session goes on")
	}

	// Somebody else who signs in at the same browser begins anew, and ends nobody's session.
	other, _ := callback(t, h, result, h.scheduler.cookie)
	if other.CSRF == h.scheduler.csrf || other.Staff == h.scheduler.actor.ID {
		t.Errorf("%+v goes on from somebody else", other)
	}
	if _, err := h.sessions.Lookup(t.Context(), h.scheduler.cookie); err != nil {
		t.Error(err)
	}
}
