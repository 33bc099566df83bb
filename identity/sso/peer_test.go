package sso_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/sso"
)

// again makes an SSO with an empty memory, as after a restart.
func (h *house) again(t *testing.T) {
	t.Helper()
	fresh, err := sso.New(h.config, h.deps)
	if err != nil {
		t.Fatal(err)
	}
	h.SSO = fresh
}

func TestMetadataThatCannotBeUsed(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	set := func(name string, value any) func(map[string]any) { return func(m map[string]any) { m[name] = value } }
	for name, tc := range map[string]struct {
		change func(map[string]any)
		sso    bool
	}{
		"no issuer":              {change: set("issuer", "")},
		"no token endpoint":      {change: set("token_endpoint", "")},
		"no keys":                {change: set("jwks_uri", nil)},
		"plain http":             {change: set("token_endpoint", "http://ehr.example/token")},
		"with a user":            {change: set("jwks_uri", "https://user@ehr.example/keys")},
		"another scheme":         {change: set("authorization_endpoint", "javascript:alert(1)")},
		"only plain PKCE":        {change: set("code_challenge_methods_supported", []string{"plain"})},
		"another type":           {change: set("issuer", 7)},
		"huge":                   {change: set("x", strings.Repeat("x", 2<<20))},
		"another issuer for SSO": {change: set("issuer", h.op.URL+"/staff/"), sso: true},
	} {
		h.again(t)
		h.op.with(func() { h.op.metadata = tc.change })
		var err error
		if tc.sso {
			_, err = h.login()
		} else {
			_, err = h.launch()
		}
		mustBe(t, name, err, "failure", "bad-metadata")
	}
	h.again(t)
	h.op.with(func() {
		h.op.metadata = func(m map[string]any) {
			m["token_endpoint"], m["jwks_uri"], m["authorization_endpoint"] = "../token", "/keys", h.op.URL+"/authorize"
		}
	})
	if _, err := h.launch(); err != nil {
		t.Errorf("relative addresses: %v", err)
	}
	// What was known serves while the EHR's metadata are broken, and what follows is fetched when it is well again.
	h.op.with(func() { h.op.metadata = set("issuer", "") })
	h.pass(2 * time.Hour)
	if _, err := h.launch(); err != nil {
		t.Errorf("with what was known: %v", err)
	}
	if err := h.Warm(ctx); err == nil {
		t.Error("warming did not tell of the broken metadata")
	}
	h.op.with(func() { h.op.metadata = nil })
	if err := h.Warm(ctx); err != nil {
		t.Error(err)
	}
}

func TestRedirectsStayAtHome(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	reached := 0
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer elsewhere.Close()
	bouncing := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer bouncing.Close()
	h.config.EHRs = append(h.config.EHRs, sso.EHR{Name: "bouncing", Org: h.org, Iss: bouncing.URL + "/fhir", ClientID: "c"})
	h.again(t)
	_, err := h.BeginLaunch(ctx, h.from, bouncing.URL+"/fhir", "l", browser)
	mustBe(t, "discovery", err, "failure", "unreachable")
	h.op.with(func() { h.op.metadata = func(m map[string]any) { m["token_endpoint"] = bouncing.URL + "/token" } })
	_, err = h.launch()
	mustBe(t, "token", err, "failure", "unreachable")
	if reached != 0 {
		t.Error("the redirect was followed")
	}
}

