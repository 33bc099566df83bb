package delivertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
	"github.com/televisit/televisit/cmd/dev/sandbox/seed"
	"github.com/televisit/televisit/fhir/deliver"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(childEnv); config != "" {
		childMain(config)
		return
	}
	testdb.Main(m)
}

// hospital is the sandbox's FHIR server over TLS. Only how it knows a token is the test's.
type hospital struct {
	*httptest.Server
	store  *fhirserver.Store
	faults *faults.Set
	tokens *tokens
	posts  chan string // resource type of each write as it comes in
}

// tokens is the authorization server and, on the client's side, the memory of the token that it gave.
type tokens struct {
	mu    sync.Mutex
	valid string
	known string
	given int
}

func (k *tokens) Access(r *http.Request) (fhirserver.Access, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.valid == "" || r.Header.Get("Authorization") != "Bearer "+k.valid {
		return fhirserver.Access{}, errors.New("no such token")
	}
	return fhirserver.Access{Client: "televisit", Scopes: scope.ParseSet([]string{"system/*.cruds"})}, nil
}

func (k *tokens) Revoke(*http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.valid = ""
}

func (k *tokens) GrantToken(context.Context, uuid.UUID, uuid.UUID) (string, time.Time, error) {
	return "", time.Time{}, errors.New("there is no grant")
}

func (k *tokens) BackendToken(context.Context, string) (string, time.Time, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == "" {
		k.known = uuid.NewString()
		k.valid = k.known
		k.given++
	}
	return k.known, time.Now().Add(time.Hour), nil
}

func (k *tokens) ForgetBackendToken(string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known = ""
}

func openHospital(t *testing.T) *hospital {
	t.Helper()
	h := &hospital{faults: faults.New(), tokens: &tokens{}, posts: make(chan string, 1000)}
	store, err := fhirserver.OpenStore(filepath.Join(t.TempDir(), "journal"), time.Now)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	h.store = store
	must(t, seed.Load(store))
	h.Server = httptest.NewUnstartedServer(nil)
	h.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it panics on purpose to lose answers
	h.StartTLS()
	t.Cleanup(h.Close)
	server := fhirserver.New(fhirserver.Config{Base: h.URL + "/fhir", Store: store, Authorizer: h.tokens, Faults: h.faults, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	stripped := http.StripPrefix("/fhir", server)
	h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "_search")) || r.Method == http.MethodPut {
			h.posts <- strings.Split(strings.TrimPrefix(r.URL.Path, "/fhir/"), "/")[0]
		}
		stripped.ServeHTTP(w, r)
	})
	return h
}

// chart is what the hospital holds of a type that we wrote, by its newest version.
func (h *hospital) chart(resourceType string) []map[string]any {
	newest := map[string][]byte{}
	var order []string
	for _, v := range h.store.Received(resourceType) {
		if _, known := newest[v.ID]; !known {
			order = append(order, v.ID)
		}
		newest[v.ID] = v.Raw
	}
	var out []map[string]any
	for _, id := range order {
		var resource map[string]any
		if json.Unmarshal(newest[id], &resource) == nil {
			out = append(out, resource)
		}
	}
	return out
}

// clinic is our side: real database, scheduling, notes and the worker.
type clinic struct {
	t         *testing.T
	hospital  *hospital
	database  testdb.Database
	kek       string
	db        *audit.DB
	ring      *identity.Keyring
	visits    *scheduling.Service
	notes     *note.Service
	worker    *deliver.Worker
	queue     *job.Client
	org       uuid.UUID
	clinician audit.Actor
	patient   uuid.UUID
	key       *ecdsa.PrivateKey
}

func openClinic(t *testing.T) *clinic {
	t.Helper()
	ctx := t.Context()
	c := &clinic{t: t, hospital: openHospital(t), database: testdb.New(t), kek: filepath.Join(t.TempDir(), "kek"), org: uuid.New()}
	must(t, job.Migrate(ctx, c.database.OwnerURL))
	var err error
	c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	closing := c.connect(ctx)
	t.Cleanup(closing)
	must(t, c.ring.CreateOrganisation(ctx, c.org, "Sandbox Hospital", "America/New_York"))
	id, err := identity.NewPeople(c.db, c.ring).SaveStaff(ctx, audit.SystemActor(c.org), identity.Staff{Org: c.org, Roles: []identity.Role{identity.Clinician},
		Name: phi.NewText("Dr. Kwame Osei"), TimeZone: "America/New_York", PractitionerEHR: "sandbox", Practitioner: phi.NewText("Practitioner/prac-osei"), Active: true})
	must(t, err)
	c.clinician = audit.Actor{Org: c.org, Kind: audit.Staff, ID: id, Roles: []string{"clinician"}, IP: netip.MustParseAddr("192.0.2.7")}
	born, err := phi.ParseDate("1992-03-12")
	must(t, err)
	c.patient, err = c.visits.SavePatient(ctx, audit.SystemActor(c.org), scheduling.Patient{EHR: "sandbox", Reference: phi.NewText("Patient/" + firstPatient),
		Name: phi.NewText("Ana Ruiz"), BirthDate: born, Language: "es"})
	must(t, err)
	c.worker = deliver.New(c.config(c.charts(c.hospital.Client(), c.hospital.URL+"/fhir", deliver.VendorProfile("generic"))))
	return c
}

