package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

const origin = "https://visits.example.org"

// doors is an engine with sessions and a trail that remember.
type doors struct {
	t        *testing.T
	engine   *api.Engine
	log      *bytes.Buffer
	metrics  *prometheus.Registry
	now      time.Time
	sessions map[string]identity.Principal
	peeked   []string
	mu       sync.Mutex
	trail    []audit.Event
	who      []audit.Actor
}

func (d *doors) Lookup(_ context.Context, cookie string) (identity.Principal, error) {
	if cookie == "broken" {
		return identity.Principal{}, errors.New("the store is broken")
	}
	if p, ok := d.sessions[cookie]; ok {
		return p, nil
	}
	return identity.Principal{}, &identity.SessionOver{}
}

func (d *doors) Peek(ctx context.Context, cookie string) (identity.Principal, error) {
	d.peeked = append(d.peeked, cookie)
	return d.Lookup(ctx, cookie)
}

func (d *doors) Record(_ context.Context, who audit.Actor, events ...audit.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trail, d.who = append(d.trail, events...), append(d.who, who)
	return nil
}

func (d *doors) Problem(c *gin.Context, p api.Problem) {
	c.Data(p.Status, "text/html; charset=utf-8", []byte("problem "+p.Code+" "+p.Detail))
}

func (d *doors) Sentence(_ *gin.Context, p api.Problem) string { return "about " + p.Code }

// Register implements api.Registrar with one route of each kind.
func (d *doors) Register(r api.Routes) {
	ok := func(c *gin.Context) { c.String(http.StatusOK, "ok "+string(api.PrincipalOf(c).Kind)) }
	r.Handle(http.MethodGet, "/open", api.Public, ok)
	r.Handle(http.MethodPost, "/open", api.Public, ok)
	r.Handle(http.MethodGet, "/worklist", identity.WorklistView, ok)
	r.Handle(http.MethodPost, "/visits/:id/start", identity.VisitStart, ok)
	r.Handle(http.MethodPost, "/read", identity.VisitStart, func(c *gin.Context) {
		if err := c.Request.ParseForm(); err != nil {
			api.Fail(c, err)
		}
	})
	r.Handle(http.MethodGet, "/panic", api.Public, func(*gin.Context) { panic("Ana Ruiz") })
	r.HandleRoute(api.Route{Method: http.MethodGet, Path: "/few", Action: api.Public, Limit: &api.Limit{Name: "few", Every: time.Minute, Burst: 2}}, ok)
	r.HandleRoute(api.Route{Method: http.MethodPost, Path: "/fhir/Appointment", Action: identity.FHIRWrite, Bearer: true}, func(c *gin.Context) { api.Fail(c, api.ErrSignedOut) })
	r.Handle(http.MethodGet, "/own/:id", identity.VisitView, func(c *gin.Context) {
		if err := api.Allow(c, identity.VisitView, identity.Resource{Visit: uuid.New(), Clinician: uuid.New()}); err != nil {
			api.Fail(c, err)
		}
	})
}

func open(t *testing.T) *doors {
	d := &doors{t: t, log: &bytes.Buffer{}, metrics: prometheus.NewRegistry(), now: time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC), sessions: map[string]identity.Principal{}}
	org, staff := uuid.New(), uuid.New()
	d.sessions["clinician"] = identity.Principal{Session: uuid.New(), Org: org, Kind: audit.Staff, Staff: staff, Roles: []identity.Role{identity.Clinician}, CSRF: "right"}
	d.sessions["scheduler"] = identity.Principal{Session: uuid.New(), Org: org, Kind: audit.Staff, Staff: uuid.New(), Roles: []identity.Role{identity.Scheduler}, CSRF: "right"}
	var err error
	d.engine, err = api.New(api.Deps{Origin: origin, EHROrigins: []string{"https://ehr.example.org"}, Sessions: d, Trail: d, Pages: d, Metrics: d.metrics,
		Now: func() time.Time { return d.now }, Log: slog.New(slog.NewJSONHandler(d.log, nil))}, d)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type ask struct {
	method, path, session, csrf, body string
	header                            map[string]string
}

func (d *doors) ask(a ask) *httptest.ResponseRecorder {
	d.t.Helper()
	if a.method == "" {
		a.method = http.MethodGet
	}
	r := httptest.NewRequest(a.method, a.path, strings.NewReader(a.body))
	r.RemoteAddr = "203.0.113.77:40000"
	if a.session != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: a.session})
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if a.csrf != "" {
		r.Header.Set("X-CSRF", a.csrf)
	}
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	d.engine.ServeHTTP(w, r)
	return w
}

