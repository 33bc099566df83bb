package sso_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/televisit/televisit/identity/sso"
)

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
