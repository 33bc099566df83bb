package scheduling_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestAdministratorSeesHowACallWent(t *testing.T) {
	f := open(t)
	ctx, admin := t.Context(), f.staff(f.ward, "admin", "Sam Whitfield", "America/New_York")
	v := f.inCall()
	patient, clinician, stream := f.patientOf(v), f.clinician, uuid.New()
	guest, err := f.EnsureParticipant(ctx, clinician, v.ID, scheduling.RoleGuest, uuid.Nil, phi.NewText("Mia Ruiz"))
	f.must(err)
	at := func(seconds int) time.Time { return monday().Add(time.Duration(seconds) * time.Second) }
	f.must(f.Joined(ctx, patient, v.Room, patient.ID, at(1)))
	f.must(f.Joined(ctx, clinician, v.Room, v.Participant(scheduling.RoleClinician).ID, at(2)))
	f.must(f.StreamStarted(ctx, patient, v.Room, patient.ID, stream, "camera", at(3)))
	f.must(f.Lost(ctx, patient, v.Room, patient.ID, at(60)))
	f.must(f.Resumed(ctx, patient, v.Room, patient.ID, at(70)))
	f.must(f.Left(ctx, patient, v.Room, patient.ID, "bye", at(90)))
	f.clock.at = at(91)
	_, err = f.End(ctx, clinician, v.ID, "hang-up")
	f.must(err)

	in, err := f.Inspect(ctx, admin, v.ID, "  Ticket 4711:\nthe patient's picture\tfroze ")
	f.must(err)
	var got []string
	for _, e := range in.Timeline {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s%s", e.At.Format("04:05"), e.Role, e.Action, e.Kind, e.Code)))
	}
	want := []string{"00:00 scheduler visit.booked", "00:00 clinician visit.started", "00:01 patient room.joined", "00:02 clinician room.joined", "00:03 patient stream.started camera",
		"01:00 patient room.lost", "01:10 patient room.resumed", "01:30 patient room.left bye", "01:31 clinician visit.ended hang-up"}
	if !slices.Equal(got, want) {
		t.Errorf("timeline %q", got)
	}
	if in.State.Stage != visit.Ended || in.Room != v.Room || in.Present != 0 || len(in.People) != 3 {
		t.Errorf("inspection %+v", in)
	}
	for _, p := range in.People {
		switch {
		case p.Role == scheduling.RolePatient && (!p.JoinedAt.Equal(at(1)) || !p.LeftAt.Equal(at(90))),
			p.Role == scheduling.RoleGuest && (p.ID != guest || p.JoinedAt != nil):
			t.Errorf("participant %+v", p)
		}
	}
	if all := fmt.Sprintf("%+v", in); strings.Contains(all, "Ruiz") || strings.Contains(all, "Osei") || strings.Contains(all, "[phi]") || strings.Contains(all, "192.0.2.7") {
		t.Errorf("the inspection tells who it was: %s", all)
	}
	rows, err := f.db.Search(ctx, f.system, audit.Filter{Action: "admin.viewed"})
	f.must(err)
	if len(rows) != 1 || rows[0].Reason != "Ticket 4711: the patient's picture froze" || *rows[0].ActorID != admin.ID || *rows[0].Visit != v.ID || *rows[0].Room != v.Room || *rows[0].Patient != f.patient {
		t.Fatalf("trail %+v", rows)
	}
}

func TestLookWithoutReasonIsRefusedAndKept(t *testing.T) {
	f := open(t)
	ctx, admin := t.Context(), f.staff(f.ward, "admin", "Sam Whitfield", "America/New_York")
	v := f.book(0)
	for _, reason := range []string{"", " ", "\t\r\n", "\u200b\u00a0", "...", "\x00\xff", strings.Repeat("a ", 251)} {
		in, err := f.Inspect(ctx, admin, v.ID, reason)
		var invalid *scheduling.Invalid
		if !errors.As(err, &invalid) || invalid.Field != "reason" || in.ID != uuid.Nil {
			t.Errorf("%q: %v", reason, err)
		}
	}
	want := []string{"visit.booked"}
	for range 7 {
		want = append(want, "access.refused refused")
	}
	if got := f.trail(v.ID); !slices.Equal(got, want) {
		t.Errorf("trail %v", got)
	}
	if e := f.event("access.refused"); *e.ActorID != admin.ID || !strings.Contains(string(e.Detail), `"reason-too-long"`) || !strings.Contains(string(e.Detail), `"visit.inspect"`) {
		t.Errorf("event %+v", e)
	}
	if _, err := f.Inspect(ctx, admin, v.ID, strings.Repeat("é", 500)); err != nil {
		t.Errorf("a reason of 500 characters: %v", err)
	}
}

func TestOnlyVisitsOfTheOwnOrganisationAreInspected(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	v := f.book(0)
	stranger := f.newWard()
	admin := f.staff(stranger, "admin", "Alex Roe", "Europe/Berlin")
	for _, id := range []uuid.UUID{v.ID, uuid.New()} {
		if _, err := f.Inspect(ctx, admin, id, "ticket 1"); !errors.Is(err, scheduling.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
	if calls, _, err := f.Calls(ctx, admin, scheduling.Date{}); err != nil || len(calls) != 0 {
		t.Errorf("%v %v", calls, err)
	}
}

func TestCallsOfADayAreListedByIDAndState(t *testing.T) {
	f := open(t)
	ctx, admin := t.Context(), f.staff(f.ward, "admin", "Sam Whitfield", "Asia/Tokyo") // 23:00 there
	running := f.inCall()
	f.must(f.Joined(ctx, f.patientOf(running), running.Room, f.patientOf(running).ID, monday()))
	late, tomorrow := f.book(30*time.Minute), f.book(90*time.Minute)
	ids := func(day scheduling.Date) (found []uuid.UUID) {
		t.Helper()
		calls, shown, err := f.Calls(ctx, admin, day)
		f.must(err)
		if want := (scheduling.Date{Year: 2026, Month: time.March, Day: 2}); day.IsZero() && shown != want {
			t.Errorf("the day is %s", shown)
		}
		for _, c := range calls {
			found = append(found, c.ID)
			if c.ID == running.ID && (c.State.Stage != visit.InCall || c.Present != 1 || c.StartedAt == nil) {
				t.Errorf("call %+v", c)
			}
		}
		return found
	}
	if got := ids(scheduling.Date{}); !slices.Equal(got, []uuid.UUID{running.ID, late.ID}) {
		t.Errorf("today: %v", got)
	}
	if got := ids(scheduling.Date{Year: 2026, Month: time.March, Day: 3}); !slices.Equal(got, []uuid.UUID{running.ID, tomorrow.ID}) {
		t.Errorf("tomorrow, and what runs: %v", got)
	}
	rows, err := f.db.Search(ctx, f.system, audit.Filter{Action: "calls.listed"})
	f.must(err)
	if len(rows) != 2 || !strings.Contains(string(rows[1].Detail), `"visits": 2`) && !strings.Contains(string(rows[1].Detail), `"visits":2`) {
		t.Errorf("trail %+v", rows)
	}
}
