package sandbox_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/televisit/televisit/cmd/dev/sandbox"
)

const (
	clientID  = "televisit"
	staffID   = "televisit-staff"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXkXxWyZ9w"
	allScopes = "launch launch/patient openid fhirUser profile online_access offline_access user/*.cruds patient/*.rs system/*.cruds"
)

// rig is a sandbox served over TLS, and an application with a key set.
type rig struct {
	t        *testing.T
	origin   string
	app      string
	sandbox  *sandbox.Server
	http     *http.Client
	shift    atomic.Int64 // added to the sandbox's clock, in nanoseconds
	ec       *ecdsa.PrivateKey
	rsa      *rsa.PrivateKey
	jwksHits atomic.Int64
	keySet   atomic.Pointer[jose.JSONWebKeySet]
}

func newRig(t *testing.T) *rig { return newRigIn(t, t.TempDir()) }

func newRigIn(t *testing.T, dir string) *rig {
	t.Helper()
	r := &rig{t: t}
	r.makeKeys()
	r.shareSigningKey(dir)
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/jwks.json" {
			r.jwksHits.Add(1)
			_ = json.NewEncoder(w).Encode(r.keySet.Load())
		}
	}))
	t.Cleanup(app.Close)
	r.app = app.URL
	roots := x509.NewCertPool()
	roots.AddCert(app.Certificate())

	web := httptest.NewUnstartedServer(nil)
	r.origin = "https://" + web.Listener.Addr().String()
	server, err := sandbox.New(sandbox.Config{
		Origin: r.origin, Data: dir, RootCAs: roots,
		Now: func() time.Time { return time.Now().Add(time.Duration(r.shift.Load())) },
		Clients: []sandbox.Client{
			{ClientID: clientID, Name: "Televisit", JWKSURI: r.app + "/jwks.json", LaunchURL: r.app + "/launch", RedirectURIs: []string{r.app + "/launch/callback"}, Scopes: allScopes},
			{ClientID: "other", Name: "Other", JWKSURI: r.app + "/jwks.json", LaunchURL: r.app + "/launch", RedirectURIs: []string{r.app + "/launch/callback"}, Scopes: "launch openid user/Patient.rs"},
			{ClientID: "resource-server", Name: "Resource server", JWKSURI: r.app + "/jwks.json", LaunchURL: r.app + "/launch", Introspects: true},
		},
		StaffClients: []sandbox.StaffClient{{ClientID: staffID, JWKSURI: r.app + "/jwks.json", RedirectURIs: []string{r.app + "/sso/callback"}, PostLogoutRedirectURIs: []string{r.app + "/"}}},
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	web.Config.Handler = server.Handler()
	web.StartTLS()
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	r.sandbox = server
	r.http = web.Client()
	r.http.CheckRedirect = noRedirect
	return r
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// rsaKey is made once: making one for every rig would be most of the time of the tests.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// shareSigningKey puts the same signing key into every data folder that has none. Package oauth tests how keys are made and kept.
func (r *rig) shareSigningKey(dir string) {
	key, err := rsaKey()
	if err != nil {
		r.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"signing-smart.pem", "signing-staff.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) makeKeys() {
	var err error
	if r.ec, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		r.t.Fatal(err)
	}
	if r.rsa, err = rsaKey(); err != nil {
		r.t.Fatal(err)
	}
	r.keySet.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &r.ec.PublicKey, KeyID: "ec-1", Algorithm: "ES384", Use: "sig"},
		{Key: &r.rsa.PublicKey, KeyID: "rsa-1", Algorithm: "RS384", Use: "sig"},
	}})
}

// browser is a user agent with cookies.
type browser struct {
	*rig
	client *http.Client
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{rig: r, client: &http.Client{Transport: r.http.Transport, Jar: jar, CheckRedirect: noRedirect}}
}

func (b *browser) do(request *http.Request) (*http.Response, string) {
	b.t.Helper()
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatalf("%s: %v", request.Method, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response, string(body)
}

func (b *browser) get(address string) (*http.Response, string) {
	b.t.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(request)
}

func (b *browser) post(address string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(request)
}

func (r *rig) password(username string) string {
	for _, user := range r.sandbox.Ready().Users {
		if user.Username == username {
			return user.Password
		}
	}
	r.t.Fatalf("no user %s", username)
	return ""
}

// signIn signs in and returns where the sign-in leads.
func (b *browser) signIn(username, next string) string {
	b.t.Helper()
	response, _ := b.post(b.origin+"/login", url.Values{"username": {username}, "password": {b.password(username)}, "next": {next}})
	if response.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("sign in: status %d", response.StatusCode)
	}
	return b.absolute(response.Header.Get("Location"))
}

func (b *browser) absolute(location string) string {
	if strings.HasPrefix(location, "/") {
		return b.origin + location
	}
	return location
}

// launch launches the application for an appointment and returns the launch parameter.
func (b *browser) launch(appointment, app string) string {
	b.t.Helper()
	response, _ := b.get(b.origin + "/launch/" + appointment + "?app=" + app)
	to, err := url.Parse(response.Header.Get("Location"))
	if err != nil || response.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("launch: status %d, %v", response.StatusCode, err)
	}
	if got := to.Query().Get("iss"); got != b.origin+"/fhir" {
		b.t.Fatalf("launch iss = %q", got)
	}
	return to.Query().Get("launch")
}

// anyAppointment returns today's first appointment of Dr. Osei and its patient.
func (r *rig) anyAppointment() (appointment, patient string) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		r.t.Fatal(err)
	}
	now := time.Now().Add(time.Duration(r.shift.Load())).In(zone)
	return "appt-" + now.Format("20060102") + "-osei-1", "pat-0001"
}

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorizeParams are those of a good SMART request; launch may be empty.
func (r *rig) authorizeParams(launch, scope string) url.Values {
	params := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {r.app + "/launch/callback"}, "scope": {scope},
		"state": {"state-123"}, "nonce": {"nonce-123"}, "aud": {r.origin + "/fhir"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}
	if launch != "" {
		params.Set("launch", launch)
	}
	return params
}

