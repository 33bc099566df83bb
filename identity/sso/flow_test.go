package sso_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/sso"
)

func TestLaunch(t *testing.T) {
	h := newHouse(t)
	h.op.answer = func(a map[string]any) {
		a["patient"], a["need_patient_banner"], a["tenant"], a["smart_style_url"] = "p-1", false, "t1", h.op.URL+"/style.json"
		a["fhirContext"] = []map[string]string{{"reference": "Observation/9"}, {"reference": "Appointment/other", "role": "http://example.org/not-launch"},
			{"reference": h.op.URL + "/fhir/Appointment/a-1"}}
	}
	r, err := h.launch()
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != "smart" || r.Org != h.org || r.EHR != "chart" || r.Issuer != h.op.URL+"/auth" || r.FHIRUser.Reveal() != "Practitioner/7" || r.Name.Reveal() != "Dr CANARY" ||
		!slices.Equal(r.Roles, []identity.Role{identity.Clinician}) || r.AuthTime.Nanosecond() != 250_000_000 {
		t.Errorf("result: %+v", r)
	}
	c := r.Context
	if c.Patient.Reveal() != "Patient/p-1" || c.Appointment.Reveal() != "Appointment/a-1" || !c.Encounter.IsZero() || c.NeedPatientBanner || c.Tenant != "t1" {
		t.Errorf("context: %+v", c)
	}
	if r.Grant == nil || r.Grant.Access.IsZero() || r.Grant.Refresh.IsZero() || !slices.Contains(r.Grant.Scopes, "user/Patient.rs") {
		t.Errorf("grant: %+v", r.Grant)
	}
	if id := r.Identity(); id.Subject != "" || id.Practitioner.IsZero() {
		t.Error("an EHR's subject must not be taken for the identity provider's")
	}
	if _, err := h.launch(); err != nil {
		t.Fatal(err)
	}
	if n := h.op.count("/fhir/.well-known/smart-configuration") + h.op.count("/keys"); n != 2 {
		t.Errorf("two launches fetched %d documents, want each once", n)
	}
	if f := h.failures(t); len(f) != 0 {
		t.Errorf("trail: %v", f)
	}
}

func TestLogin(t *testing.T) {
	h := newHouse(t)
	r, err := h.login()
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != "sso" || r.Grant != nil || r.Subject != "user-1" || r.SessionID != "sid-1" || r.ReturnPath != "/worklist?day=1" ||
		r.EHR != "chart" || r.FHIRUser.Reveal() != "Practitioner/7" || !slices.Equal(r.Roles, []identity.Role{identity.Clinician}) {
		t.Errorf("result: %+v", r)
	}
	if id := r.Identity(); id.Subject != "user-1" || id.Issuer != h.op.URL+"/staff" {
		t.Errorf("identity: %+v", id)
	}
	h.op.with(func() {
		h.op.claims = func(c map[string]any) { c["fhirUser"] = "https://elsewhere.example/fhir/Practitioner/7" }
	})
	if r, err = h.login(); err != nil || r.EHR != "" || !r.FHIRUser.IsZero() {
		t.Errorf("a claim of another EHR linked somebody: %+v, %v", r, err)
	}
	h.op.with(func() { h.op.claims = func(c map[string]any) { c["fhirUser"] = "Practitioner/8" } })
	if r, err = h.login(); err != nil || r.FHIRUser.Reveal() != "Practitioner/8" {
		t.Errorf("a relative claim: %+v, %v", r, err)
	}
	if out := h.LogoutURL(context.Background(), "staff", "https://visits.example/"); !strings.HasPrefix(out, h.op.URL+"/logout?client_id=televisit-staff&post_logout_redirect_uri=") {
		t.Errorf("logout at %s", out)
	}
	for _, evil := range []string{"//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "", "worklist", "/a\nb"} {
		redirect, err := h.BeginLogin(context.Background(), h.from, "staff", evil, browser)
		if err != nil {
			t.Fatal(err)
		}
		code, state := h.op.authorize(redirect)
		if r, err := h.Complete(context.Background(), h.from, sso.Callback{Code: code, State: state, Browser: browser}); err != nil || r.ReturnPath != "/" {
			t.Errorf("return path %q became %q, %v", evil, r.ReturnPath, err)
		}
	}
}

func TestStepUp(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	try := func(claims func(map[string]any)) error {
		t.Helper()
		h.op.with(func() { h.op.claims = claims })
		redirect, err := h.BeginStepUp(ctx, h.from, "staff", "/visits/1/review", browser, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := url.Parse(redirect); err != nil || u.Query().Get("max_age") != "300" {
			t.Errorf("asked for max_age %q, %v", u.Query().Get("max_age"), err)
		}
		code, state := h.op.authorize(redirect)
		_, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: browser})
		return err
	}
	if err := try(nil); err != nil {
		t.Errorf("proven a moment ago: %v", err)
	}
	mustBe(t, "proven long ago", try(func(c map[string]any) { c["auth_time"] = h.clock().Add(-7 * time.Minute).Unix() }), "refused", "step-up")
	mustBe(t, "no word of when", try(func(c map[string]any) { delete(c, "auth_time") }), "refused", "step-up")
}

