package audit_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/migrations/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

type bundle struct {
	db       *audit.DB
	owner    *pgx.Conn
	org      uuid.UUID
	who      audit.Actor
	sealer   *audit.Sealer
	archive  *memoryArchive
	verifier string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx := context.Background()
	database := testdb.New(t)
	log := slog.New(slog.DiscardHandler)
	db, err := audit.Open(ctx, database.AppURL, time.Now, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	owner, err := pgx.Connect(ctx, database.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(ctx) })
	private, public, err := note.GenerateKey(rand.Reader, "audit.example")
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{db: db, owner: owner, org: uuid.New(), archive: &memoryArchive{objects: map[string][]byte{}}, verifier: public}
	if b.sealer, err = audit.NewSealer(db, private, b.archive, time.Hour, log); err != nil {
		t.Fatal(err)
	}
	b.who = audit.Actor{Org: b.org, Kind: audit.Staff, ID: uuid.New(), IP: netip.MustParseAddr("192.0.2.7"), RequestID: "r-1"}
	err = db.Do(ctx, b.who, audit.Event{Action: "organisation.created"}, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, "insert into organisation (id, name, wrapped_key, created_at) values ($1, 'Clinic', '\\x00', $2)", b.org, tx.Now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bundle) record(t *testing.T, actions ...string) {
	t.Helper()
	for _, action := range actions {
		if err := b.db.Record(context.Background(), b.who, audit.Event{Action: action, Detail: map[string]any{"n": 1, "a": "x"}}); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bundle) verify(t *testing.T) audit.Report {
	t.Helper()
	report, err := audit.Verify(context.Background(), b.owner, b.verifier, b.archive, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// tamper runs a statement as the superuser, triggers off, as a rogue administrator would.
func (b *bundle) tamper(t *testing.T, sql string, args ...any) {
	t.Helper()
	ctx := context.Background()
	if _, err := b.owner.Exec(ctx, "set session_replication_role = replica"); err != nil {
		t.Fatal(err)
	}
	tag, err := b.owner.Exec(ctx, sql, args...)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("tampering changed %d rows: %v", tag.RowsAffected(), err)
	}
}

func TestChangeWithoutEventIsRefusedByTheDatabase(t *testing.T) {
	b := setup(t)
	err := b.db.Housekeep(context.Background(), b.org, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update organisation set name = 'Other'")
		return err
	})
	if err == nil || !strings.Contains(audit.Safe(err), "TV002") {
		t.Fatalf("got %v", err)
	}
}

func TestTrailIsAppendOnlyForEveryone(t *testing.T) {
	b := setup(t)
	ctx := context.Background()
	for _, statement := range []string{"update audit_event set action = 'x'", "delete from audit_event", "truncate audit_event", "truncate audit_leaf cascade"} {
		if _, err := b.owner.Exec(ctx, statement); err == nil {
			t.Errorf("%s was allowed to the owner", statement)
		}
		err := b.db.Housekeep(ctx, b.org, func(ctx context.Context, tx pgx.Tx) error { _, err := tx.Exec(ctx, statement); return err })
		if err == nil {
			t.Errorf("%s was allowed to the server", statement)
		}
	}
}

func TestFailedCommandLeavesNeitherChangeNorEvent(t *testing.T) {
	b := setup(t)
	boom := errors.New("boom")
	err := b.db.Do(context.Background(), b.who, audit.Event{Action: "organisation.renamed"}, func(ctx context.Context, tx *audit.Tx) error {
		if _, err := tx.Exec(ctx, "update organisation set name = 'Other'"); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	var name string
	var events int
	err = b.owner.QueryRow(context.Background(), `select (select name from organisation where id = $1),
		(select count(*) from audit_event where action = 'organisation.renamed')`, b.org).Scan(&name, &events)
	if err != nil || name != "Clinic" || events != 0 {
		t.Fatalf("name %q, events %d, %v", name, events, err)
	}
}

type denied struct{}

func (denied) Error() string       { return "not allowed" }
func (denied) RefusalCode() string { return "not-allowed" }

func TestRefusalCommitsItsOwnEvent(t *testing.T) {
	b := setup(t)
	err := b.db.Do(context.Background(), b.who, audit.Event{Action: "organisation.renamed"}, func(context.Context, *audit.Tx) error { return denied{} })
	if !errors.As(err, &denied{}) {
		t.Fatal(err)
	}
	var outcome, code string
	err = b.owner.QueryRow(context.Background(), "select outcome, detail->>'code' from audit_event where action = 'organisation.renamed'").Scan(&outcome, &code)
	if err != nil || outcome != "refused" || code != "not-allowed" {
		t.Fatalf("%s %s %v", outcome, code, err)
	}
}

func TestAdminViewNeedsAReason(t *testing.T) {
	b := setup(t)
	if err := b.db.Record(context.Background(), b.who, audit.Event{Action: "admin.viewed", Reason: " \t\n"}); err == nil {
		t.Fatal("an empty reason was taken")
	}
	if err := b.db.Record(context.Background(), b.who, audit.Event{Action: "admin.viewed", Reason: "ticket 12"}); err != nil {
		t.Fatal(err)
	}
}

func TestOrganisationsDoNotSeeEachOther(t *testing.T) {
	b := setup(t)
	b.record(t, "a.b")
	other := audit.Actor{Org: uuid.New(), Kind: audit.System}
	err := b.db.Read(context.Background(), other.Org, func(ctx context.Context, tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, "select count(*) from audit_event").Scan(&n); err != nil {
			return err
		}
		if n != 0 {
			t.Errorf("%d events of another organisation are visible", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerifyPassesOverManySeals(t *testing.T) {
	b := setup(t)
	for range 5 {
		b.record(t, "room.left", "note.signed", "login.succeeded")
		if err := b.sealer.SealAll(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	b.record(t, "not.yet-sealed")
	report := b.verify(t)
	if len(report.Findings) != 0 || report.Rows != 16 || report.Pending != 1 || report.Checkpoints != 5 {
		t.Fatalf("%+v", report)
	}
}

func TestVerifyNamesTheTamperedRow(t *testing.T) {
	tests := []struct{ name, sql, says string }{
		{"edited", "update audit_event set actor_id = null where id = $1", "edited"},
		{"edited detail", `update audit_event set detail = '{"n": 2}' where id = $1`, "edited"},
		{"removed", "delete from audit_event where id = $1", "removed"},
		{"removed with its leaf", "with gone as (delete from audit_leaf where event_id = $1) delete from audit_event where id = $1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := setup(t)
			b.record(t, "one.done", "two.done", "three.done")
			if err := b.sealer.SealAll(context.Background()); err != nil {
				t.Fatal(err)
			}
			var victim int64
			if err := b.owner.QueryRow(context.Background(), "select id from audit_event where action = 'two.done'").Scan(&victim); err != nil {
				t.Fatal(err)
			}
			b.tamper(t, tt.sql, victim)
			report := b.verify(t)
			if !names(report, victim, tt.says) {
				t.Fatalf("findings %v do not name row %d", report.Findings, victim)
			}
		})
	}
}

func TestVerifyFindsARowWhoseLeafWasRewrittenToo(t *testing.T) {
	b := setup(t)
	b.record(t, "one.done", "two.done")
	if err := b.sealer.SealAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	var victim int64
	if err := b.owner.QueryRow(context.Background(), "select id from audit_event where action = 'one.done'").Scan(&victim); err != nil {
		t.Fatal(err)
	}
	b.tamper(t, "update audit_event set reason = 'rewritten' where id = $1", victim)
	b.tamper(t, "update audit_leaf set leaf_hash = (select leaf_hash from audit_leaf where event_id <> $1 limit 1) where event_id = $1", victim)
	report := b.verify(t)
	if len(report.Findings) < 2 || !names(report, victim, "") {
		t.Fatalf("%v", report.Findings)
	}
}

func TestVerifyFindsABackdatedInsertion(t *testing.T) {
	b := setup(t)
	b.record(t, "one.done")
	if err := b.sealer.SealAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.tamper(t, `insert into audit_event (org_id, recorded, action, outcome, actor_kind) values ($1, now() - interval '2 days', 'one.done', 'success', 'system')`, b.org)
	if report := b.verify(t); len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Problem, "inserted after the fact") {
		t.Fatalf("%v", report.Findings)
	}
}

func TestVerifyRefusesAForeignSignature(t *testing.T) {
	b := setup(t)
	if err := b.sealer.SealAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, foreign, err := note.GenerateKey(rand.Reader, "audit.example")
	if err != nil {
		t.Fatal(err)
	}
	b.verifier = foreign
	if report := b.verify(t); len(report.Findings) == 0 {
		t.Fatal("a foreign key verified")
	}
}

func TestSealingIsSafeInParallel(t *testing.T) {
	b := setup(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				_ = b.db.Record(context.Background(), b.who, audit.Event{Action: "a.b"})
				_ = b.sealer.SealAll(context.Background())
			}
		})
	}
	wg.Wait()
	if err := b.sealer.SealAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if report := b.verify(t); len(report.Findings) != 0 || report.Rows != 81 {
		t.Fatalf("%+v", report)
	}
}

func TestSearchIsItselfRecorded(t *testing.T) {
	b := setup(t)
	b.record(t, "one.done")
	rows, err := b.db.Search(context.Background(), b.who, audit.Filter{Action: "one.done"})
	if err != nil || len(rows) != 1 || rows[0].IP.String() != "192.0.2.7" {
		t.Fatalf("%+v %v", rows, err)
	}
	again, err := b.db.Search(context.Background(), b.who, audit.Filter{Action: "audit.searched"})
	if err != nil || len(again) != 1 {
		t.Fatalf("%+v %v", again, err)
	}
}

func names(r audit.Report, row int64, says string) bool {
	for _, f := range r.Findings {
		if f.EventID == row && strings.Contains(f.Problem, says) {
			return true
		}
	}
	return false
}

type memoryArchive struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (m *memoryArchive) PutOnce(_ context.Context, key string, body io.Reader, _ int64) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(body); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = b.Bytes()
	return nil
}

func (m *memoryArchive) Fetch(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.objects[key]
	return body, ok, nil
}

func TestProofOfARowHoldsUntilTheRowIsEdited(t *testing.T) {
	b := setup(t)
	ctx := context.Background()
	b.record(t, "one.done", "two.done", "three.done")
	var id int64
	if err := b.owner.QueryRow(ctx, "select id from audit_event where action = 'two.done'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	before, err := b.db.Prove(ctx, b.org, id, b.verifier)
	if err != nil || before.Sealed {
		t.Fatalf("%+v %v", before, err)
	}
	if err := b.sealer.SealAll(ctx); err != nil {
		t.Fatal(err)
	}
	sealed, err := b.db.Prove(ctx, b.org, id, b.verifier)
	if err != nil || !sealed.Sealed || !sealed.Included || !sealed.Archived {
		t.Fatalf("%+v %v", sealed, err)
	}
	if report, err := b.db.VerifyOrganisation(ctx, b.org, b.verifier, b.archive, time.Minute); err != nil || len(report.Findings) != 0 || report.Rows != 4 {
		t.Fatalf("%+v %v", report, err)
	}
	b.tamper(t, "update audit_event set reason = 'other' where id = $1", id)
	edited, err := b.db.Prove(ctx, b.org, id, b.verifier)
	if err != nil || edited.Included {
		t.Fatalf("%+v %v", edited, err)
	}
}