// authorize follows redirects until they leave the sandbox or a page is shown; it returns the address it stopped at.
func (b *browser) authorize(issuer string, params url.Values) (*url.URL, *http.Response, string) {
	b.t.Helper()
	return b.follow(issuer + "/authorize?" + params.Encode())
}

func (b *browser) follow(address string) (*url.URL, *http.Response, string) {
	b.t.Helper()
	for range 10 {
		if !strings.HasPrefix(address, b.origin) {
			to, err := url.Parse(address)
			if err != nil {
				b.t.Fatal(err)
			}
			return to, nil, ""
		}
		response, body := b.get(address)
		location := response.Header.Get("Location")
		if location == "" {
			return response.Request.URL, response, body
		}
		address = b.absolute(location)
	}
	b.t.Fatal("too many redirects")
	return nil, nil, ""
}

// assertionOptions are what a test may bend in a client assertion.
type assertionOptions struct {
	kid    string
	key    any
	alg    jose.SignatureAlgorithm
	claims map[string]any
}

func (r *rig) assertion(audience string, bend func(*assertionOptions)) string {
	r.t.Helper()
	o := assertionOptions{kid: "ec-1", key: r.ec, alg: jose.ES384, claims: map[string]any{"iss": clientID, "sub": clientID, "aud": audience,
		"exp": time.Now().Add(4 * time.Minute).Unix(), "iat": time.Now().Unix(), "jti": rand.Text()}}
	if bend != nil {
		bend(&o)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: o.alg, Key: o.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", o.kid))
	if err != nil {
		r.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(o.claims).Serialize()
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

func asClient(id string) func(*assertionOptions) {
	return func(o *assertionOptions) { o.claims["iss"], o.claims["sub"] = id, id }
}

// post sends a form to an endpoint of an authorization server with a client assertion.
func (r *rig) call(issuer, path string, form url.Values, assertion string) (int, map[string]any, http.Header) {
	r.t.Helper()
	form = maps.Clone(form)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	request, err := http.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body := map[string]any{}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &body); err != nil {
			r.t.Fatalf("%s: not JSON: %s", path, raw)
		}
	}
	return response.StatusCode, body, response.Header
}

func (r *rig) smart() string { return r.origin + "/auth" }
func (r *rig) staff() string { return r.origin + "/staff" }

func (r *rig) token(form url.Values) (int, map[string]any) {
	r.t.Helper()
	status, body, _ := r.call(r.smart(), "/token", form, r.assertion(r.smart()+"/token", nil))
	return status, body
}

func (r *rig) codeForm(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {r.app + "/launch/callback"}, "code_verifier": {verifier}}
}

// launched goes through a whole EHR launch and returns the token response.
func (b *browser) launched(username, scope string) map[string]any {
	b.t.Helper()
	b.signIn(username, "/")
	appointment, _ := b.anyAppointment()
	to, _, page := b.authorize(b.smart(), b.authorizeParams(b.launch(appointment, clientID), scope))
	code := to.Query().Get("code")
	if code == "" {
		b.t.Fatalf("no code at %s: %s", to, page)
	}
	status, body := b.token(b.codeForm(code))
	if status != http.StatusOK {
		b.t.Fatalf("token: %d %v", status, body)
	}
	return body
}

// system returns an access token of Backend Services.
func (r *rig) system(scope string) string {
	r.t.Helper()
	status, body := r.token(url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	if status != http.StatusOK {
		r.t.Fatalf("client credentials: %d %v", status, body)
	}
	return body["access_token"].(string)
}

// fhirRequest is a request to the FHIR server.
type fhirRequest struct {
	method, path, token, body string
	header                    map[string]string
}

type fhirResponse struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (r *rig) fhir(f fhirRequest) fhirResponse {
	r.t.Helper()
	if f.method == "" {
		f.method = http.MethodGet
	}
	request, err := http.NewRequest(f.method, r.origin+"/fhir"+f.path, strings.NewReader(f.body))
	if err != nil {
		r.t.Fatal(err)
	}
	if f.token != "" {
		request.Header.Set("Authorization", "Bearer "+f.token)
	}
	if f.body != "" {
		request.Header.Set("Content-Type", "application/fhir+json")
	}
	for name, value := range f.header {
		request.Header.Set(name, value)
	}
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	out := fhirResponse{status: response.StatusCode, header: response.Header, raw: raw}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			r.t.Fatalf("%s %s: not JSON: %s", f.method, f.path, raw)
		}
	}
	return out
}

// want fails unless the response has the status, and an OperationOutcome where it is an error.
func (f fhirResponse) want(t *testing.T, status int) fhirResponse {
	t.Helper()
	if f.status != status {
		t.Fatalf("status = %d; want %d: %s", f.status, status, f.raw)
	}
	if status >= 400 && f.body["resourceType"] != "OperationOutcome" {
		t.Fatalf("status %d without an OperationOutcome: %s", status, f.raw)
	}
	return f
}

func (f fhirResponse) entries() []map[string]any {
	var out []map[string]any
	list, _ := f.body["entry"].([]any)
	for _, item := range list {
		out = append(out, item.(map[string]any)["resource"].(map[string]any))
	}
	return out
}

func (f fhirResponse) link(relation string) string {
	list, _ := f.body["link"].([]any)
	for _, item := range list {
		if link := item.(map[string]any); link["relation"] == relation {
			return link["url"].(string)
		}
	}
	return ""
}
