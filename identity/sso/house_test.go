package sso_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/migrations/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const browser = "cookie-of-the-browser"

// house is the server's side on a real database, and an authorization server opposite.
type house struct {
	*sso.SSO
	op      *op
	db      *audit.DB
	keyring *identity.Keyring
	org     uuid.UUID
	from    identity.Caller
	config  sso.Config
	deps    sso.Deps
	log     *bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{org: uuid.New(), now: time.Now().UTC(), from: identity.Caller{IP: netip.MustParseAddr("192.0.2.7")}, log: &bytes.Buffer{}}
	h.op = newOP(t, h.clock)
	db, err := audit.Open(ctx, testdb.New(t).AppURL, h.clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	dir := t.TempDir()
	kek, err := keys.Open(ctx, keys.Config{File: filepath.Join(dir, "kek.json")})
	if err != nil {
		t.Fatal(err)
	}
	h.db, h.keyring = db, identity.NewKeyring(db, kek)
	if err := h.keyring.CreateOrganisation(ctx, h.org, "Clinic", ""); err != nil {
		t.Fatal(err)
	}
	signing, err := sso.LoadSigningKeys(filepath.Join(dir, "signing.json"))
	if err != nil {
		t.Fatal(err)
	}
	h.config = sso.Config{Origin: "https://visits.example", Home: h.org, Keys: signing, HTTP: h.op.Client(),
		EHRs: []sso.EHR{{Name: "chart", Org: h.org, Iss: h.op.URL + "/fhir", ClientID: "televisit", Scopes: []string{"launch", "openid", "fhirUser", "user/Patient.rs"},
			BackendClientID: "televisit-backend", BackendScopes: []string{"system/DocumentReference.cs"}}},
		SSO: []sso.Provider{{Name: "staff", Org: h.org, Issuer: h.op.URL + "/staff", ClientID: "televisit-staff"}}}
	h.deps = sso.Deps{DB: db, Keyring: h.keyring, Now: h.clock, Log: slog.New(slog.NewTextHandler(h.log, nil))}
	h.SSO, err = sso.New(h.config, h.deps)
	if err != nil {
		t.Fatal(err)
	}
	h.op.clientJWK = h.JWKS
	return h
}

// launch runs a whole EHR launch.
func (h *house) launch() (sso.Result, error) {
	redirect, err := h.BeginLaunch(context.Background(), h.from, h.op.URL+"/fhir", "launch-1", browser)
	if err != nil {
		return sso.Result{}, err
	}
	code, state := h.op.authorize(redirect)
	return h.Complete(context.Background(), h.from, sso.Callback{Code: code, State: state, Browser: browser})
}

// login runs a whole sign-in of staff.
func (h *house) login() (sso.Result, error) {
	redirect, err := h.BeginLogin(context.Background(), h.from, "staff", "/worklist?day=1", browser)
	if err != nil {
		return sso.Result{}, err
	}
	code, state := h.op.authorize(redirect)
	return h.Complete(context.Background(), h.from, sso.Callback{Code: code, State: state, Browser: browser})
}

// failures gives "outcome code" of the newest failed sign-ins in the trail, newest first.
func (h *house) failures(t *testing.T) []string {
	t.Helper()
	rows, err := h.db.Search(context.Background(), audit.SystemActor(h.org), audit.Filter{Action: "login.failed"})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range rows {
		if r.IP == nil {
			t.Error("a failed sign-in without an address in the trail")
		}
		_, code, _ := strings.Cut(string(r.Detail), `"code": "`)
		code, _, _ = strings.Cut(code, `"`)
		found = append(found, r.Outcome+" "+code)
	}
	return found
}

func (h *house) clinician(t *testing.T) (uuid.UUID, audit.Actor) {
	t.Helper()
	id, err := identity.NewPeople(h.db, h.keyring).SaveStaff(context.Background(), audit.SystemActor(h.org),
		identity.Staff{Roles: []identity.Role{identity.Clinician}, Name: phi.NewText("Dr A"), Active: true})
	if err != nil {
		t.Fatal(err)
	}
	return id, audit.Actor{Org: h.org, Kind: audit.Staff, ID: id, IP: h.from.IP}
}

// mustBe checks an error's code and kind, and that nothing of the other side's words reaches people or logs.
func mustBe(t *testing.T, name string, err error, outcome, code string) {
	t.Helper()
	var refused *sso.Refused
	var failed *sso.Failed
	got, safe := "nothing", ""
	switch {
	case errors.As(err, &refused):
		got, safe = "refused "+refused.Code(), refused.Safe()
	case errors.As(err, &failed):
		got, safe = "failure "+failed.Code(), failed.Safe()
	}
	if got != outcome+" "+code {
		t.Errorf("%s: %s (%v), want %s %s", name, got, err, outcome, code)
	}
	if err != nil && strings.Contains(err.Error()+safe, "CANARY") {
		t.Errorf("%s: the error repeats what it was told: %v", name, err)
	}
	if strings.Contains(safe, "http") {
		t.Errorf("%s: a person is shown an address: %s", name, safe)
	}
}
