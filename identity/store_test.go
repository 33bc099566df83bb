package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
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
)

func TestMain(m *testing.M) { testdb.Main(m) }

// house is one organisation on a real database with a clock that the test moves.
type house struct {
	db      *audit.DB
	url     string
	keyring *identity.Keyring
	people  *identity.People
	org     uuid.UUID
	admin   audit.Actor
	from    identity.Caller

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
	database := testdb.New(t)
	h := &house{url: database.OwnerURL, org: uuid.New(), now: time.Now().UTC(), from: identity.Caller{IP: netip.MustParseAddr("192.0.2.7"), RequestID: "r1"}}
	db, err := audit.Open(ctx, database.AppURL, h.clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	k, err := keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "kek.json")})
	if err != nil {
		t.Fatal(err)
	}
	h.db, h.keyring, h.admin = db, identity.NewKeyring(db, k), audit.SystemActor(h.org)
	h.people = identity.NewPeople(db, h.keyring)
	if err := h.keyring.CreateOrganisation(ctx, h.org, "General Hospital", "Europe/Rome"); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) actions(t *testing.T) []string {
	t.Helper()
	rows, err := h.db.Search(context.Background(), h.admin, audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, r := range rows {
		seen = append(seen, r.Action+" "+r.Outcome)
	}
	return seen
}

func TestOrganisationAndItsSealer(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	org, err := h.keyring.Organisation(ctx, h.org)
	if err != nil || org.Name != "General Hospital" || org.TimeZone != "Europe/Rome" {
		t.Fatalf("%+v, %v", org, err)
	}
	one, err := h.keyring.Sealer(ctx, h.org)
	if err != nil {
		t.Fatal(err)
	}
	row := phi.Row{Table: "t", Column: "c", ID: uuid.New()}
	sealed, err := phi.SealText(one, phi.NewText("x"), row)
	if err != nil {
		t.Fatal(err)
	}
	h.keyring.Forget(h.org)
	again, err := h.keyring.Sealer(ctx, h.org)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := phi.OpenText(again, sealed, row); err != nil || text.Reveal() != "x" {
		t.Errorf("a sealer made anew: %v", err)
	}
	if _, err := h.keyring.Sealer(ctx, uuid.New()); !errors.Is(err, identity.ErrNoOrganisation) {
		t.Errorf("unknown organisation: %v", err)
	}
	other := uuid.New()
	if err := h.keyring.CreateOrganisation(ctx, other, "Other", "Mars/Olympus"); err == nil {
		t.Error("a time zone that does not exist was taken")
	}
	if err := h.keyring.CreateOrganisation(ctx, other, "Other", ""); err != nil {
		t.Fatal(err)
	}
	foreign, err := h.keyring.Sealer(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := phi.OpenText(foreign, sealed, row); err == nil {
		t.Error("another organisation's key opens it")
	}
}

func TestOnePersonWhicheverWayIn(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	launch := identity.Identity{EHR: "chart", Practitioner: phi.NewText("Practitioner/7"), Name: phi.NewText("Dr Rossi"), Roles: []identity.Role{identity.Clinician}}
	bySmart, err := h.people.SignIn(ctx, h.from, h.org, launch)
	if err != nil {
		t.Fatal(err)
	}
	login := identity.Identity{EHR: "chart", Practitioner: phi.NewText("Practitioner/7"), Issuer: "https://id.example", Subject: "u-7",
		Name: phi.NewText("Dr Anna Rossi"), Roles: []identity.Role{identity.Clinician, identity.Compliance}}
	bySSO, err := h.people.SignIn(ctx, h.from, h.org, login)
	if err != nil || bySSO.ID != bySmart.ID {
		t.Fatalf("two people: %s and %s, %v", bySmart.ID, bySSO.ID, err)
	}
	again, err := h.people.SignIn(ctx, h.from, h.org, launch)
	if err != nil || again.ID != bySSO.ID || len(again.Roles) != 2 {
		t.Errorf("a launch took roles away: %v, %v", again.Roles, err)
	}
	found, err := h.people.StaffBySubject(ctx, h.org, "https://id.example", "u-7")
	if err != nil || found.ID != bySSO.ID || found.Practitioner.Reveal() != "Practitioner/7" || found.PractitionerEHR != "chart" {
		t.Errorf("by subject: %v", err)
	}
	login.Roles = nil
	if _, err := h.people.SignIn(ctx, h.from, h.org, login); code(err) != "no-role" {
		t.Errorf("without a role: %v", err)
	}
	login.Roles, login.Subject = []identity.Role{identity.Clinician}, "u-8"
	if _, err := h.people.SignIn(ctx, h.from, h.org, login); code(err) != "identity-conflict" {
		t.Errorf("a second subject for one practitioner: %v", err)
	}
	found.Active = false
	if _, err := h.people.SaveStaff(ctx, h.admin, found); err != nil {
		t.Fatal(err)
	}
	if _, err := h.people.SignIn(ctx, h.from, h.org, launch); code(err) != "deactivated" {
		t.Errorf("deactivated: %v", err)
	}
	if n := count(h.actions(t), "login.failed refused"); n != 3 {
		t.Errorf("%d refused sign-ins in the trail, want 3", n)
	}
	if _, err := h.people.StaffByPractitioner(ctx, h.org, "another chart", phi.NewText("Practitioner/7")); !errors.Is(err, identity.ErrNoStaff) {
		t.Errorf("the same reference at another EHR: %v", err)
	}
}

func TestFirstSignInsInParallelMakeOnePerson(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	proof := identity.Identity{Issuer: "https://id.example", Subject: "u-1", Name: phi.NewText("S"), Roles: []identity.Role{identity.Scheduler}}
	ids := make([]uuid.UUID, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			s, err := h.people.SignIn(ctx, h.from, h.org, proof)
			if err != nil {
				t.Error(err)
			}
			ids[i] = s.ID
		})
	}
	wg.Wait()
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("several people: %v", ids)
	}
	who := audit.Actor{Org: h.org, Kind: audit.Staff, ID: ids[0]}
	if s, err := h.people.Staff(ctx, who, ids[0]); err != nil || s.TimeZone != "Europe/Rome" {
		t.Errorf("a new member of staff lives in %q, the organisation in Europe/Rome: %v", s.TimeZone, err)
	}
}