func TestTokenEndpointThatFails(t *testing.T) {
	h := newHouse(t)
	for name, tc := range map[string]struct {
		status int
		code   string
		want   string
	}{
		"down": {503, "", "unreachable"}, "too many": {429, "", "unreachable"}, "client": {401, "invalid_client", "invalid-client"},
		"code": {400, "invalid_grant", "invalid-grant"}, "other": {400, "CANARY", "bad-token-response"}, "no content": {204, "", "bad-token-response"},
	} {
		h.op.with(func() { h.op.status, h.op.failure = tc.status, tc.code })
		_, err := h.launch()
		mustBe(t, name, err, "failure", tc.want)
	}
	h.op.with(func() { h.op.status = 0 })
	for name, tc := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"no access token":    {func(a map[string]any) { delete(a, "access_token") }, "bad-token-response"},
		"no id_token":        {func(a map[string]any) { delete(a, "id_token") }, "bad-token-response"},
		"another token type": {func(a map[string]any) { a["token_type"] = "mac" }, "bad-token-response"},
		"a negative age":     {func(a map[string]any) { a["expires_in"] = -1 }, "bad-token-response"},
		"a patient's path":   {func(a map[string]any) { a["patient"] = "../Patient/1" }, "bad-context"},
		"a patient's URL":    {func(a map[string]any) { a["patient"] = "https://evil.example/Patient/1" }, "bad-context"},
	} {
		h.op.with(func() { h.op.answer = tc.change })
		_, err := h.launch()
		mustBe(t, name, err, "failure", tc.want)
	}
	for name, change := range map[string]func(map[string]any){
		"an age as text":     func(a map[string]any) { a["expires_in"] = "300" },
		"no age":             func(a map[string]any) { delete(a, "expires_in") },
		"lower case":         func(a map[string]any) { a["token_type"] = "bearer" },
		"a full reference":   func(a map[string]any) { a["patient"] = "Patient/1" },
		"a style over http":  func(a map[string]any) { a["smart_style_url"] = "http://x.example/style.json" },
		"the banner as text": func(a map[string]any) { a["need_patient_banner"] = "true" },
	} {
		h.op.with(func() { h.op.answer = change })
		r, err := h.launch()
		if err != nil || r.Context.StyleURL != "" || !r.Context.NeedPatientBanner || !r.Grant.ExpiresAt.After(h.clock().Add(4*time.Minute)) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestClientAlgorithms(t *testing.T) {
	h := newHouse(t)
	for _, algs := range [][]string{{"ES384"}, {"RS384"}, {"RS256", "RS384"}, nil} {
		h.again(t)
		h.op.with(func() { h.op.algs = algs })
		if _, err := h.launch(); err != nil {
			t.Errorf("%v: %v", algs, err)
		}
	}
	h.again(t)
	h.op.with(func() { h.op.algs = []string{"PS512"} })
	_, err := h.launch()
	mustBe(t, "none of ours", err, "failure", "bad-metadata")
}

func TestScopesOfAnOlderServer(t *testing.T) {
	h := newHouse(t)
	h.config.EHRs[0].Scopes = []string{"launch", "openid", "fhirUser", "user/Patient.rs", "user/DocumentReference.cs?category=clinical-note", "user/Encounter.u", "user/*.read"}
	h.again(t)
	h.op.metadata = func(m map[string]any) { m["capabilities"] = []string{"launch-ehr", "permission-user"} }
	r, err := h.launch()
	if err != nil {
		t.Fatal(err)
	}
	const want = "launch openid fhirUser user/Patient.read user/DocumentReference.read user/DocumentReference.write user/Encounter.write user/*.read"
	if got := strings.Join(r.Grant.Scopes, " "); got != want {
		t.Errorf("asked for %s", got)
	}
}

func TestSeveralEHRsAndOrganisations(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	other := newHouse(t)
	otherOrg := uuid.New()
	if err := h.keyring.CreateOrganisation(ctx, otherOrg, "Other", ""); err != nil {
		t.Fatal(err)
	}
	h.config.HTTP.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(other.op.Certificate())
	h.config.EHRs = append(h.config.EHRs, sso.EHR{Name: "other chart", Org: otherOrg, Iss: other.op.URL + "/fhir", ClientID: "c2", Scopes: []string{"launch", "openid"}})
	h.again(t)
	other.op.clientJWK = h.JWKS
	redirect, err := h.BeginLaunch(ctx, h.from, other.op.URL+"/fhir", "l", browser)
	if err != nil {
		t.Fatal(err)
	}
	code, state := other.op.authorize(redirect)
	r, err := h.Complete(ctx, h.from, sso.Callback{Code: code, State: state, Browser: browser})
	if err != nil || r.Org != otherOrg || r.EHR != "other chart" || r.Issuer != other.op.URL+"/auth" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := h.launch(); err != nil || r.Org != h.org {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConfigurationThatIsWrong(t *testing.T) {
	h := newHouse(t)
	for name, change := range map[string]func(*sso.Config){
		"origin over http": func(c *sso.Config) { c.Origin = "http://visits.example" },
		"no home":          func(c *sso.Config) { c.Home = uuid.Nil },
		"no keys":          func(c *sso.Config) { c.Keys = nil },
		"EHR over http": func(c *sso.Config) {
			c.EHRs = []sso.EHR{{Name: "a", Org: h.org, Iss: "http://ehr.example", ClientID: "c"}}
		},
		"EHR with a query": func(c *sso.Config) {
			c.EHRs = []sso.EHR{{Name: "a", Org: h.org, Iss: "https://e.example/?a", ClientID: "c"}}
		},
		"no client id":      func(c *sso.Config) { c.SSO[0].ClientID = "" },
		"one name twice":    func(c *sso.Config) { c.SSO[0].Name = "chart" },
		"one address twice": func(c *sso.Config) { c.EHRs = append(c.EHRs, c.EHRs[0]); c.EHRs[1].Name = "b" },
	} {
		c := h.config
		c.SSO = append([]sso.Provider(nil), h.config.SSO...)
		change(&c)
		if _, err := sso.New(c, h.deps); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestSigningKeysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signing.json")
	made := make([]*sso.SigningKeys, 3)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			k, err := sso.LoadSigningKeys(path)
			if err != nil {
				t.Error(err)
			}
			made[i] = k
		})
	}
	wg.Wait()
	public := func(k *sso.SigningKeys) string { return string(k.Public()) }
	if public(made[0]) != public(made[1]) || public(made[1]) != public(made[2]) {
		t.Error("processes that start together have different keys")
	}
	if p := public(made[0]); strings.Contains(p, `"d"`) || strings.Contains(p, `"p"`) || !strings.Contains(p, `"ES384"`) || !strings.Contains(p, `"RS384"`) {
		t.Errorf("published: %s", p)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := sso.LoadSigningKeys(path); err == nil {
		t.Error("a file that others can read was taken")
	}
	for name, content := range map[string]string{"noise": "noise", "empty": `{"keys":[]}`, "public": public(made[0])} {
		bad := filepath.Join(t.TempDir(), "bad.json")
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sso.LoadSigningKeys(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
