package join_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/phi"
)

func date(t *testing.T, s string) phi.Date {
	t.Helper()
	d, err := phi.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func secretOf(t *testing.T, l join.Link) string {
	t.Helper()
	rest, secret, ok := strings.Cut(l.URL, "#")
	if !ok || rest != "https://visits.example/v/"+l.ID.String() {
		t.Fatalf("link URL has another form: %s", rest)
	}
	return secret
}

func reason(err error) string {
	var refused *join.LinkRefused
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

func TestPatientComesIn(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	visit, _ := h.visit(t, 1)
	link, err := h.links.NewPatientLink(ctx, h.staff, visit)
	if err != nil {
		t.Fatal(err)
	}
	if look, err := h.links.Look(ctx, link.ID); err != nil || look.Kind != audit.Patient || look.Org != h.org {
		t.Errorf("%+v, %v", look, err)
	}
	cookie, p, err := h.links.Prove(ctx, h.from, link.ID, secretOf(t, link), date(t, birthDate))
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.sessions.Lookup(ctx, cookie)
	if err != nil || got.Session != p.Session || got.Visit != visit || got.Participant != link.Participant || !got.Has(identity.Patient) || got.Staff != uuid.Nil {
		t.Errorf("%+v, %v", got, err)
	}
	if err := identity.Can(got, identity.RoomJoin, identity.Resource{Org: h.org, Visit: visit}); err != nil {
		t.Error(err)
	}
	other, _ := h.visit(t, 3)
	if identity.Can(got, identity.RoomJoin, identity.Resource{Org: h.org, Visit: other}) == nil {
		t.Error("the session opens another visit")
	}
	// On a second device the first one's session ends; they are the same participant.
	_, p2, err := h.links.Prove(ctx, h.from, link.ID, secretOf(t, link), date(t, birthDate))
	if err != nil || p2.Participant != p.Participant {
		t.Errorf("second device: %v", err)
	}
	if _, err := h.sessions.Lookup(ctx, cookie); err == nil {
		t.Error("the first device's session lives on")
	}
	rows := h.trail(t, "link.proved")
	if len(rows) != 2 || rows[0].IP == nil || *rows[0].Visit != visit || *rows[0].Patient != h.patient {
		t.Errorf("trail: %+v", rows)
	}
	again, err := h.links.Current(ctx, h.staff, visit)
	if err != nil || again.URL != link.URL {
		t.Errorf("copying the link again: %v", err)
	}
}

func TestWrongBirthDateLocks(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	visit, _ := h.visit(t, 12)
	link, err := h.links.NewPatientLink(ctx, h.staff, visit)
	if err != nil {
		t.Fatal(err)
	}
	secret, wrong, right := secretOf(t, link), date(t, "1984-03-01"), date(t, birthDate)
	try := func(d phi.Date) error {
		_, _, err := h.links.Prove(ctx, h.from, link.ID, secret, d)
		return err
	}
	for i, want := range []int{4, 3, 2, 1} {
		var refused *join.LinkRefused
		if err := try(wrong); !errors.As(err, &refused) || refused.Reason != "wrong-birth-date" || refused.Remaining != want {
			t.Fatalf("try %d: %v, want %d left", i+1, err, want)
		}
	}
	if err := try(wrong); reason(err) != "locked" {
		t.Fatalf("fifth wrong try: %v", err)
	}
	if err := try(right); reason(err) != "locked" {
		t.Errorf("the right date while locked: %v", err)
	}
	h.pass(15*time.Minute - time.Second)
	if err := try(right); reason(err) != "locked" {
		t.Errorf("a second before: %v", err)
	}
	h.pass(time.Second)
	if err := try(phi.Date{}); reason(err) != "wrong-birth-date" {
		t.Errorf("no date at all: %v", err)
	}
	if err := try(right); err != nil {
		t.Errorf("the right date after the lock: %v", err)
	}
	for round := 0; round < 4; round++ {
		for i := 0; i < 5; i++ {
			err = try(wrong)
		}
		h.pass(15 * time.Minute)
	}
	if reason(err) != "revoked" {
		t.Errorf("20 wrong tries since the last right one: %v", err)
	}
	if err := try(right); reason(err) != "revoked" {
		t.Errorf("after revocation: %v", err)
	}
	if len(h.trail(t, "link.revoked")) != 1 || len(h.trail(t, "link.refused")) < 27 {
		t.Errorf("trail: %d revoked, %d refused", len(h.trail(t, "link.revoked")), len(h.trail(t, "link.refused")))
	}
}

func TestParallelTriesGetNoExtraGuess(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	visit, _ := h.visit(t, 1)
	link, err := h.links.NewPatientLink(ctx, h.staff, visit)
	if err != nil {
		t.Fatal(err)
	}
	secret, wrong := secretOf(t, link), date(t, "1990-01-01")
	counts := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			_, _, err := h.links.Prove(ctx, h.from, link.ID, secret, wrong)
			mu.Lock()
			defer mu.Unlock()
			counts[reason(err)]++
		})
	}
	wg.Wait()
	if counts["wrong-birth-date"] != 4 || counts["locked"] != 8 {
		t.Errorf("guesses: %v, want 4 wrong and 8 locked", counts)
	}
}

