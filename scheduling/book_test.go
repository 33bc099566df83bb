package scheduling_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestBookedVisitIsWhole(t *testing.T) {
	f := open(t)
	b := f.booking(time.Hour)
	b.Interpreter, b.ClientResource = "es", phi.NewText(`{"resourceType":"Appointment"}`)
	v, err := f.Book(t.Context(), f.scheduler, b)
	f.must(err)
	if v.State != visit.New() || v.Version != 1 || v.Room == uuid.Nil || v.VisitType != "video" || v.MediaPolicy != scheduling.PolicySFU || v.Language != "es" {
		t.Fatalf("booked %+v", v)
	}
	if v.Reason.Reveal() != "Cough" || v.Patient.Name.Reveal() != "Ana Ruiz" || v.Patient.BirthDate.Reveal() != "1992-03-12" || v.Patient.Details.Reveal() != `{"mrn":"4417"}` ||
		v.Patient.Reference.Reveal() != "Patient/1" || v.Clinician.Name.Reveal() != "Dr. Osei" || v.Clinician.Practitioner.Reveal() != "Practitioner/Dr. Osei" ||
		v.ClientResource.Reveal() != `{"resourceType":"Appointment"}` || !v.Appointment.IsZero() {
		t.Fatal("what is sealed does not open to what was given")
	}
	if len(v.Participants) != 2 || v.Participant(scheduling.RoleClinician).Staff != f.clinician.ID || v.Participant(scheduling.RolePatient) == nil {
		t.Fatalf("participants %+v", v.Participants)
	}
	if len(v.Stages) != 1 || v.Stages[0].Stage != visit.Booked || v.Stages[0].Actor != f.scheduler.ID || !v.Stages[0].At.Equal(monday()) {
		t.Fatalf("stages %+v", v.Stages)
	}
	if len(v.Deliveries) != 1 || v.Deliveries[0].Kind != scheduling.DeliverAppointment || v.Deliveries[0].State != visit.DeliveryDue || v.Deliveries[0].EHR != "sandbox" {
		t.Fatalf("deliveries %+v", v.Deliveries)
	}
	if got := f.jobs(job.Deliver); len(got) != 1 || got[0] != v.Deliveries[0].ID {
		t.Fatalf("jobs %v", got)
	}
	if e := f.event("visit.booked"); *e.Visit != v.ID || *e.Room != v.Room || *e.Patient != f.patient || *e.ActorID != f.scheduler.ID {
		t.Fatalf("event %+v", e)
	}
}

func TestAppointmentOfTheEHRIsNotWrittenBackAndFindsItsVisit(t *testing.T) {
	f := open(t)
	b := f.booking(time.Hour)
	b.Appointment = phi.NewText("Appointment/77")
	v, err := f.Book(t.Context(), f.clinician, b)
	f.must(err)
	if len(v.Deliveries) != 0 || len(f.jobs(job.Deliver)) != 0 {
		t.Fatal("an appointment that the EHR made was queued for it")
	}
	found, err := f.VisitByAppointment(t.Context(), f.clinician, "sandbox", phi.NewText("Appointment/77"))
	f.must(err)
	if found.ID != v.ID || found.Appointment.Reveal() != "Appointment/77" {
		t.Fatalf("found %s", found.ID)
	}
	if _, err := f.VisitByAppointment(t.Context(), f.clinician, "other", phi.NewText("Appointment/77")); !errors.Is(err, scheduling.ErrNotFound) {
		t.Fatalf("another EHR's appointment: %v", err)
	}
}

