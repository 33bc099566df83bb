package sso_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

// op is an authorization server that can be told to misbehave. It checks what we send as a strict one would.
type op struct {
	*httptest.Server
	t   *testing.T
	now func() time.Time
	key *ecdsa.PrivateKey

	mu        sync.Mutex
	codes     map[string]url.Values // code -> the authorization request
	jtis      map[string]bool
	refresh   string         // the one refresh token that is good
	clientJWK func() []byte  // our published keys
	requests  map[string]int // path, or grant_type at the token endpoint
	lastForm  url.Values     // of the token endpoint
	algs      []string       // token_endpoint_auth_signing_alg_values_supported
	metadata  func(map[string]any)
	claims    func(map[string]any)
	answer    func(map[string]any)
	sign      func(map[string]any) string // replaces the id_token
	status    int                         // of the token endpoint, when set
	failure   string                      // its error code
	jwks      func(*jose.JSONWebKeySet)
}

func newOP(t *testing.T, now func() time.Time) *op {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &op{t: t, now: now, key: key, codes: map[string]url.Values{}, jtis: map[string]bool{}, requests: map[string]int{}, algs: []string{"ES384", "RS384"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fhir/.well-known/smart-configuration", o.discovery("/auth"))
	mux.HandleFunc("GET /staff/.well-known/openid-configuration", o.discovery("/staff"))
	mux.HandleFunc("GET /keys", o.serveKeys)
	mux.HandleFunc("POST /token", o.token)
	o.Server = httptest.NewTLSServer(mux)
	t.Cleanup(o.Close)
	return o
}

func (o *op) with(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *op) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests[what]
}

func (o *op) discovery(issuer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.requests[r.URL.Path]++
		m := map[string]any{"issuer": o.URL + issuer, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/keys",
			"code_challenge_methods_supported": []string{"S256"}, "capabilities": []string{"launch-ehr", "permission-v2"}, "end_session_endpoint": o.URL + "/logout"}
		if o.algs != nil {
			m["token_endpoint_auth_signing_alg_values_supported"] = o.algs
		}
		if o.metadata != nil {
			o.metadata(m)
		}
		_ = json.NewEncoder(w).Encode(m)
	}
}

func (o *op) serveKeys(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests["/keys"]++
	// The second key makes a token without a key id ambiguous.
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: o.key.Public(), KeyID: "op-1", Use: "sig"}, {Key: other.Public(), KeyID: "op-2", Use: "sig"}}}
	if o.jwks != nil {
		o.jwks(&set)
	}
	_ = json.NewEncoder(w).Encode(set)
}

// authorize plays the browser and the person: it follows the redirect and gives what comes back.
func (o *op) authorize(redirect string) (code, state string) {
	o.t.Helper()
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme+"://"+u.Host+u.Path != o.URL+"/authorize" {
		o.t.Fatalf("the redirect goes elsewhere: %s", redirect)
	}
	q := u.Query()
	for _, name := range []string{"client_id", "redirect_uri", "state", "nonce", "code_challenge", "scope"} {
		if q.Get(name) == "" {
			o.t.Errorf("the authorization request lacks %s", name)
		}
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("state")) < 43 {
		o.t.Errorf("authorization request: %v", q)
	}
	code = uuid.NewString()
	o.with(func() { o.codes[code] = q })
	return code, q.Get("state")
}

func (o *op) token(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		o.t.Error(err)
	}
	o.lastForm = r.PostForm
	grant := r.PostForm.Get("grant_type")
	o.requests[grant]++
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "CANARY"})
	}
	if o.status != 0 {
		refuse(o.status, o.failure)
		return
	}
	if problem := o.checkAssertion(r.PostForm); problem != "" {
		o.t.Errorf("client assertion: %s", problem)
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	answer := map[string]any{"access_token": uuid.NewString(), "token_type": "Bearer", "expires_in": 300}
	switch grant {
	case "authorization_code":
		request, ok := o.codes[r.PostForm.Get("code")]
		delete(o.codes, r.PostForm.Get("code"))
		challenge := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if !ok || base64.RawURLEncoding.EncodeToString(challenge[:]) != request.Get("code_challenge") || r.PostForm.Get("redirect_uri") != request.Get("redirect_uri") {
			refuse(http.StatusBadRequest, "invalid_grant")
			return
		}
		answer["id_token"], answer["scope"] = o.idToken(request), request.Get("scope")
		answer["refresh_token"] = o.nextRefresh()
	case "refresh_token":
		if r.PostForm.Get("refresh_token") != o.refresh {
			refuse(http.StatusBadRequest, "invalid_grant")
			return
		}
		answer["refresh_token"] = o.nextRefresh()
	case "client_credentials":
		answer["scope"] = r.PostForm.Get("scope")
	}
	if o.answer != nil {
		o.answer(answer)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (o *op) nextRefresh() string {
	o.refresh = uuid.NewString()
	return o.refresh
}

func (o *op) idToken(request url.Values) string {
	issuer := "/staff"
	if request.Get("aud") != "" {
		issuer = "/auth"
	}
	now := o.now()
	claims := map[string]any{"iss": o.URL + issuer, "sub": "user-1", "aud": request.Get("client_id"), "nonce": request.Get("nonce"), "name": "Dr CANARY",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": float64(now.Unix()) + 0.25,
		"fhirUser": o.URL + "/fhir/Practitioner/7", "roles": []string{"clinician", "unheard-of"}, "sid": "sid-1"}
	if o.claims != nil {
		o.claims(claims)
	}
	if o.sign != nil {
		return o.sign(claims)
	}
	return signed(o.t, claims, jose.ES256, o.key, "op-1")
}

func signed(t *testing.T, claims map[string]any, alg jose.SignatureAlgorithm, key any, kid string) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// checkAssertion applies SMART's rules for "Client Authentication: Asymmetric".
func (o *op) checkAssertion(form url.Values) string {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return "type"
	}
	token, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES384, jose.RS384})
	if err != nil {
		return err.Error()
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(o.clientJWK(), &set); err != nil {
		return err.Error()
	}
	keys := set.Key(token.Headers[0].KeyID)
	if len(keys) != 1 || !keys[0].IsPublic() || keys[0].Algorithm != token.Headers[0].Algorithm {
		return "key"
	}
	var c jwt.Claims
	if err := token.Claims(keys[0], &c); err != nil {
		return err.Error()
	}
	now := o.now()
	switch {
	case token.Headers[0].ExtraHeaders["typ"] != "JWT":
		return "typ"
	case c.Issuer != c.Subject || c.Issuer == "":
		return "iss and sub"
	case len(c.Audience) != 1 || c.Audience[0] != o.URL+"/token":
		return "aud"
	case c.Expiry == nil || c.Expiry.Time().After(now.Add(5*time.Minute)) || !c.Expiry.Time().After(now):
		return "exp"
	case c.ID == "" || o.jtis[c.ID]:
		return "jti"
	}
	o.jtis[c.ID] = true
	if len(o.algs) > 0 && o.algs[0] == "ES384" && token.Headers[0].Algorithm != "ES384" || len(o.algs) == 1 && token.Headers[0].Algorithm != o.algs[0] {
		return "alg"
	}
	return ""
}