func TestStrangersFetchNothing(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	asked := 0
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer stranger.Close()
	for name, iss := range map[string]string{"another server": stranger.URL + "/fhir", "with a slash": h.op.URL + "/fhir/", "another case": strings.ToUpper(h.op.URL) + "/fhir",
		"longer": h.op.URL + "/fhir/x", "a provider that is no EHR": h.op.URL + "/staff", "with a query": h.op.URL + "/fhir?x=1"} {
		_, err := h.BeginLaunch(ctx, h.from, iss, "launch-1", browser)
		mustBe(t, name, err, "refused", "unknown-iss")
	}
	for name, bad := range map[string][2]string{"no iss": {"", "l"}, "no launch": {h.op.URL + "/fhir", ""}, "control": {h.op.URL + "/fhir", "a\x00b"}, "huge": {h.op.URL + "/fhir", strings.Repeat("a", 9000)}} {
		_, err := h.BeginLaunch(ctx, h.from, bad[0], bad[1], browser)
		mustBe(t, name, err, "refused", "bad-launch")
	}
	_, err := h.BeginLogin(ctx, h.from, "chart", "/", browser)
	mustBe(t, "an EHR as identity provider", err, "refused", "unknown-provider")
	if asked != 0 || len(h.op.requests) != 0 {
		t.Errorf("something was fetched: %d, %v", asked, h.op.requests)
	}
	if f := h.failures(t); len(f) != 11 || slices.ContainsFunc(f, func(s string) bool { return !strings.HasPrefix(s, "refused ") }) {
		t.Errorf("trail: %v", f)
	}
}

func TestState(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	begin := func() (string, string) {
		redirect, err := h.BeginLaunch(ctx, h.from, h.op.URL+"/fhir", "launch-1", browser)
		if err != nil {
			t.Fatal(err)
		}
		return h.op.authorize(redirect)
	}
	code, state := begin()
	_, err := h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: "another browser"})
	mustBe(t, "another browser", err, "refused", "state-foreign-browser")
	_, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state})
	mustBe(t, "no cookie", err, "refused", "state-foreign-browser")
	if _, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: browser}); err != nil {
		t.Errorf("another browser spoiled the flow: %v", err)
	}
	_, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: browser})
	mustBe(t, "replayed", err, "refused", "state-used")
	for name, s := range map[string]string{"invented": strings.Repeat("A", 43), "empty": "", "huge": strings.Repeat("A", 9000)} {
		_, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: s, Browser: browser})
		mustBe(t, name, err, "refused", "state-unknown")
	}
	code, state = begin()
	h.pass(10 * time.Minute)
	_, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: browser})
	mustBe(t, "late", err, "refused", "state-expired")
	_, state = begin()
	_, err = h.Complete(ctx, h.from, sso.Callback{Error: "access_denied", State: state, Browser: browser})
	mustBe(t, "denied", err, "refused", "access-denied")
	_, err = h.Complete(ctx, h.from, sso.Callback{Code: "x", State: state, Browser: browser})
	mustBe(t, "after the denial", err, "refused", "state-used")
	_, state = begin()
	_, err = h.Complete(ctx, h.from, sso.Callback{Error: "CANARY<script>", State: state, Browser: browser})
	mustBe(t, "an error of its own", err, "failure", "bad-response")
	_, state = begin()
	_, err = h.Complete(ctx, h.from, sso.Callback{State: state, Browser: browser})
	mustBe(t, "nothing", err, "failure", "bad-response")
	_, state = begin()
	_, err = h.Complete(ctx, h.from, sso.Callback{Code: "never issued", State: state, Browser: browser})
	mustBe(t, "invented code", err, "failure", "invalid-grant")
	if f := h.failures(t); len(f) != 12 {
		t.Errorf("%d rows in the trail: %v", len(f), f)
	}
}

func TestParallelCallbacksHaveOneWinner(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	redirect, err := h.BeginLaunch(ctx, h.from, h.op.URL+"/fhir", "launch-1", browser)
	if err != nil {
		t.Fatal(err)
	}
	code, state := h.op.authorize(redirect)
	results := make([]error, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			_, results[i] = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: browser})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else {
			mustBe(t, "loser", err, "refused", "state-used")
		}
	}
	if won != 1 || h.op.count("authorization_code") != 1 {
		t.Errorf("%d won, %d asked for a token", won, h.op.count("authorization_code"))
	}
}

func TestAuthorizationRequest(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	redirect, err := h.BeginLaunch(ctx, h.from, h.op.URL+"/fhir", "opaque &=# launch", browser)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("launch") != "opaque &=# launch" || q.Get("aud") != h.op.URL+"/fhir" || q.Get("redirect_uri") != "https://visits.example/launch/callback" ||
		q.Get("client_id") != "televisit" || q.Get("scope") != "launch openid fhirUser user/Patient.rs" {
		t.Errorf("request: %v", q)
	}
	again, err := h.BeginLaunch(ctx, h.from, h.op.URL+"/fhir", "opaque &=# launch", browser)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := url.Parse(again)
	for _, once := range []string{"state", "nonce", "code_challenge"} {
		if q.Get(once) == second.Query().Get(once) || len(q.Get(once)) < 43 {
			t.Errorf("%s is not fresh or too short", once)
		}
	}
}
