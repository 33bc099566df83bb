package sso_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

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

func TestIDToken(t *testing.T) {
	h := newHouse(t)
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(h.op.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := h.clock()
	for name, tc := range map[string]struct {
		claims func(map[string]any)
		sign   func(map[string]any) string
		code   string
	}{
		"wrong audience":        {claims: set("aud", "somebody-else"), code: "id-token-audience"},
		"two audiences":         {claims: set("aud", []string{"televisit", "televisit-staff"}), code: "id-token-party"},
		"another party":         {claims: set("azp", "somebody-else"), code: "id-token-party"},
		"wrong issuer":          {claims: set("iss", "https://evil.example"), code: "id-token-issuer"},
		"FHIR base as issuer":   {claims: set("iss", h.op.URL+"/fhir"), code: "id-token-issuer"},
		"issuer with a slash":   {claims: set("iss", h.op.URL+"/auth/"), code: "id-token-issuer"},
		"wrong nonce":           {claims: set("nonce", "another"), code: "id-token-nonce"},
		"no nonce":              {claims: func(c map[string]any) { delete(c, "nonce") }, code: "id-token-nonce"},
		"expired":               {claims: set("exp", now.Add(-2*time.Minute).Unix()), code: "id-token-time"},
		"no expiry":             {claims: func(c map[string]any) { delete(c, "exp") }, code: "id-token-time"},
		"from the future":       {claims: set("iat", now.Add(2*time.Minute).Unix()), code: "id-token-time"},
		"issued at no time":     {claims: func(c map[string]any) { delete(c, "iat") }, code: "id-token-time"},
		"not yet":               {claims: set("nbf", now.Add(2*time.Minute).Unix()), code: "id-token-time"},
		"no subject":            {claims: set("sub", ""), code: "id-token-subject"},
		"long subject":          {claims: set("sub", strings.Repeat("s", 256)), code: "id-token-subject"},
		"foreign fhirUser":      {claims: set("fhirUser", "https://evil.example/fhir/Practitioner/7"), code: "foreign-fhir-user"},
		"prefix fhirUser":       {claims: set("fhirUser", h.op.URL+"/fhir-evil/Practitioner/7"), code: "foreign-fhir-user"},
		"deep fhirUser":         {claims: set("fhirUser", "Practitioner/7/../../x"), code: "foreign-fhir-user"},
		"no fhirUser":           {claims: func(c map[string]any) { delete(c, "fhirUser") }, code: "no-fhir-user"},
		"a patient":             {claims: set("fhirUser", "Patient/7"), code: "not-a-clinician"},
		"a claim of wrong type": {claims: set("fhirUser", 7), code: "id-token-malformed"},
		"alg none": {sign: func(c map[string]any) string {
			body, _ := json.Marshal(c)
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"op-1"}`)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
		}, code: "id-token-malformed"},
		"HMAC by the public key": {sign: func(c map[string]any) string { return signed(t, c, jose.HS256, public, "op-1") }, code: "id-token-malformed"},
		"no key id":              {sign: func(c map[string]any) string { return signed(t, c, jose.ES256, h.op.key, "") }, code: "id-token-key"},
		"unknown key id":         {sign: func(c map[string]any) string { return signed(t, c, jose.ES256, h.op.key, "op-9") }, code: "id-token-key"},
		"another's key":          {sign: func(c map[string]any) string { return signed(t, c, jose.ES256, stranger, "op-1") }, code: "id-token-signature"},
		"the other key's id":     {sign: func(c map[string]any) string { return signed(t, c, jose.ES256, h.op.key, "op-2") }, code: "id-token-signature"},
		"a changed body": {sign: func(c map[string]any) string {
			parts := strings.Split(signed(t, c, jose.ES256, h.op.key, "op-1"), ".")
			c["sub"] = "somebody-else"
			body, _ := json.Marshal(c)
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(body) + "." + parts[2]
		}, code: "id-token-signature"},
		"noise": {sign: func(map[string]any) string { return "CANARY" }, code: "id-token-malformed"},
	} {
		h.op.with(func() { h.op.claims, h.op.sign = tc.claims, tc.sign })
		_, err := h.launch()
		mustBe(t, name, err, "refused", tc.code)
		if f := h.failures(t); len(f) == 0 || f[0] != "refused "+tc.code {
			t.Errorf("%s: the newest row of the trail is %v", name, f[:1])
		}
	}
	for name, claims := range map[string]func(map[string]any){
		"a clock 50 s ahead":      set("iat", now.Add(50*time.Second).Unix()),
		"a clock 50 s behind":     set("exp", now.Add(-50*time.Second).Unix()),
		"several audiences, ours": func(c map[string]any) { c["aud"], c["azp"] = []string{"x", "televisit"}, "televisit" },
		"a relative fhirUser":     set("fhirUser", "Practitioner/7"),
		"a practitioner's role":   set("fhirUser", "PractitionerRole/7"),
		"no time of sign-in":      func(c map[string]any) { delete(c, "auth_time") },
	} {
		h.op.with(func() { h.op.claims, h.op.sign = claims, nil })
		if r, err := h.launch(); err != nil || r.FHIRUser.IsZero() || r.AuthTime.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	h := newHouse(t)
	if _, err := h.launch(); err != nil {
		t.Fatal(err)
	}
	next, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.op.with(func() {
		h.op.sign = func(c map[string]any) string { return signed(t, c, jose.ES384, next, "op-3") }
		h.op.jwks = func(s *jose.JSONWebKeySet) {
			s.Keys = append(s.Keys, jose.JSONWebKey{Key: next.Public(), KeyID: "op-3"})
		}
	})
	h.pass(time.Minute)
	if _, err := h.launch(); err != nil {
		t.Errorf("a key published a moment ago: %v", err)
	}
	// An unknown id does not make us ask without end.
	h.op.with(func() { h.op.sign = func(c map[string]any) string { return signed(t, c, jose.ES384, next, "op-4") } })
	before := h.op.count("/keys")
	for range 5 {
		_, err := h.launch()
		mustBe(t, "unknown key", err, "refused", "id-token-key")
	}
	if asked := h.op.count("/keys") - before; asked > 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestResponseIssuer(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	h.op.metadata = func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }
	complete := func(iss string) error {
		redirect, err := h.BeginLaunch(ctx, h.from, h.op.URL+"/fhir", "launch-1", browser)
		if err != nil {
			t.Fatal(err)
		}
		code, state := h.op.authorize(redirect)
		_, err = h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Iss: iss, Browser: browser})
		return err
	}
	mustBe(t, "missing", complete(""), "refused", "iss-mismatch")
	mustBe(t, "another", complete("https://evil.example"), "refused", "iss-mismatch")
	if err := complete(h.op.URL + "/auth"); err != nil {
		t.Error(err)
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
