package note_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// fixture is the note service over the real scheduling, database, keys and queue.
type fixture struct {
	*note.Service
	t          testing.TB
	scheduling *scheduling.Service
	ring       *identity.Keyring
	db         *audit.DB
	owner      *pgx.Conn
	at         time.Time
	key        *ecdsa.PrivateKey
	org        uuid.UUID
	clinician  audit.Actor
	patient    uuid.UUID
}

func open(t testing.TB) *fixture {
	t.Helper()
	ctx := context.Background()
	database := testdb.New(t)
	f := &fixture{t: t, at: time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC), org: uuid.New()}
	now := func() time.Time { return f.at }
	log := slog.New(slog.DiscardHandler)
	var err error
	f.db, err = audit.Open(ctx, database.AppURL, now, log)
	f.must(err)
	t.Cleanup(f.db.Close)
	f.owner, err = pgx.Connect(ctx, database.OwnerURL)
	f.must(err)
	t.Cleanup(func() { _ = f.owner.Close(ctx) })
	jobs, err := job.Open(ctx, job.Config{URL: database.AppURL, Now: now, Log: log})
	f.must(err)
	t.Cleanup(jobs.Close)
	kek, err := keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek")})
	f.must(err)
	f.ring = identity.NewKeyring(f.db, kek)
	f.scheduling = scheduling.New(scheduling.Config{DB: f.db, Sealers: f.ring, Jobs: jobs, Keys: kek, Now: now})
	f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	f.Service = note.New(note.Config{DB: f.db, Sealers: f.ring, Visits: f.scheduling,
		SigningKey: func(context.Context, uuid.UUID) (note.SigningKey, error) {
			return note.SigningKey{ID: "k1", Key: f.key}, nil
		},
		RecordingURL: func(id uuid.UUID) string { return "https://televisit.example/recordings/" + id.String() }})
	f.must(f.ring.CreateOrganisation(ctx, f.org, "North Hospital", "America/New_York"))
	f.clinician = f.staff("Dr. Osei")
	born, err := phi.ParseDate("1992-03-12")
	f.must(err)
	f.patient, err = f.scheduling.SavePatient(ctx, audit.SystemActor(f.org), scheduling.Patient{EHR: "sandbox", Reference: phi.NewText("Patient/1"),
		Name: phi.NewText("Ana <Ruiz>"), BirthDate: born, Language: "es"})
	f.must(err)
	return f
}

func (f *fixture) staff(name string) audit.Actor {
	f.t.Helper()
	id, err := identity.NewPeople(f.db, f.ring).SaveStaff(f.t.Context(), audit.SystemActor(f.org), identity.Staff{Org: f.org, Roles: []identity.Role{"clinician"},
		Name: phi.NewText(name), TimeZone: "America/New_York", Active: true})
	f.must(err)
	return audit.Actor{Org: f.org, Kind: audit.Staff, ID: id, Roles: []string{"clinician"}, IP: netip.MustParseAddr("192.0.2.7")}
}

func (f *fixture) book() scheduling.VisitView {
	f.t.Helper()
	v, err := f.scheduling.Book(f.t.Context(), f.clinician, scheduling.Booking{Clinician: f.clinician.ID, Patient: f.patient, StartsAt: f.at, EndsAt: f.at.Add(30 * time.Minute)})
	f.must(err)
	return v
}

// ended gives a visit after a call of half an hour with both in it, recorded or not.
func (f *fixture) ended(recorded bool) scheduling.VisitView {
	f.t.Helper()
	ctx := f.t.Context()
	v := f.book()
	patient := audit.Actor{Org: f.org, Kind: audit.Patient, ID: v.Participant(scheduling.RolePatient).ID, IP: netip.MustParseAddr("203.0.113.9")}
	_, err := f.scheduling.Start(ctx, f.clinician, v.ID)
	f.must(err)
	f.must(f.scheduling.Joined(ctx, f.clinician, v.Room, v.Participant(scheduling.RoleClinician).ID, f.at))
	f.must(f.scheduling.Joined(ctx, patient, v.Room, patient.ID, f.at.Add(time.Minute)))
	if recorded {
		_, err = f.scheduling.Consent(ctx, patient, v.ID, patient.ID, scheduling.AnswerYes)
		f.must(err)
		_, err = f.scheduling.StartRecording(ctx, f.clinician, v.ID)
		f.must(err)
	}
	f.at = f.at.Add(30 * time.Minute)
	_, err = f.scheduling.End(ctx, f.clinician, v.ID, "ended-by-host")
	f.must(err)
	return f.load(v.ID)
}

// drafted gives an ended visit with a draft.
func (f *fixture) drafted(recorded bool) scheduling.VisitView {
	f.t.Helper()
	v := f.ended(recorded)
	_, err := f.Save(f.t.Context(), f.clinician, v.ID, 0, body("Cough since Monday."))
	f.must(err)
	return v
}

func (f *fixture) load(id uuid.UUID) scheduling.VisitView {
	f.t.Helper()
	v, err := f.scheduling.ForWork(f.t.Context(), f.org, id)
	f.must(err)
	return v
}

func body(subjective string) note.Body {
	return note.Body{Subjective: phi.NewText(subjective), Plan: phi.NewText("Rest & fluids.")}
}

// actions lists the trail of a visit from its end on.
func (f *fixture) actions(id uuid.UUID) []string {
	f.t.Helper()
	rows, err := f.owner.Query(f.t.Context(), `select action || case outcome when 'success' then '' else ' ' || outcome end from audit_event
		where visit_id = $1 and id > coalesce((select max(id) from audit_event where visit_id = $1 and action = 'visit.ended'), 0) order by id`, id)
	f.must(err)
	actions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	f.must(err)
	return actions
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}