func TestBadBookingsAreRefusedByFieldAndLeaveNothing(t *testing.T) {
	f := open(t)
	for field, spoil := range map[string]func(*scheduling.Booking){
		"start": func(b *scheduling.Booking) {
			b.StartsAt, b.EndsAt = monday().Add(-25*time.Hour), monday().Add(-24*time.Hour)
		},
		"end":         func(b *scheduling.Booking) { b.EndsAt = b.StartsAt },
		"clinician":   func(b *scheduling.Booking) { b.Clinician = f.scheduler.ID },
		"patient":     func(b *scheduling.Booking) { b.Patient = uuid.New() },
		"visitType":   func(b *scheduling.Booking) { b.VisitType = "Follow up!" },
		"mediaPolicy": func(b *scheduling.Booking) { b.MediaPolicy = "p2p" },
		"language":    func(b *scheduling.Booking) { b.Language = "español" },
		"interpreter": func(b *scheduling.Booking) { b.Interpreter = "??" },
		"ehr":         func(b *scheduling.Booking) { b.EHR = "other" },
	} {
		b := f.booking(time.Hour)
		spoil(&b)
		var invalid *scheduling.Invalid
		if _, err := f.Book(t.Context(), f.scheduler, b); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	long := f.booking(time.Hour)
	long.EndsAt = long.StartsAt.Add(9 * time.Hour)
	if _, err := f.Book(t.Context(), f.scheduler, long); err == nil {
		t.Error("nine hours were booked")
	}
	day, err := f.Day(t.Context(), f.scheduler, nil, scheduling.Date{})
	f.must(err)
	if len(day) != 0 || len(f.jobs(job.Deliver)) != 0 {
		t.Fatal("a refused booking left something")
	}
}

func TestManyWhoWantOneTimeGetItOnce(t *testing.T) {
	f := open(t)
	for round := range 8 { // a deadlock of the database would not show at once
		f.crowdWants(time.Duration(round) * time.Hour)
	}
}

func (f *fixture) crowdWants(at time.Duration) {
	f.t.Helper()
	const crowd = 24
	var wait sync.WaitGroup
	won, lost := make(chan uuid.UUID, crowd), make(chan error, crowd)
	for i := range crowd {
		wait.Go(func() {
			b := f.booking(at)
			b.StartsAt = b.StartsAt.Add(time.Duration(i%2) * 15 * time.Minute) // overlapping, not only equal
			b.EndsAt = b.StartsAt.Add(30 * time.Minute)
			v, err := f.Book(context.Background(), f.scheduler, b)
			if err != nil {
				lost <- err
				return
			}
			won <- v.ID
		})
	}
	wait.Wait()
	if len(won) != 1 || len(lost) != crowd-1 {
		f.t.Fatalf("%d won and %d lost", len(won), len(lost))
	}
	close(lost)
	for err := range lost {
		var taken *scheduling.Taken
		if !errors.As(err, &taken) || len(taken.Nearest) != 3 {
			f.t.Fatalf("lost with %v", err)
		}
	}
}

func TestTakenNamesTheNearestFreeTimes(t *testing.T) {
	f := open(t)
	f.book(2 * time.Hour) // 11:00 to 11:30 in New York
	_, err := f.Book(t.Context(), f.scheduler, f.booking(2*time.Hour))
	var taken *scheduling.Taken
	if !errors.As(err, &taken) {
		t.Fatal(err)
	}
	var got []string
	for _, slot := range taken.Nearest {
		got = append(got, slot.StartsAt.Sub(monday()).String()+" for "+slot.EndsAt.Sub(slot.StartsAt).String())
	}
	if want := []string{"1h30m0s for 30m0s", "2h30m0s for 30m0s", "1h15m0s for 30m0s"}; !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
}

func TestTakenLateInTheDayOffersTheNext(t *testing.T) {
	f := open(t)
	f.clock.at = monday().Add(8*time.Hour + 15*time.Minute) // 17:15 in New York
	f.book(8*time.Hour + 30*time.Minute)
	_, err := f.Book(t.Context(), f.scheduler, f.booking(8*time.Hour+30*time.Minute))
	var taken *scheduling.Taken
	if !errors.As(err, &taken) || len(taken.Nearest) != 3 {
		t.Fatal(err)
	}
	if next := taken.Nearest[0].StartsAt; !next.Equal(time.Date(2026, 3, 3, 13, 0, 0, 0, time.UTC)) {
		t.Fatalf("the nearest is %s", next)
	}
}

func TestBackToBackIsNoConflictAndACancelledTimeIsFree(t *testing.T) {
	f := open(t)
	v := f.book(time.Hour)
	f.book(time.Hour + 30*time.Minute)
	_, err := f.Cancel(t.Context(), f.scheduler, v.ID, v.Version, "pat")
	f.must(err)
	f.book(time.Hour)
}

func TestMoveGivesAnotherTime(t *testing.T) {
	f := open(t)
	v, other := f.book(time.Hour), f.book(3*time.Hour)
	moved, err := f.Move(t.Context(), f.scheduler, v.ID, v.Version, monday().Add(5*time.Hour), monday().Add(6*time.Hour))
	f.must(err)
	if !moved.StartsAt.Equal(monday().Add(5*time.Hour)) || moved.Version != v.Version+1 || len(f.jobs(job.Deliver)) != 3 {
		t.Fatalf("moved to %s, version %d, jobs %v", moved.StartsAt, moved.Version, f.jobs(job.Deliver))
	}
	var taken *scheduling.Taken
	if _, err := f.Move(t.Context(), f.scheduler, v.ID, 0, other.StartsAt, other.EndsAt); !errors.As(err, &taken) {
		t.Fatalf("moved onto another: %v", err)
	}
	var changed *scheduling.Changed
	if _, err := f.Move(t.Context(), f.scheduler, v.ID, v.Version, other.EndsAt, other.EndsAt.Add(time.Hour)); !errors.As(err, &changed) || changed.Version != moved.Version {
		t.Fatalf("an old version moved it: %v", err)
	}
	_, err = f.Start(t.Context(), f.clinician, v.ID)
	f.must(err)
	var refused *visit.Refused
	if _, err := f.Move(t.Context(), f.scheduler, v.ID, 0, other.EndsAt, other.EndsAt.Add(time.Hour)); !errors.As(err, &refused) {
		t.Fatalf("a running call was moved: %v", err)
	}
	if got := f.trail(v.ID); !slices.Equal(got, []string{"visit.booked", "visit.moved", "visit.started"}) {
		t.Fatalf("trail %v", got)
	}
}

func TestResourceOfAClientIsKeptForTheVersionThatItSaw(t *testing.T) {
	f := open(t)
	v := f.book(time.Hour)
	f.must(f.SetClientResource(t.Context(), f.scheduler, v.ID, v.Version, phi.NewText(`{"a":1}`)))
	var changed *scheduling.Changed
	if err := f.SetClientResource(t.Context(), f.scheduler, v.ID, v.Version, phi.NewText(`{"b":1}`)); !errors.As(err, &changed) {
		t.Fatalf("an old version was taken: %v", err)
	}
	if after := f.load(v.ID); after.ClientResource.Reveal() != `{"a":1}` || after.Version != v.Version+1 {
		t.Fatalf("version %d", after.Version)
	}
}

func TestAnotherOrganisationSeesAndTouchesNothing(t *testing.T) {
	f := open(t)
	v := f.book(time.Hour)
	foreign := f.newWard()
	other := foreign.clinician
	calls := map[string]func() error{
		"visit":    func() error { _, err := f.Visit(t.Context(), other, v.ID); return err },
		"start":    func() error { _, err := f.Start(t.Context(), other, v.ID); return err },
		"cancel":   func() error { _, err := f.Cancel(t.Context(), other, v.ID, 0, "pat"); return err },
		"end":      func() error { _, err := f.End(t.Context(), other, v.ID, "timeout"); return err },
		"patient":  func() error { _, err := f.Patient(t.Context(), other, f.patient); return err },
		"wait":     func() error { _, err := f.ExpectedWait(t.Context(), other, v.ID); return err },
		"work":     func() error { _, err := f.ForWork(t.Context(), other.Org, v.ID); return err },
		"delivery": func() error { _, err := f.Delivery(t.Context(), other.Org, v.Deliveries[0].ID); return err },
		"participant": func() error {
			_, err := f.EnsureParticipant(t.Context(), other, v.ID, scheduling.RoleGuest, uuid.Nil, phi.NewText("x"))
			return err
		},
		"joined": func() error {
			return f.Joined(t.Context(), other, v.Room, v.Participants[0].ID, monday())
		},
		"consent": func() error {
			_, err := f.Consent(t.Context(), other, v.ID, v.Participants[0].ID, scheduling.AnswerNo)
			return err
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, scheduling.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var invalid *scheduling.Invalid
	b := f.booking(4 * time.Hour)
	b.Clinician = other.ID
	if _, err := f.Book(t.Context(), f.scheduler, b); !errors.As(err, &invalid) || invalid.Field != "clinician" {
		t.Errorf("a clinician of another organisation was booked: %v", err)
	}
	b = f.booking(4 * time.Hour)
	b.Patient = foreign.patient
	if _, err := f.Book(t.Context(), f.scheduler, b); !errors.As(err, &invalid) || invalid.Field != "patient" {
		t.Errorf("a patient of another organisation was booked: %v", err)
	}
	day, err := f.Day(t.Context(), other, nil, scheduling.Date{})
	if err != nil || len(day) != 0 {
		t.Errorf("another organisation sees %d visits, %v", len(day), err)
	}
	if after := f.load(v.ID); after.Version != v.Version {
		t.Error("another organisation changed the visit")
	}
}

func TestDatabaseItselfRefusesAChangeWithoutAnEvent(t *testing.T) {
	f := open(t)
	v := f.book(time.Hour)
	for _, sql := range []string{
		"update visit set stage = 'cancelled' where id = $1",
		"update participant set joined_at = now() where visit_id = $1",
		"update delivery set problem = 'x' where visit_id = $1",
	} {
		err := f.raw(sql, v.ID)
		if err == nil || !strings.Contains(audit.Safe(err), "TV002") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if after := f.load(v.ID); after.State != v.State {
		t.Fatal("the visit was changed without an event")
	}
}
