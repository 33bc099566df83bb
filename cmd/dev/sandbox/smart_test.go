package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// idClaims verifies an id_token against the issuer's key set.
func (r *rig) idClaims(issuer, idToken string) map[string]any {
	r.t.Helper()
	response, err := r.http.Get(issuer + "/keys")
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		r.t.Fatal(err)
	}
	token, err := jwt.ParseSigned(idToken, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		r.t.Fatal(err)
	}
	claims := map[string]any{}
	if err := token.Claims(set.Key(token.Headers[0].KeyID)[0].Key, &claims); err != nil {
		r.t.Fatalf("id_token: %v", err)
	}
	return claims
}

func TestEHRLaunch(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("k.osei", "/")
	appointment, patient := r.anyAppointment()
	to, _, page := b.authorize(r.smart(), r.authorizeParams(b.launch(appointment, clientID), "launch openid fhirUser online_access user/*.rs system/*.rs unknown"))
	if to.Query().Get("state") != "state-123" || to.Query().Get("code") == "" {
		t.Fatalf("callback = %s %s", to, page)
	}
	status, body, header := r.call(r.smart(), "/token", r.codeForm(to.Query().Get("code")), r.assertion(r.smart()+"/token", nil))
	if status != http.StatusOK {
		t.Fatalf("token: %d %v", status, body)
	}
	if header.Get("Cache-Control") != "no-store" || header.Get("Pragma") != "no-cache" {
		t.Errorf("token response may be cached: %v", header)
	}
	context, _ := json.Marshal(body["fhirContext"])
	if body["patient"] != patient || string(context) != `[{"reference":"Appointment/`+appointment+`"}]` || body["need_patient_banner"] != false ||
		body["tenant"] != "sandbox-hospital" || body["smart_style_url"] == nil || body["encounter"] != nil {
		t.Errorf("launch context: %v", body)
	}
	if got := body["scope"]; got != "launch openid fhirUser online_access user/*.rs" {
		t.Errorf("scope = %v", got)
	}
	if expires := body["expires_in"].(float64); expires > 3600 || expires < 60 {
		t.Errorf("expires_in = %v", expires)
	}
	claims := r.idClaims(r.smart(), body["id_token"].(string))
	if claims["iss"] != r.smart() || claims["nonce"] != "nonce-123" || claims["fhirUser"] != r.origin+"/fhir/Practitioner/prac-osei" || claims["sub"] != "u-osei" {
		t.Errorf("id_token: %v", claims)
	}
	r.fhir(fhirRequest{path: "/Patient/" + patient, token: body["access_token"].(string)}).want(t, http.StatusOK)

	encounter := `{"resourceType":"Encounter","status":"in-progress","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"VR"},"subject":{"reference":"Patient/` + patient + `"},"appointment":[{"reference":"Appointment/` + appointment + `"}]}`
	created := r.fhir(fhirRequest{method: "POST", path: "/Encounter", token: r.system("system/Encounter.c"), body: encounter}).want(t, http.StatusCreated)
	again := b.launched("k.osei", "launch openid user/*.rs")
	if again["encounter"] != created.body["id"] {
		t.Errorf("encounter = %v; want %v", again["encounter"], created.body["id"])
	}
}