// connect opens all that a process of the server has.
func (c *clinic) connect(ctx context.Context) (closing func()) {
	log := slog.New(slog.DiscardHandler)
	var err error
	c.db, err = audit.Open(ctx, c.database.AppURL, time.Now, log)
	must(c.t, err)
	c.queue, err = job.Open(ctx, job.Config{URL: c.database.AppURL, Now: time.Now, Log: log})
	must(c.t, err)
	kek, err := keys.Open(ctx, keys.Config{File: c.kek})
	must(c.t, err)
	c.ring = identity.NewKeyring(c.db, kek)
	c.visits = scheduling.New(scheduling.Config{DB: c.db, Sealers: c.ring, Jobs: c.queue, Keys: kek, Now: time.Now})
	c.notes = note.New(note.Config{DB: c.db, Sealers: c.ring, Visits: c.visits, RecordingURL: recordingURL,
		SigningKey: func(context.Context, uuid.UUID) (note.SigningKey, error) {
			return note.SigningKey{ID: "k1", Key: c.key}, nil
		}})
	return func() {
		c.queue.Close()
		c.db.Close()
	}
}

func recordingURL(id uuid.UUID) string { return "https://visits.example/recordings/" + id.String() }

func (c *clinic) charts(client *http.Client, base string, profile deliver.Profile) *deliver.EHRs {
	profile.Organization = phi.NewText("Organization/sandbox-hospital")
	return &deliver.EHRs{Connections: map[string]deliver.Connection{"sandbox": {Base: base, Vendor: "generic", Profile: profile}},
		HTTP: client, Tokens: c.hospital.tokens, DB: c.db, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (c *clinic) config(charts deliver.Charts) deliver.Config {
	return deliver.Config{Visits: c.visits, Notes: c.notes, Charts: charts, Sealers: c.ring, RecordingURL: recordingURL, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (c *clinic) book(in time.Duration) scheduling.VisitView {
	c.t.Helper()
	at := time.Now().Add(in).Truncate(time.Minute)
	v, err := c.visits.Book(c.t.Context(), c.clinician, scheduling.Booking{Clinician: c.clinician.ID, Patient: c.patient, StartsAt: at, EndsAt: at.Add(20 * time.Minute), Reason: phi.NewText("Cough")})
	must(c.t, err)
	return v
}

// signed gives a visit whose note is signed, recorded or not.
func (c *clinic) signed(recorded bool) scheduling.VisitView {
	c.t.Helper()
	ctx, v := c.t.Context(), c.book(0)
	patient := audit.Actor{Org: c.org, Kind: audit.Patient, ID: v.Participant(scheduling.RolePatient).ID, IP: netip.MustParseAddr("203.0.113.9")}
	_, err := c.visits.Start(ctx, c.clinician, v.ID)
	must(c.t, err)
	must(c.t, c.visits.Joined(ctx, c.clinician, v.Room, v.Participant(scheduling.RoleClinician).ID, time.Now()))
	must(c.t, c.visits.Joined(ctx, patient, v.Room, patient.ID, time.Now()))
	if recorded {
		_, err = c.visits.Consent(ctx, patient, v.ID, patient.ID, scheduling.AnswerYes)
		must(c.t, err)
		_, err = c.visits.StartRecording(ctx, c.clinician, v.ID)
		must(c.t, err)
	}
	_, err = c.visits.End(ctx, c.clinician, v.ID, "ended-by-host")
	must(c.t, err)
	_, err = c.notes.Save(ctx, c.clinician, v.ID, 0, note.Body{Subjective: phi.NewText("Cough since Monday."), Plan: phi.NewText("Rest & fluids.")})
	must(c.t, err)
	review, err := c.notes.Review(ctx, c.clinician, v.ID)
	must(c.t, err)
	_, err = c.notes.Sign(ctx, c.clinician, v.ID, review.SHA256)
	must(c.t, err)
	return c.load(v.ID)
}

func (c *clinic) load(id uuid.UUID) scheduling.VisitView {
	c.t.Helper()
	v, err := c.visits.ForWork(c.t.Context(), c.org, id)
	must(c.t, err)
	return v
}

func (c *clinic) stored(v scheduling.VisitView) {
	c.t.Helper()
	must(c.t, c.visits.RecordingStored(c.t.Context(), audit.SystemActor(c.org), v.Recording.ID,
		scheduling.StoredRecording{Duration: 20 * time.Minute, Bytes: 1 << 20, SHA256: []byte("0123456789abcdef0123456789abcdef"), ContentType: "video/webm"}))
}

func delivery(t *testing.T, v scheduling.VisitView, kind string) scheduling.DeliveryView {
	t.Helper()
	for _, d := range v.Deliveries {
		if d.Kind == kind {
			return d
		}
	}
	t.Fatalf("the visit has no delivery of kind %s", kind)
	return scheduling.DeliveryView{}
}

// settle works all deliveries of a visit, the last first, as often as the queue would, until each is settled or a
// hundred rounds have passed.
func (c *clinic) settle(worker *deliver.Worker, id uuid.UUID) scheduling.VisitView {
	c.t.Helper()
	for round := 1; round <= 100; round++ {
		v := c.load(id)
		open := 0
		for i := len(v.Deliveries) - 1; i >= 0; i-- {
			d := v.Deliveries[i]
			if d.State == visit.DeliveryAccepted || d.State == visit.DeliveryRejected {
				continue
			}
			open++
			_ = worker.Work(c.t.Context(), c.org, d.ID, job.Attempt{Number: round}) // a failure is the queue's to repeat
		}
		if open == 0 {
			return v
		}
	}
	c.t.Fatal("the deliveries do not settle")
	return scheduling.VisitView{}
}

const firstPatient = "pat-0001"

func must(t *testing.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

func certificate(h *hospital) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
}