func TestWhoPasses(t *testing.T) {
	json := map[string]string{"Accept": "application/json"}
	for name, test := range map[string]struct {
		ask    ask
		status int
		holds  string
	}{
		"anybody, public":                       {ask{path: "/open"}, 200, "ok"},
		"nobody signed in, page":                {ask{path: "/worklist"}, 303, ""},
		"nobody signed in, script":              {ask{path: "/worklist", header: json}, 401, "signed-out"},
		"nobody signed in, form":                {ask{method: "POST", path: "/visits/1/start"}, 401, "signed-out"},
		"clinician on the worklist":             {ask{path: "/worklist", session: "clinician"}, 200, "ok staff"},
		"scheduler on the worklist":             {ask{path: "/worklist", session: "scheduler"}, 403, "not-permitted"},
		"another's visit":                       {ask{path: "/own/1", session: "clinician"}, 403, "not-their-visit"},
		"form with the token in a header":       {ask{method: "POST", path: "/visits/1/start", session: "clinician", csrf: "right"}, 200, "ok"},
		"form with the token in a field":        {ask{method: "POST", path: "/visits/1/start", session: "clinician", body: "csrf=right"}, 200, "ok"},
		"form without the token":                {ask{method: "POST", path: "/visits/1/start", session: "clinician"}, 403, "csrf"},
		"form with a wrong token":               {ask{method: "POST", path: "/visits/1/start", session: "clinician", csrf: "wrong"}, 403, "csrf"},
		"form of another site":                  {ask{method: "POST", path: "/open", header: map[string]string{"Origin": "https://evil.example"}}, 403, "origin"},
		"form of a sandboxed frame":             {ask{method: "POST", path: "/open", header: map[string]string{"Origin": "null"}}, 403, "origin"},
		"form of another site, no origin":       {ask{method: "POST", path: "/open", header: map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403, "origin"},
		"form of our own page":                  {ask{method: "POST", path: "/open", header: map[string]string{"Origin": origin}}, 200, "ok"},
		"unknown address":                       {ask{path: "/nothing"}, 404, "not-found"},
		"unknown address, script":               {ask{path: "/nothing", header: json}, 404, `"message":"about not-found"`},
		"unknown address of the FHIR API":       {ask{path: "/fhir/Nothing"}, 404, `"diagnostics":"there is nothing at this address [not-found`},
		"the FHIR API's own address":            {ask{path: "/fhir"}, 404, "OperationOutcome"},
		"wrong method":                          {ask{method: "DELETE", path: "/open"}, 405, "method"},
		"a bearer route reads no cookie":        {ask{method: "POST", path: "/fhir/Appointment", session: "clinician"}, 401, `"code":"login"`},
		"a broken store signs nobody out":       {ask{path: "/worklist", session: "broken"}, 500, "internal"},
		"a broken store leaves public pages up": {ask{path: "/open", session: "broken"}, 200, "ok"},
		"a body beyond the limit":               {ask{method: "POST", path: "/read", session: "clinician", csrf: "right", body: strings.Repeat("a", 1<<20+1)}, 413, "too-large"},
		"a form beyond the limit":               {ask{method: "POST", path: "/visits/1/start", session: "clinician", body: "csrf=right&a=" + strings.Repeat("a", 1<<20+1)}, 413, "too-large"},
	} {
		t.Run(name, func(t *testing.T) {
			got := open(t).ask(test.ask)
			if got.Code != test.status || !strings.Contains(got.Body.String(), test.holds) {
				t.Fatalf("%d %s, want %d %q", got.Code, got.Body, test.status, test.holds)
			}
		})
	}
}

func TestSignedOutPagesLeadToTheSignInAndBack(t *testing.T) {
	got := open(t).ask(ask{path: "/worklist?list=signing", session: "gone"})
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/?next=%2Fworklist&over=" {
		t.Fatalf("%d %s", got.Code, got.Header().Get("Location"))
	}
}