func TestStaffIsSealed(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	id, err := h.people.SaveStaff(ctx, h.admin, identity.Staff{Roles: []identity.Role{identity.Clinician}, Name: phi.NewText("CANARYNAME"),
		PractitionerEHR: "chart", Practitioner: phi.NewText("Practitioner/CANARYREF"), Issuer: "https://id.example", Subject: "CANARYSUB", Active: true})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, h.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var row string
	if err := conn.QueryRow(ctx, "select encode(name_sealed || practitioner_sealed || subject_index, 'escape') || s::text from staff s where id = $1", id).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, "CANARY") {
		t.Errorf("the row shows its person: %s", row)
	}
	list, err := h.people.Clinicians(ctx, h.admin)
	if err != nil || len(list) != 1 || list[0].Name.Reveal() != "CANARYNAME" {
		t.Errorf("%d clinicians, %v", len(list), err)
	}
	if _, err := h.people.SaveStaff(ctx, h.admin, identity.Staff{Roles: []identity.Role{identity.Patient}}); err == nil {
		t.Error("a patient was made staff")
	}
	if _, err := h.people.SaveStaff(ctx, h.admin, identity.Staff{}); err == nil {
		t.Error("staff without a role was taken")
	}
}

func (h *house) clinician(t *testing.T) (uuid.UUID, audit.Actor) {
	t.Helper()
	id, err := h.people.SaveStaff(context.Background(), h.admin, identity.Staff{Roles: []identity.Role{identity.Clinician}, Name: phi.NewText("Dr A"), Active: true})
	if err != nil {
		t.Fatal(err)
	}
	return id, audit.Actor{Org: h.org, Kind: audit.Staff, ID: id, IP: h.from.IP}
}

func code(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return ""
}

func count(all []string, want string) int {
	n := 0
	for _, s := range all {
		if s == want {
			n++
		}
	}
	return n
}
