package ssotest

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/cmd/dev/sandbox"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/migrations/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const cookie = "cookie-of-the-browser"

// world is a sandbox and a server that trusts it, both over TLS.
type world struct {
	*sso.SSO
	t       testing.TB
	sandbox *sandbox.Server
	origin  string // of the sandbox
	app     string // ours
	http    *http.Client
	db      *audit.DB
	people  *identity.People
	org     uuid.UUID
	from    identity.Caller
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{t: t, org: uuid.New(), from: identity.Caller{IP: netip.MustParseAddr("192.0.2.7")}}
	var published atomic.Pointer[[]byte]
	app := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write(*published.Load()) }))
	t.Cleanup(app.Close)
	w.app = app.URL
	w.startSandbox(app)

	db, err := audit.Open(ctx, testdb.New(t).AppURL, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	dir := t.TempDir()
	kek, err := keys.Open(ctx, keys.Config{File: filepath.Join(dir, "kek.json")})
	if err != nil {
		t.Fatal(err)
	}
	keyring := identity.NewKeyring(db, kek)
	if err := keyring.CreateOrganisation(ctx, w.org, "Sandbox Hospital", "America/New_York"); err != nil {
		t.Fatal(err)
	}
	signing, err := sso.LoadSigningKeys(filepath.Join(dir, "signing.json"))
	if err != nil {
		t.Fatal(err)
	}
	w.db, w.people = db, identity.NewPeople(db, keyring)
	w.SSO, err = sso.New(sso.Config{Origin: w.app, Home: w.org, Keys: signing, HTTP: w.http,
		EHRs: []sso.EHR{{Name: "sandbox", Org: w.org, Iss: w.origin + "/fhir", ClientID: "televisit",
			Scopes:        strings.Fields("launch openid fhirUser online_access user/Patient.rs user/Appointment.rs user/Encounter.cru user/DocumentReference.cr"),
			BackendScopes: strings.Fields("system/Patient.rs system/Appointment.rus system/DocumentReference.crus")}},
		SSO: []sso.Provider{{Name: "staff", Org: w.org, Issuer: w.origin + "/staff", ClientID: "televisit-staff"}},
	}, sso.Deps{DB: db, Keyring: keyring, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	jwks := w.JWKS()
	published.Store(&jwks)
	return w
}

func (w *world) startSandbox(app *httptest.Server) {
	w.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(app.Certificate())
	web := httptest.NewUnstartedServer(nil)
	w.origin = "https://" + web.Listener.Addr().String()
	server, err := sandbox.New(sandbox.Config{Origin: w.origin, Data: w.t.TempDir(), RootCAs: roots, Now: time.Now,
		Clients: []sandbox.Client{{ClientID: "televisit", Name: "Televisit", JWKSURI: w.app + "/.well-known/jwks.json", LaunchURL: w.app + "/launch",
			RedirectURIs: []string{w.app + "/launch/callback"},
			Scopes:       "launch openid fhirUser online_access user/Patient.rs user/Appointment.rs user/Encounter.cru user/DocumentReference.cr system/Patient.rs system/Appointment.rus system/DocumentReference.crus"}},
		StaffClients: []sandbox.StaffClient{{ClientID: "televisit-staff", JWKSURI: w.app + "/.well-known/jwks.json",
			RedirectURIs: []string{w.app + "/sso/callback"}, PostLogoutRedirectURIs: []string{w.app + "/"}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	web.Config.Handler = server.Handler()
	web.StartTLS()
	w.t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			w.t.Errorf("stop the sandbox: %v", err)
		}
	})
	w.sandbox, w.http = server, web.Client()
}

// browser is a person's user agent.
type browser struct {
	*world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{world: w, client: &http.Client{Transport: w.http.Transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// follow goes where redirects lead within the sandbox, signs username in when asked, and gives the address of ours that
// it is sent to at last.
func (b *browser) follow(address, username string) url.Values {
	b.t.Helper()
	for range 12 {
		to, err := url.Parse(address)
		if err != nil {
			b.t.Fatal(err)
		}
		if !strings.HasPrefix(address, b.origin) {
			return to.Query()
		}
		if to.Path == "/login" {
			address = b.signIn(username, to.Query().Get("next"))
			continue
		}
		response, err := b.client.Get(address)
		if err != nil {
			b.t.Fatal(err)
		}
		page, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if address = b.absolute(response.Header.Get("Location")); address == "" {
			b.t.Fatalf("a page instead of a redirect at %s: %s", to.Path, page)
		}
	}
	b.t.Fatal("too many redirects")
	return nil
}

func (b *browser) signIn(username, next string) string {
	b.t.Helper()
	password := ""
	for _, user := range b.sandbox.Ready().Users {
		if user.Username == username {
			password = user.Password
		}
	}
	response, err := b.client.PostForm(b.origin+"/login", url.Values{"username": {username}, "password": {password}, "next": {next}})
	if err != nil {
		b.t.Fatal(err)
	}
	response.Body.Close()
	return b.absolute(response.Header.Get("Location"))
}

func (b *browser) absolute(location string) string {
	if strings.HasPrefix(location, "/") {
		return b.origin + location
	}
	return location
}

// launch clicks in the chart and comes back with what the server makes of it.
func (b *browser) launch(username, from string) (sso.Result, error) {
	b.t.Helper()
	ctx := context.Background()
	b.signIn(username, "/")
	query := b.follow(b.origin+from+"?app=televisit", username)
	iss, launch, err := sso.ParseLaunch(query.Encode())
	if err != nil {
		b.t.Fatal(err)
	}
	redirect, err := b.BeginLaunch(ctx, b.from, iss, launch, cookie)
	if err != nil {
		return sso.Result{}, err
	}
	return b.complete(b.follow(redirect, username))
}

func (b *browser) login(username string) (sso.Result, error) {
	b.t.Helper()
	redirect, err := b.BeginLogin(context.Background(), b.from, "staff", "/worklist", cookie)
	if err != nil {
		return sso.Result{}, err
	}
	return b.complete(b.follow(redirect, username))
}

func (b *browser) complete(query url.Values) (sso.Result, error) {
	return b.Complete(context.Background(), b.from, sso.Callback{Code: query.Get("code"), State: query.Get("state"), Iss: query.Get("iss"),
		Error: query.Get("error"), Browser: cookie})
}

// appointment is today's first of Dr. Osei, with the patient pat-0001.
func (w *world) appointment() string {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		w.t.Fatal(err)
	}
	return "appt-" + time.Now().In(zone).Format("20060102") + "-osei-1"
}