func TestRefusalsAreRecorded(t *testing.T) {
	d := open(t)
	d.ask(ask{path: "/worklist", session: "scheduler"})
	d.ask(ask{path: "/own/1", session: "clinician"})
	d.ask(ask{method: "POST", path: "/visits/1/start", session: "clinician", csrf: "wrong"})
	d.ask(ask{method: "POST", path: "/visits/1/start", session: "clinician", csrf: "right", header: map[string]string{"Origin": "https://evil.example"}})
	d.ask(ask{method: "POST", path: "/visits/1/start", header: map[string]string{"Origin": "https://evil.example"}}) // nobody was to be abused
	if len(d.trail) != 4 {
		t.Fatalf("%d events, want 4", len(d.trail))
	}
	for i, code := range []string{"not-permitted", "not-their-visit", "csrf", "origin"} {
		e := d.trail[i]
		if e.Action != "access.refused" || e.Outcome != audit.Refused || e.Detail["code"] != code || d.who[i].IP.String() != "203.0.113.77" || d.who[i].ID == uuid.Nil {
			t.Errorf("event %d: %+v by %+v", i, e, d.who[i])
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	d := open(t)
	seen := map[string]bool{}
	for _, a := range []ask{{path: "/open"}, {path: "/nothing"}, {path: "/worklist", session: "clinician"}, {path: "/panic"}, {path: "/few"}} {
		h := d.ask(a).Header()
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "base-uri 'none'", "connect-src 'self' wss://visits.example.org", "media-src 'self' blob:", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s", a.path, part)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", a.path, policy)
		}
		if seen[policy] {
			t.Errorf("%s: a nonce came twice", a.path)
		}
		seen[policy] = true
		if framed := strings.Contains(policy, "frame-ancestors 'self' https://ehr.example.org"); framed != (a.path == "/worklist") {
			t.Errorf("%s: %s", a.path, policy)
		}
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Strict-Transport-Security": "max-age=63072000", "Cross-Origin-Opener-Policy": "same-origin"} {
			if h.Get(name) != value {
				t.Errorf("%s: %s is %q", a.path, name, h.Get(name))
			}
		}
		if !strings.Contains(h.Get("Permissions-Policy"), "camera=(self), microphone=(self)") || len(h.Get("X-Request-Id")) != 16 {
			t.Errorf("%s: %v", a.path, h)
		}
	}
}

// What a log and a label may hold: templates, never addresses, URLs or what a panic said.
func TestLogsAndMetricsHoldTemplatesOnly(t *testing.T) {
	d := open(t)
	id := uuid.NewString()
	d.ask(ask{path: "/own/" + id + "?name=Ruiz", session: "clinician"})
	d.ask(ask{path: "/nothing/" + id})
	d.ask(ask{method: "BREW", path: "/open"})
	if got := d.ask(ask{path: "/panic"}); got.Code != 500 || strings.Contains(got.Body.String(), "Ruiz") {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	families, err := d.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := d.log.String()
	for _, family := range families {
		told += family.String()
	}
	for _, secret := range []string{id, "Ruiz", "203.0.113.77", "?name", "BREW", "clinician"} {
		if strings.Contains(told, secret) {
			t.Errorf("the log or the metrics hold %q", secret)
		}
	}
	for _, wanted := range []string{"/own/:id", "(none)", "a handler panicked", `"type":"string"`} {
		if !strings.Contains(told, wanted) {
			t.Errorf("the log and the metrics lack %q", wanted)
		}
	}
}

func TestLimitIsPerCallerAndRefills(t *testing.T) {
	d := open(t)
	for i, want := range []int{200, 200, 429} {
		if got := d.ask(ask{path: "/few"}); got.Code != want {
			t.Fatalf("request %d: %d, want %d", i, got.Code, want)
		} else if want == 429 && got.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	d.now = d.now.Add(time.Minute)
	if got := d.ask(ask{path: "/few"}); got.Code != 200 {
		t.Fatalf("after a minute: %d", got.Code)
	}
}

func TestBackgroundRefreshesDoNotCountAsUse(t *testing.T) {
	d := open(t)
	d.ask(ask{path: "/worklist", session: "clinician"})
	d.ask(ask{path: "/worklist", session: "clinician", header: map[string]string{"X-Background": "1"}})
	if len(d.peeked) != 1 {
		t.Fatalf("peeked %d times", len(d.peeked))
	}
}

func TestOperationOutcomeIsWellFormed(t *testing.T) {
	got := open(t).ask(ask{path: "/fhir/Nothing"})
	var outcome struct {
		ResourceType string
		Issue        []struct{ Severity, Code string }
	}
	if err := json.Unmarshal(got.Body.Bytes(), &outcome); err != nil || outcome.ResourceType != "OperationOutcome" || len(outcome.Issue) != 1 ||
		outcome.Issue[0].Severity != "error" || outcome.Issue[0].Code != "not-found" || !strings.HasPrefix(got.Header().Get("Content-Type"), "application/fhir+json") {
		t.Fatalf("%s %v", got.Body, err)
	}
}

func TestOriginMustBeHTTPS(t *testing.T) {
	for _, bad := range []string{"", "http://visits.example.org", "https://visits.example.org/path", "visits.example.org"} {
		if _, err := api.New(api.Deps{Origin: bad, Metrics: prometheus.NewRegistry(), Now: time.Now}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
