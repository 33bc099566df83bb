package fhirapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/api/fhirapi"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const (
	origin   = "https://visits.hospital.example"
	ehrBase  = "https://ehr.example/fhir"
	fullName = "Canary-Ana López"
)

// house is the FHIR API on a real database with the real scheduling behind it.
type house struct {
	t                  *testing.T
	org                uuid.UUID
	db                 *audit.DB
	engine             http.Handler
	log                *bytes.Buffer
	patient, clinician uuid.UUID
	otherPatient       uuid.UUID
	visits             *scheduling.Service
	sessions           sessions
}

// tokens stands for the issuers: which scopes a token carries is all that this package cares about.
type tokens struct{ org, foreign uuid.UUID }

func (v tokens) Verify(_ context.Context, token string) (identity.Principal, []string, error) {
	scopes, ok := strings.CutPrefix(token, "scopes:")
	org := v.org
	if foreign, is := strings.CutPrefix(token, "foreign:"); is {
		scopes, ok, org = foreign, true, v.foreign
	}
	if token == "issuer-down" {
		return identity.Principal{}, nil, context.DeadlineExceeded
	}
	if !ok {
		return identity.Principal{}, nil, errors.New("unknown token")
	}
	return identity.Principal{Org: org, Participant: uuid.MustParse("7a9d3f10-0c1e-4f4e-b7d4-4f1f3d4f8e99"), Roles: []identity.Role{identity.Client}}, strings.Fields(scopes), nil
}

type sessions map[string]identity.Principal

func (s sessions) Peek(ctx context.Context, cookie string) (identity.Principal, error) {
	return s.Lookup(ctx, cookie)
}

func (s sessions) Lookup(_ context.Context, cookie string) (identity.Principal, error) {
	if p, ok := s[cookie]; ok {
		return p, nil
	}
	return identity.Principal{}, errors.New("no session")
}

type noPages struct{ t *testing.T }

func (n noPages) Problem(*gin.Context, api.Problem) { n.t.Error("a page was shown to a FHIR client") }

func (n noPages) Sentence(*gin.Context, api.Problem) string {
	n.t.Error("a script's sentence was told to a FHIR client")
	return ""
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ctx, database := t.Context(), testdb.New(t)
	h := &house{t: t, org: uuid.New(), log: &bytes.Buffer{}, sessions: sessions{}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	db := ok[*audit.DB](t)(audit.Open(ctx, database.AppURL, time.Now, log))
	t.Cleanup(db.Close)
	h.db = db
	if err := job.Migrate(ctx, database.OwnerURL); err != nil {
		t.Fatal(err)
	}
	queue := ok[*job.Client](t)(job.Open(ctx, job.Config{URL: database.AppURL, Now: time.Now, Log: log}))
	t.Cleanup(queue.Close)
	k := ok[*keys.Keys](t)(keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek.json")}))
	ring, foreign := identity.NewKeyring(db, k), uuid.New()
	for _, org := range []uuid.UUID{h.org, foreign} {
		if err := ring.CreateOrganisation(ctx, org, "General Hospital", "America/New_York"); err != nil {
			t.Fatal(err)
		}
	}
	people := identity.NewPeople(db, ring)
	h.visits = scheduling.New(scheduling.Config{DB: db, Sealers: ring, Jobs: queue, Now: time.Now})
	h.people(people)
	charts := &fhirapi.Charts{
		Bases:    func(uuid.UUID) map[string]string { return map[string]string{ehrBase: "ehr"} },
		Patients: h.visits, People: people,
		Fetch: func(context.Context, audit.Actor, string, phi.Text) (uuid.UUID, error) {
			return uuid.Nil, fhirapi.ErrUnknownReference
		},
	}
	server := fhirapi.New(fhirapi.Config{Origin: origin, Version: "test", Built: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Verifier: tokens{h.org, foreign}, Sessions: h.sessions,
		Visits: h.visits, Staff: people, Directory: charts, DB: db, Sealers: ring})
	h.engine = ok[*api.Engine](t)(api.New(api.Deps{Origin: origin, Sessions: h.sessions, Trail: db, Pages: noPages{t}, Metrics: prometheus.NewRegistry(), Now: time.Now, Log: log}, server))
	return h
}

func (h *house) people(people *identity.People) {
	h.t.Helper()
	ctx, system := h.t.Context(), audit.SystemActor(h.org)
	born := ok[phi.Date](h.t)(phi.ParseDate("1988-02-29"))
	save := func(ref, name string) uuid.UUID {
		return ok[uuid.UUID](h.t)(h.visits.SavePatient(ctx, system, scheduling.Patient{EHR: "ehr", Reference: phi.NewText(ref), Name: phi.NewText(name), BirthDate: born, Language: "es"}))
	}
	h.patient, h.otherPatient = save("Patient/1", fullName), save("Patient/2", "Canary-Bob Other")
	h.clinician = ok[uuid.UUID](h.t)(people.SaveStaff(ctx, system, identity.Staff{Org: h.org, Roles: []identity.Role{identity.Clinician}, Name: phi.NewText("Dr. Rosa Vega"),
		TimeZone: "America/New_York", PractitionerEHR: "ehr", Practitioner: phi.NewText("Practitioner/9"), Active: true}))
}

// ok fails the test on an error.
func ok[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// request is one call of a client.
type request struct {
	method, path, body string
	token              string // after "Bearer "; "" for none
	header             map[string]string
	cookie             string
}

const everything = "scopes:system/*.cruds"

func (h *house) do(r request) *response {
	h.t.Helper()
	req := httptest.NewRequest(r.method, origin+r.path, strings.NewReader(r.body))
	switch r.method {
	case http.MethodPost, http.MethodPut:
		req.Header.Set("Content-Type", "application/fhir+json")
	case http.MethodPatch:
		req.Header.Set("Content-Type", "application/json-patch+json")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: r.cookie})
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	h.engine.ServeHTTP(recorder, req)
	raw, err := io.ReadAll(recorder.Result().Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return &response{t: h.t, status: recorder.Code, header: recorder.Header(), raw: raw}
}

type response struct {
	t      *testing.T
	status int
	header http.Header
	raw    []byte
}

// json is the body, which must be a FHIR resource of the type.
func (r *response) json(resourceType string) map[string]any {
	r.t.Helper()
	var out map[string]any
	if err := json.Unmarshal(r.raw, &out); err != nil || out["resourceType"] != resourceType {
		r.t.Fatalf("status %d, body is no %s: %s", r.status, resourceType, r.raw)
	}
	if err := fhir.Strict(r.raw); err != nil {
		r.t.Errorf("%v in %s", err, r.raw)
	}
	return out
}

// refused checks status and that the body is an OperationOutcome without anything of the patient.
func (r *response) refused(status int) {
	r.t.Helper()
	r.json("OperationOutcome")
	if r.status != status {
		r.t.Errorf("status %d, want %d: %s", r.status, status, r.raw)
	}
	for _, secret := range []string{"Canary", "canary"} {
		if bytes.Contains(r.raw, []byte(secret)) {
			r.t.Errorf("the outcome repeats what was sent: %s", r.raw)
		}
	}
}