func TestAuthorizeRefusals(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("k.osei", "/")
	appointment, _ := r.anyAppointment()
	tests := []struct {
		name     string
		bend     func(url.Values)
		redirect bool
		code     string
	}{
		{"other aud", func(v url.Values) { v.Set("aud", r.origin+"/fhir/") }, true, "invalid_request"},
		{"no aud", func(v url.Values) { v.Del("aud") }, true, "invalid_request"},
		{"no PKCE", func(v url.Values) { v.Del("code_challenge"); v.Del("code_challenge_method") }, true, "invalid_request"},
		{"plain PKCE", func(v url.Values) { v.Set("code_challenge_method", "plain") }, true, "invalid_request"},
		{"short challenge", func(v url.Values) { v.Set("code_challenge", "abc") }, true, "invalid_request"},
		{"no state", func(v url.Values) { v.Del("state") }, true, "invalid_request"},
		{"no launch", func(v url.Values) { v.Del("launch") }, true, "invalid_request"},
		{"unknown launch", func(v url.Values) { v.Set("launch", "nonsense") }, true, "invalid_request"},
		{"no scope left", func(v url.Values) { v.Set("scope", "nonsense") }, true, "invalid_scope"},
		{"longer redirect_uri", func(v url.Values) { v.Set("redirect_uri", r.app+"/launch/callback/x") }, false, "invalid_request"},
		{"redirect_uri with query", func(v url.Values) { v.Set("redirect_uri", r.app+"/launch/callback?x=1") }, false, "invalid_request"},
		{"unknown client", func(v url.Values) { v.Set("client_id", "nobody") }, false, "invalid_client"},
		{"token response", func(v url.Values) { v.Set("response_type", "token") }, false, "unauthorized_client"},
		{"id_token response", func(v url.Values) { v.Set("response_type", "id_token") }, false, "unauthorized_client"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			params := r.authorizeParams(b.launch(appointment, clientID), "launch openid user/*.rs")
			test.bend(params)
			to, _, page := b.authorize(r.smart(), params)
			if to.Query().Get("code") != "" {
				t.Fatalf("a code was given: %s", to)
			}
			if redirected := strings.HasPrefix(to.String(), r.app); redirected != test.redirect {
				t.Fatalf("redirected = %v: %s %s", redirected, to, page)
			}
			if test.redirect && to.Query().Get("error") != test.code {
				t.Errorf("error = %q; want %q", to.Query().Get("error"), test.code)
			}
			if !test.redirect && !strings.Contains(page, test.code) {
				t.Errorf("page = %s; want %q", page, test.code)
			}
		})
	}
}

func TestAuthorizeByPost(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("k.osei", "/")
	response, _ := b.post(r.smart()+"/authorize", r.authorizeParams("", "openid user/*.rs"))
	to, _, page := b.follow(b.absolute(response.Header.Get("Location")))
	if to.Query().Get("code") == "" {
		t.Errorf("no code at %s: %s", to, page)
	}
	params := r.authorizeParams("", "openid user/*.rs")
	params.Set("response_mode", "form_post")
	if _, response, page := b.authorize(r.smart(), params); response == nil || !strings.Contains(page, r.app+"/launch/callback") || !strings.Contains(page, "state-123") {
		t.Errorf("form_post: %s", page)
	}
}

func TestLaunchIsBoundAndUsedOnce(t *testing.T) {
	r := newRig(t)
	appointment, _ := r.anyAppointment()
	params := func(launch string) url.Values { return r.authorizeParams(launch, "launch openid user/*.rs") }
	osei := r.browser()
	osei.signIn("k.osei", "/")

	used := osei.launch(appointment, clientID)
	if to, _, _ := osei.authorize(r.smart(), params(used)); to.Query().Get("code") == "" {
		t.Fatalf("the first use failed: %s", to)
	}
	if to, _, _ := osei.authorize(r.smart(), params(used)); to.Query().Get("error") != "invalid_request" {
		t.Errorf("a launch worked twice: %s", to)
	}

	expired := osei.launch(appointment, clientID)
	r.shift.Store(int64(3 * time.Minute))
	if to, _, _ := osei.authorize(r.smart(), params(expired)); to.Query().Get("error") != "invalid_request" {
		t.Errorf("an expired launch worked: %s", to)
	}

	if to, _, _ := osei.authorize(r.smart(), params(osei.launch(appointment, "other"))); to.Query().Get("error") != "invalid_request" {
		t.Errorf("a launch of another client worked: %s", to)
	}

	haddad := r.browser()
	haddad.signIn("r.haddad", "/")
	if to, _, _ := haddad.authorize(r.smart(), params(osei.launch(appointment, clientID))); to.Query().Get("error") != "access_denied" {
		t.Errorf("another user's launch worked: %s", to)
	}
}

func TestRequestStaysInItsBrowser(t *testing.T) {
	r := newRig(t)
	attacker, victim := r.browser(), r.browser()
	victim.signIn("k.osei", "/")
	response, _ := attacker.get(r.smart() + "/authorize?" + r.authorizeParams("", "openid user/*.rs").Encode())
	onward := attacker.absolute(response.Header.Get("Location"))
	if to, response, _ := victim.follow(onward); response == nil || response.StatusCode != http.StatusBadRequest {
		t.Fatalf("a request begun elsewhere went on: %s", to)
	}
}

