package sandbox_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func (r *rig) staffParams(extra url.Values) url.Values {
	params := url.Values{"response_type": {"code"}, "client_id": {staffID}, "redirect_uri": {r.app + "/sso/callback"}, "scope": {"openid profile email"},
		"state": {"s"}, "nonce": {"n"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}
	for name, values := range extra {
		params[name] = values
	}
	return params
}

func (r *rig) staffToken(code string) (int, map[string]any) {
	r.t.Helper()
	status, body, _ := r.call(r.staff(), "/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {r.app + "/sso/callback"}, "code_verifier": {verifier}},
		r.assertion(r.staff()+"/token", asClient(staffID)))
	return status, body
}

func TestStaffSignIn(t *testing.T) {
	r := newRig(t)
	for username, want := range map[string]struct{ role, fhirUser string }{
		"k.osei":   {"clinician", r.origin + "/fhir/Practitioner/prac-osei"},
		"n.okafor": {"scheduler", ""},
		"l.brandt": {"compliance", ""},
		"admin":    {"admin", ""},
	} {
		b := r.browser()
		page, response, _ := b.authorize(r.staff(), r.staffParams(nil))
		if response == nil || page.Path != "/login" {
			t.Fatalf("%s: no sign-in page at %s", username, page)
		}
		to, _, _ := b.follow(b.signIn(username, page.Query().Get("next")))
		status, body := r.staffToken(to.Query().Get("code"))
		if status != http.StatusOK {
			t.Fatalf("%s: %d %v", username, status, body)
		}
		claims := r.idClaims(r.staff(), body["id_token"].(string))
		fhirUser, _ := claims["fhirUser"].(string)
		roles, _ := claims["roles"].([]any)
		if claims["iss"] != r.staff() || claims["nonce"] != "n" || claims["sub"] == "" || claims["name"] == "" || !strings.Contains(claims["email"].(string), "@") ||
			len(roles) != 1 || roles[0] != want.role || fhirUser != want.fhirUser || claims["auth_time"] == nil || claims["acr"] == nil {
			t.Errorf("%s: %v", username, claims)
		}
		r.fhir(fhirRequest{path: "/Patient", token: body["access_token"].(string)}).want(t, http.StatusUnauthorized)
	}
}

func TestStaffStepUp(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("k.osei", "/")
	r.shift.Store(int64(10 * time.Minute))

	to, _, _ := b.authorize(r.staff(), r.staffParams(nil))
	_, body := r.staffToken(to.Query().Get("code"))
	old := r.idClaims(r.staff(), body["id_token"].(string))
	if old["acr"] != "urn:sandbox-hospital:acr:password" {
		t.Errorf("acr of a session = %v", old["acr"])
	}
	if to, _, _ := b.authorize(r.staff(), r.staffParams(url.Values{"max_age": {"3600"}})); to.Query().Get("code") == "" {
		t.Errorf("max_age that the session satisfies asked again: %s", to)
	}
	for name, extra := range map[string]url.Values{
		"max_age":      {"max_age": {"60"}},
		"prompt=login": {"prompt": {"login"}},
		"other user":   {"prompt": {"select_account"}},
		"acr_values":   {"acr_values": {"urn:sandbox-hospital:acr:fresh"}},
	} {
		t.Run(name, func(t *testing.T) {
			r.shift.Add(int64(10 * time.Minute))
			page, response, _ := b.authorize(r.staff(), r.staffParams(extra))
			if response == nil || page.Path != "/login" {
				t.Fatalf("not asked again: %s", page)
			}
			if again, response, _ := b.follow(b.origin + page.Query().Get("next")); response == nil || again.Path != "/login" {
				t.Fatalf("going on without the password: %s", again)
			}
			to, _, _ := b.follow(b.signIn("k.osei", page.Query().Get("next")))
			status, body := r.staffToken(to.Query().Get("code"))
			if status != http.StatusOK {
				t.Fatalf("%d %v", status, body)
			}
			claims := r.idClaims(r.staff(), body["id_token"].(string))
			if claims["acr"] != "urn:sandbox-hospital:acr:fresh" || claims["auth_time"].(float64) <= old["auth_time"].(float64) {
				t.Errorf("claims after step-up: %v", claims)
			}
		})
	}
	for _, session := range []bool{true, false} {
		someone := r.browser()
		if session {
			someone.signIn("k.osei", "/")
		}
		to, _, _ := someone.authorize(r.staff(), r.staffParams(url.Values{"prompt": {"none"}}))
		if got := to.Query().Get("error"); (got == "login_required") == session {
			t.Errorf("prompt=none with session %v: %s", session, to)
		}
	}
}

func TestStaffEndSession(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	b.signIn("n.okafor", "/")
	to, _, _ := b.authorize(r.staff(), r.staffParams(nil))
	_, body := r.staffToken(to.Query().Get("code"))
	hint := body["id_token"].(string)

	response, _ := b.get(r.staff() + "/end-session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {r.app + "/elsewhere"}}.Encode())
	if response.StatusCode != http.StatusBadRequest {
		t.Fatalf("an unregistered way back: %d", response.StatusCode)
	}
	// The application ends the session from the back, without the cookie of the browser.
	out, _ := r.browser().get(r.staff() + "/end-session?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {r.app + "/"}, "state": {"bye"}}.Encode())
	if out.StatusCode != http.StatusFound || out.Header.Get("Location") != r.app+"/?state=bye" {
		t.Fatalf("%d %s", out.StatusCode, out.Header.Get("Location"))
	}
	if page, response, _ := b.authorize(r.staff(), r.staffParams(nil)); response == nil || page.Path != "/login" {
		t.Errorf("the session is still there: %s", page)
	}
}

func TestSignInRefusals(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	for range 5 {
		response, page := b.post(r.origin+"/login", url.Values{"username": {"k.osei"}, "password": {"wrong"}})
		if response.StatusCode != http.StatusUnauthorized || !strings.Contains(page, "login-error") {
			t.Fatalf("status = %d", response.StatusCode)
		}
	}
	if response, _ := b.post(r.origin+"/login", url.Values{"username": {"k.osei"}, "password": {r.password("k.osei")}}); response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("guessing is not slowed down: %d", response.StatusCode)
	}
	r.shift.Store(int64(2 * time.Minute))
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example"} {
		if to := b.signIn("k.osei", next); to != r.origin+"/" {
			t.Errorf("next %q leads to %q", next, to)
		}
	}
	request, err := http.NewRequest(http.MethodPost, r.origin+"/faults", strings.NewReader("kind=5xx&match=*&times=1&delay_ms=0"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-site")
	if response, _ := b.do(request); response.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another origin was taken: %d", response.StatusCode)
	}
}
