package scheduling_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// clock stands still unless it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// fixture is the service on a real database with real keys and a real queue, and one organisation in it.
type fixture struct {
	*scheduling.Service
	t     testing.TB
	url   string
	owner *pgx.Conn
	db    *audit.DB
	ring  *identity.Keyring
	clock *clock
	mu    sync.Mutex
	seen  []scheduling.Change
	ward
}

// ward is an organisation with a clinician, a scheduler and a patient.
type ward struct {
	org                          uuid.UUID
	clinician, scheduler, system audit.Actor
	patient                      uuid.UUID
}

// monday is 09:00 in New York.
func monday() time.Time { return time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC) }

func open(t testing.TB) *fixture {
	t.Helper()
	ctx := context.Background()
	database := testdb.New(t)
	f := &fixture{t: t, clock: &clock{at: monday()}, url: database.AppURL}
	var err error
	f.db, err = audit.Open(ctx, database.AppURL, f.clock.now, slog.New(slog.DiscardHandler))
	f.must(err)
	t.Cleanup(f.db.Close)
	f.owner, err = pgx.Connect(ctx, database.OwnerURL)
	f.must(err)
	t.Cleanup(func() { _ = f.owner.Close(ctx) })
	jobs, err := job.Open(ctx, job.Config{URL: database.AppURL, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	f.must(err)
	t.Cleanup(jobs.Close)
	kek, err := keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek")})
	f.must(err)
	f.ring = identity.NewKeyring(f.db, kek)
	f.Service = scheduling.New(scheduling.Config{DB: f.db, Sealers: f.ring, Jobs: jobs, Keys: kek, Watcher: f, Now: f.clock.now})
	f.ward = f.newWard()
	return f
}

// VisitChanged implements scheduling.Watcher.
func (f *fixture) VisitChanged(c scheduling.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, c)
}

func (f *fixture) newWard() ward {
	f.t.Helper()
	w := ward{org: uuid.New()}
	w.system = audit.SystemActor(w.org)
	f.must(f.ring.CreateOrganisation(f.t.Context(), w.org, "North Hospital", "America/New_York"))
	w.clinician = f.staff(w, "clinician", "Dr. Osei", "America/New_York")
	w.scheduler = f.staff(w, "scheduler", "Sam Lee", "America/New_York")
	w.patient = f.newPatient(w, "Patient/1")
	return w
}

func (f *fixture) staff(w ward, role, name, zone string) audit.Actor {
	f.t.Helper()
	people := identity.NewPeople(f.db, f.ring)
	id, err := people.SaveStaff(f.t.Context(), w.system, identity.Staff{Org: w.org, Roles: []identity.Role{identity.Role(role)}, Name: phi.NewText(name),
		TimeZone: zone, PractitionerEHR: "sandbox", Practitioner: phi.NewText("Practitioner/" + name), Active: true})
	f.must(err)
	return audit.Actor{Org: w.org, Kind: audit.Staff, ID: id, Roles: []string{role}, IP: netip.MustParseAddr("192.0.2.7"), RequestID: "r1"}
}

func (f *fixture) newPatient(w ward, ref string) uuid.UUID {
	f.t.Helper()
	born, err := phi.ParseDate("1992-03-12")
	f.must(err)
	id, err := f.SavePatient(f.t.Context(), w.system, scheduling.Patient{EHR: "sandbox", Reference: phi.NewText(ref), Name: phi.NewText("Ana Ruiz"),
		BirthDate: born, Details: phi.NewText(`{"mrn":"4417"}`), Language: "es"})
	f.must(err)
	return id
}

func (w ward) booking(after time.Duration) scheduling.Booking {
	start := monday().Add(after)
	return scheduling.Booking{Clinician: w.clinician.ID, Patient: w.patient, StartsAt: start, EndsAt: start.Add(30 * time.Minute), Reason: phi.NewText("Cough")}
}

func (f *fixture) book(after time.Duration) scheduling.VisitView {
	f.t.Helper()
	v, err := f.Book(f.t.Context(), f.scheduler, f.booking(after))
	f.must(err)
	return v
}

// inCall gives a visit whose call runs.
func (f *fixture) inCall() scheduling.VisitView {
	f.t.Helper()
	v := f.book(0)
	_, err := f.Start(f.t.Context(), f.clinician, v.ID)
	f.must(err)
	return f.load(v.ID)
}

func (f *fixture) load(id uuid.UUID) scheduling.VisitView {
	f.t.Helper()
	v, err := f.ForWork(f.t.Context(), f.org, id)
	f.must(err)
	return v
}

// patientOf is the actor that a patient's session makes.
func (f *fixture) patientOf(v scheduling.VisitView) audit.Actor {
	return audit.Actor{Org: v.Org, Kind: audit.Patient, ID: v.Participant(scheduling.RolePatient).ID, IP: netip.MustParseAddr("203.0.113.9")}
}

// trail lists the actions on a visit, oldest first, without those of reading it.
func (f *fixture) trail(id uuid.UUID) []string {
	f.t.Helper()
	rows, err := f.owner.Query(f.t.Context(), "select action || case outcome when 'success' then '' else ' ' || outcome end from audit_event where visit_id = $1 order by id", id)
	f.must(err)
	actions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	f.must(err)
	return actions
}

// jobs lists the queued jobs of a kind by their subject.
func (f *fixture) jobs(kind job.Kind) []uuid.UUID {
	f.t.Helper()
	rows, err := f.owner.Query(f.t.Context(), "select (args->>'id')::uuid from river.river_job where kind = $1 order by id", string(kind))
	f.must(err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	f.must(err)
	return ids
}

// event reads the newest event of an action.
func (f *fixture) event(action string) (e audit.Row) {
	f.t.Helper()
	var detail string
	f.must(f.owner.QueryRow(f.t.Context(), `select actor_id, ip, visit_id, room_id, patient_id, object_kind, object_id, outcome, detail::text
		from audit_event where action = $1 order by id desc limit 1`, action).
		Scan(&e.ActorID, &e.IP, &e.Visit, &e.Room, &e.Patient, &e.ObjectKind, &e.ObjectID, &e.Outcome, &detail))
	e.Detail = json.RawMessage(detail)
	return e
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// raw runs one statement as the server's role, in the organisation, with no event.
func (f *fixture) raw(sql string, args ...any) error {
	return f.db.Housekeep(f.t.Context(), f.org, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}