func TestCodeRefusals(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("k.osei", "/")
	code := func() string {
		to, _, page := b.authorize(r.smart(), r.authorizeParams("", "openid offline_access user/*.rs"))
		if to.Query().Get("code") == "" {
			t.Fatalf("no code: %s %s", to, page)
		}
		return to.Query().Get("code")
	}
	refused := func(name string, form url.Values, assertion string) {
		t.Helper()
		status, body, _ := r.call(r.smart(), "/token", form, assertion)
		if status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	own := func() string { return r.assertion(r.smart()+"/token", nil) }

	form := r.codeForm(code())
	form.Set("code_verifier", strings.Repeat("x", 50))
	refused("wrong verifier", form, own())
	form.Set("code_verifier", verifier)
	refused("the code after a wrong verifier", form, own())

	form = r.codeForm(code())
	form.Del("code_verifier")
	refused("no verifier", form, own())

	form = r.codeForm(code())
	form.Set("redirect_uri", r.app+"/other")
	refused("other redirect_uri", form, own())

	refused("another client's code", r.codeForm(code()), r.assertion(r.smart()+"/token", asClient("other")))

	late := r.codeForm(code())
	r.shift.Store(int64(2 * time.Minute))
	refused("expired code", late, own())

	form = r.codeForm(code())
	status, body := r.token(form)
	if status != http.StatusOK {
		t.Fatalf("token: %d %v", status, body)
	}
	access := body["access_token"].(string)
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: access}).want(t, http.StatusOK)
	refused("replayed code", form, own())
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: access}).want(t, http.StatusUnauthorized)
	refused("refresh after a replayed code", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {body["refresh_token"].(string)}}, own())
}

func TestClientAssertionRefusals(t *testing.T) {
	r := newRig(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}
	tests := []struct {
		name string
		bend func(*assertionOptions)
	}{
		{"strange key", func(o *assertionOptions) { o.key = stranger }},
		{"unknown kid", func(o *assertionOptions) { o.kid = "ec-9" }},
		{"kid of another type", func(o *assertionOptions) { o.kid = "rsa-1" }},
		{"RS256", func(o *assertionOptions) { o.kid, o.key, o.alg = "rsa-1", r.rsa, jose.RS256 }},
		{"HS384", func(o *assertionOptions) { o.key, o.alg = []byte(strings.Repeat("k", 48)), jose.HS384 }},
		{"aud is the issuer", func(o *assertionOptions) { o.claims["aud"] = r.smart() }},
		{"aud is the other server", func(o *assertionOptions) { o.claims["aud"] = r.staff() + "/token" }},
		{"sub is not iss", func(o *assertionOptions) { o.claims["sub"] = "other" }},
		{"unknown client", asClient("nobody")},
		{"no exp", func(o *assertionOptions) { delete(o.claims, "exp") }},
		{"expired", func(o *assertionOptions) { o.claims["exp"] = time.Now().Add(-time.Minute).Unix() }},
		{"exp far away", func(o *assertionOptions) { o.claims["exp"] = time.Now().Add(time.Hour).Unix() }},
		{"issued in the future", func(o *assertionOptions) { o.claims["iat"] = time.Now().Add(time.Hour).Unix() }},
		{"no jti", func(o *assertionOptions) { delete(o.claims, "jti") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body, _ := r.call(r.smart(), "/token", form, r.assertion(r.smart()+"/token", test.bend))
			if status != http.StatusUnauthorized || body["error"] != "invalid_client" || body["access_token"] != nil {
				t.Errorf("%d %v", status, body)
			}
		})
	}
	t.Run("replayed jti", func(t *testing.T) {
		once := r.assertion(r.smart()+"/token", nil)
		if status, body, _ := r.call(r.smart(), "/token", form, once); status != http.StatusOK {
			t.Fatalf("first use: %d %v", status, body)
		}
		if status, body, _ := r.call(r.smart(), "/token", form, once); status != http.StatusUnauthorized || body["error"] != "invalid_client" {
			t.Errorf("replay: %d %v", status, body)
		}
	})
	t.Run("RS384 works", func(t *testing.T) {
		status, body, _ := r.call(r.smart(), "/token", form, r.assertion(r.smart()+"/token", func(o *assertionOptions) { o.kid, o.key, o.alg = "rsa-1", r.rsa, jose.RS384 }))
		if status != http.StatusOK {
			t.Errorf("%d %v", status, body)
		}
	})
	t.Run("parameters in the query", func(t *testing.T) {
		status, body, _ := r.call(r.smart(), "/token?grant_type=client_credentials", form, r.assertion(r.smart()+"/token", nil))
		if status != http.StatusMethodNotAllowed || body["error"] != "invalid_request" {
			t.Errorf("%d %v", status, body)
		}
	})
	t.Run("no client authentication", func(t *testing.T) {
		response, err := r.http.PostForm(r.smart()+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "scope": {"system/*.rs"}})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("status = %d", response.StatusCode)
		}
	})
}

