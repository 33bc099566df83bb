package join_test

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/migrations/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const birthDate = "1984-02-29"

// house is an organisation with one clinician and one patient on a real database; the test moves its clock.
type house struct {
	db        *audit.DB
	keyring   *identity.Keyring
	sessions  *identity.Sessions
	links     *join.Links
	tokens    *join.Tokens
	org       uuid.UUID
	clinician uuid.UUID
	patient   uuid.UUID
	staff     audit.Actor
	from      identity.Caller

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

func key(id string, fill byte) join.SigningKey {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = fill
	}
	return join.SigningKey{ID: id, Secret: secret}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{org: uuid.New(), patient: uuid.New(), now: time.Now().UTC().Truncate(time.Second), from: identity.Caller{IP: netip.MustParseAddr("192.0.2.7")}}
	db, err := audit.Open(ctx, testdb.New(t).AppURL, h.clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	k, err := keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek.json")})
	if err != nil {
		t.Fatal(err)
	}
	h.db, h.keyring = db, identity.NewKeyring(db, k)
	if err := h.keyring.CreateOrganisation(ctx, h.org, "Clinic", ""); err != nil {
		t.Fatal(err)
	}
	h.clinician, err = identity.NewPeople(db, h.keyring).SaveStaff(ctx, audit.SystemActor(h.org),
		identity.Staff{Roles: []identity.Role{identity.Clinician}, Name: phi.NewText("Dr A"), Active: true})
	if err != nil {
		t.Fatal(err)
	}
	h.staff = audit.Actor{Org: h.org, Kind: audit.Staff, ID: h.clinician, IP: h.from.IP}
	h.sessions = identity.NewSessions(db, identity.SessionLimits{}, h.clock)
	h.links = join.NewLinks(db, h.keyring, h.sessions, "https://visits.example/", h.clock)
	h.tokens, err = join.NewTokens(db, h.clock, key("k1", 1))
	if err != nil {
		t.Fatal(err)
	}
	h.savePatient(t)
	return h
}

func (h *house) savePatient(t *testing.T) {
	t.Helper()
	sealer, err := h.keyring.Sealer(context.Background(), h.org)
	if err != nil {
		t.Fatal(err)
	}
	born, err := phi.ParseDate(birthDate)
	if err != nil {
		t.Fatal(err)
	}
	date, err := phi.SealDate(sealer, born, phi.Row{Table: "patient", Column: "birth_date", ID: h.patient})
	if err != nil {
		t.Fatal(err)
	}
	h.exec(t, `insert into patient (id, org_id, ehr, reference_sealed, reference_index, name_sealed, birth_date_sealed, fetched_at)
		values ($1, $2, 'chart', '\x01', '\x02', '\x03', $3, now())`, h.patient, h.org, date)
}

// visit books one that starts in an hour; each has its own hour, because the clinician cannot be in two.
func (h *house) visit(t *testing.T, hour int) (visit, room uuid.UUID) {
	t.Helper()
	visit, room = uuid.New(), uuid.New()
	start := h.clock().Add(time.Duration(hour) * time.Hour)
	h.exec(t, `insert into visit (id, org_id, room_id, clinician_id, patient_id, starts_at, ends_at, stage, note, recording, delivery, ehr, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, 'booked', 'none', 'off', 'none', 'chart', now(), now())`,
		visit, h.org, room, h.clinician, h.patient, start, start.Add(30*time.Minute))
	return visit, room
}

func (h *house) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	err := h.db.Do(context.Background(), audit.SystemActor(h.org), audit.Event{Action: "test.prepared"}, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) trail(t *testing.T, action string) []audit.Row {
	t.Helper()
	rows, err := h.db.Search(context.Background(), audit.SystemActor(h.org), audit.Filter{Action: action})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