func TestLinkThatLetsNobodyIn(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	right := date(t, birthDate)
	for i, tc := range []struct {
		want    string
		prepare func(link join.Link, visit uuid.UUID)
	}{
		{"expired", func(join.Link, uuid.UUID) { h.pass(100 * time.Hour) }},
		{"revoked", func(l join.Link, _ uuid.UUID) {
			if err := h.links.Revoke(ctx, h.staff, l.ID); err != nil {
				t.Fatal(err)
			}
		}},
		{"cancelled", func(_ join.Link, v uuid.UUID) { h.exec(t, `update visit set stage = 'cancelled' where id = $1`, v) }},
		{"no-show", func(_ join.Link, v uuid.UUID) { h.exec(t, `update visit set stage = 'no-show' where id = $1`, v) }},
		{"ended", func(_ join.Link, v uuid.UUID) {
			h.exec(t, `update visit set stage = 'ended', started_at = now(), ended_at = now() where id = $1`, v)
		}},
	} {
		visit, _ := h.visit(t, 2*i+1)
		link, err := h.links.NewPatientLink(ctx, h.staff, visit)
		if err != nil {
			t.Fatal(err)
		}
		tc.prepare(link, visit)
		_, _, err = h.links.Prove(ctx, h.from, link.ID, secretOf(t, link), right)
		if reason(err) != tc.want {
			t.Errorf("%s: %v", tc.want, err)
		}
		if _, err := h.links.Look(ctx, link.ID); reason(err) != tc.want {
			t.Errorf("looking at one %s: %v", tc.want, err)
		}
		if tc.want == "expired" {
			continue
		}
		if tc.want != "revoked" {
			if _, err := h.links.NewPatientLink(ctx, h.staff, visit); reason(err) != tc.want {
				t.Errorf("a new link for a visit %s: %v", tc.want, err)
			}
		}
	}
	if _, err := h.links.Look(ctx, uuid.New()); reason(err) != "unknown" {
		t.Errorf("unknown link: %v", err)
	}
	if _, _, err := h.links.Prove(ctx, h.from, uuid.New(), "x", right); reason(err) != "unknown" {
		t.Errorf("unknown link: %v", err)
	}
}

func TestWrongSecretTellsAndCountsNothing(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	visit, _ := h.visit(t, 1)
	link, err := h.links.NewPatientLink(ctx, h.staff, visit)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		for _, secret := range []string{"", "wrong", secretOf(t, link) + "x"} {
			if _, _, err := h.links.Prove(ctx, h.from, link.ID, secret, date(t, birthDate)); reason(err) != "incomplete" {
				t.Fatalf("%v", err)
			}
		}
	}
	if _, _, err := h.links.Prove(ctx, h.from, link.ID, secretOf(t, link), date(t, birthDate)); err != nil {
		t.Errorf("somebody without the secret locked the patient out: %v", err)
	}
	if err := h.links.Revoke(ctx, h.staff, link.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.links.Prove(ctx, h.from, link.ID, "wrong", date(t, birthDate)); reason(err) != "incomplete" {
		t.Errorf("the state was told to somebody without the secret: %v", err)
	}
	if _, err := h.links.Current(ctx, h.staff, visit); reason(err) != "unknown" {
		t.Errorf("a revoked link can be copied: %v", err)
	}
}

func TestGuests(t *testing.T) {
	ctx, h := context.Background(), newHouse(t)
	visit, _ := h.visit(t, 1)
	one, err := h.links.NewGuestLink(ctx, h.staff, visit, "Interpreter", phi.Text{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.links.NewGuestLink(ctx, h.staff, visit, "Interpreter", phi.Text{})
	if err != nil || one.Participant == two.Participant {
		t.Fatalf("two guests are one participant, %v", err)
	}
	cookie, p, err := h.links.Prove(ctx, h.from, one.ID, secretOf(t, one), phi.Date{})
	if err != nil || !p.Has(identity.Guest) || p.Participant != one.Participant {
		t.Fatalf("%+v, %v", p, err)
	}
	h.pass(time.Hour)
	if _, _, err := h.links.Prove(ctx, h.from, two.ID, secretOf(t, two), phi.Date{}); reason(err) != "expired" {
		t.Errorf("after an hour: %v", err)
	}
	if err := h.links.Revoke(ctx, h.staff, one.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.sessions.Lookup(ctx, cookie); err == nil {
		t.Error("the session of a revoked link lives on")
	}
	for _, label := range []string{"", "  ", strings.Repeat("x", 81)} {
		if _, err := h.links.NewGuestLink(ctx, h.staff, visit, label, phi.Text{}); err == nil {
			t.Errorf("label of %d bytes was taken", len(label))
		}
	}
	stranger := h.staff
	stranger.Org = uuid.New()
	if _, err := h.links.NewGuestLink(ctx, stranger, visit, "Family", phi.Text{}); err == nil {
		t.Error("another organisation made a link")
	}
}