func TestKeySetIsCachedAndFetchedAgainForANewKey(t *testing.T) {
	r := newRig(t)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}
	for range 3 {
		r.system("system/*.rs")
	}
	if hits := r.jwksHits.Load(); hits != 1 {
		t.Fatalf("the key set was fetched %d times; want once", hits)
	}
	next, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.keySet.Store(&jose.JSONWebKeySet{Keys: append(r.keySet.Load().Keys, jose.JSONWebKey{Key: &next.PublicKey, KeyID: "ec-2", Algorithm: "ES384", Use: "sig"})})
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, body, _ := r.call(r.smart(), "/token", form, r.assertion(r.smart()+"/token", func(o *assertionOptions) { o.kid, o.key = "ec-2", next }))
		if status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new key is not taken: %d %v", status, body)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestBackendServices(t *testing.T) {
	r := newRig(t)
	status, body := r.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs user/*.cruds launch"}})
	if status != http.StatusOK || body["scope"] != "system/Patient.rs" || body["refresh_token"] != nil || body["id_token"] != nil {
		t.Fatalf("%d %v", status, body)
	}
	if expires := body["expires_in"].(float64); expires > 300 {
		t.Errorf("expires_in = %v", expires)
	}
	token := body["access_token"].(string)
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: token}).want(t, http.StatusOK)
	r.fhir(fhirRequest{path: "/Appointment?_count=1", token: token}).want(t, http.StatusForbidden)
	r.shift.Store(int64(6 * time.Minute))
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: token}).want(t, http.StatusUnauthorized)

	if status, body := r.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"user/*.rs"}}); status != http.StatusBadRequest || body["error"] != "invalid_scope" {
		t.Errorf("user scopes for a system: %d %v", status, body)
	}
}

func TestRefreshRotation(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	first := b.launched("k.osei", "launch openid online_access user/*.rs")
	refresh := func(token string) (int, map[string]any) {
		return r.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	status, second := refresh(first["refresh_token"].(string))
	if status != http.StatusOK || second["refresh_token"] == first["refresh_token"] || second["patient"] != first["patient"] || second["scope"] != first["scope"] {
		t.Fatalf("refresh: %d %v", status, second)
	}
	status, narrow := r.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {second["refresh_token"].(string)}, "scope": {"user/*.rs"}})
	if status != http.StatusOK || narrow["scope"] != "user/*.rs" {
		t.Fatalf("narrower refresh: %d %v", status, narrow)
	}
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: narrow["access_token"].(string)}).want(t, http.StatusOK)
	if status, body := refresh(first["refresh_token"].(string)); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		t.Fatalf("reuse: %d %v", status, body)
	}
	if status, _ := refresh(narrow["refresh_token"].(string)); status != http.StatusBadRequest {
		t.Error("the newest refresh token outlived the reuse of an older one")
	}
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: narrow["access_token"].(string)}).want(t, http.StatusUnauthorized)
}

func TestOnlineAccessEndsWithTheSession(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	online := b.launched("k.osei", "launch openid online_access user/*.rs")
	offline := b.launched("k.osei", "launch openid offline_access user/*.rs")
	// The second sign-in replaced the first session of the browser, so the first grant is over.
	if status, body := r.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {online["refresh_token"].(string)}}); status != http.StatusBadRequest {
		t.Errorf("online_access outlived its session: %d %v", status, body)
	}
	b.post(r.origin+"/logout", nil)
	if status, body := r.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {offline["refresh_token"].(string)}}); status != http.StatusOK {
		t.Errorf("offline_access ended with the session: %d %v", status, body)
	}
}

func TestIntrospectionAndRevocation(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	body := b.launched("k.osei", "launch openid fhirUser online_access user/*.rs")
	access, refresh := body["access_token"].(string), body["refresh_token"].(string)
	introspect := func(token string) map[string]any {
		t.Helper()
		status, answer, _ := r.call(r.smart(), "/introspect", url.Values{"token": {token}}, r.assertion(r.smart()+"/token", nil))
		if status != http.StatusOK {
			t.Fatalf("introspect: %d %v", status, answer)
		}
		return answer
	}
	answer := introspect(access)
	if answer["active"] != true || answer["client_id"] != clientID || answer["patient"] != body["patient"] || answer["sub"] != "u-osei" ||
		answer["iss"] != r.smart() || answer["scope"] != body["scope"] || answer["exp"] == nil || answer["fhirUser"] == nil {
		t.Errorf("introspection: %v", answer)
	}
	if _, other, _ := r.call(r.smart(), "/introspect", url.Values{"token": {access}}, r.assertion(r.smart()+"/token", asClient("other"))); other["active"] != false {
		t.Error("another client may introspect the token")
	}
	if _, other, _ := r.call(r.smart(), "/introspect", url.Values{"token": {access}}, r.assertion(r.smart()+"/token", asClient("resource-server"))); other["active"] != true || other["client_id"] != clientID {
		t.Errorf("a resource server is not told whose token it was shown: %v", other)
	}
	if status, _, _ := r.call(r.smart(), "/revoke", url.Values{"token": {access}}, r.assertion(r.smart()+"/token", nil)); status != http.StatusOK {
		t.Fatalf("revoke: %d", status)
	}
	r.fhir(fhirRequest{path: "/Patient?_count=1", token: access}).want(t, http.StatusUnauthorized)
	if introspect(refresh)["active"] != true {
		t.Error("revoking the access token ended the grant")
	}
	r.call(r.smart(), "/revoke", url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}}, r.assertion(r.smart()+"/token", nil))
	if got := introspect(refresh); got["active"] != false || len(got) != 1 {
		t.Errorf("after revocation: %v", got)
	}
}

func TestStandaloneLaunch(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	to, response, _ := b.authorize(r.smart(), r.authorizeParams("", "openid launch/patient patient/*.rs"))
	if response == nil || to.Path != "/login" {
		t.Fatalf("without a session there is no sign-in page: %s", to)
	}
	to, response, page := b.follow(b.signIn("k.osei", to.Query().Get("next")))
	if response == nil || to.Path != "/choose-patient" || !strings.Contains(page, `data-testid="choose-pat-0007"`) {
		t.Fatalf("no choice of patients: %s", to)
	}
	chosen, _ := b.post(r.origin+"/choose-patient", url.Values{"request": {to.Query().Get("request")}, "patient": {"pat-0007"}})
	callback, _, page := b.follow(b.absolute(chosen.Header.Get("Location")))
	status, body := r.token(r.codeForm(callback.Query().Get("code")))
	if status != http.StatusOK || body["patient"] != "pat-0007" || body["need_patient_banner"] != true {
		t.Fatalf("%d %v %s", status, body, page)
	}
	token := body["access_token"].(string)
	r.fhir(fhirRequest{path: "/Patient/pat-0007", token: token}).want(t, http.StatusOK)
	r.fhir(fhirRequest{path: "/Patient/pat-0008", token: token}).want(t, http.StatusNotFound)
	for _, patient := range r.fhir(fhirRequest{path: "/Patient", token: token}).want(t, http.StatusOK).entries() {
		if patient["id"] != "pat-0007" {
			t.Errorf("the search left the compartment: %v", patient["id"])
		}
	}
	r.fhir(fhirRequest{path: "/Practitioner/prac-osei", token: token}).want(t, http.StatusOK)
	r.fhir(fhirRequest{path: "/Appointment?_count=100", token: token}).want(t, http.StatusOK)
}
