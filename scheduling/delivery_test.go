package scheduling_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

func accepted(ref string) scheduling.DeliveryResult {
	return scheduling.DeliveryResult{State: visit.DeliveryAccepted, Reference: phi.NewText(ref), ETag: `W/"1"`}
}

// signed gives a visit whose note is signed, by the transitions alone, with an encounter and a note to deliver.
func (f *fixture) signed(after time.Duration) (id uuid.UUID, deliveries []uuid.UUID) {
	f.t.Helper()
	v := f.book(after)
	_, err := f.Start(f.t.Context(), f.clinician, v.ID)
	f.must(err)
	_, err = f.End(f.t.Context(), f.clinician, v.ID, "ended-by-host")
	f.must(err)
	f.must(f.db.Do(f.t.Context(), f.clinician, audit.Event{Action: "note.signed"}, func(ctx context.Context, tx *audit.Tx) error {
		if _, err := f.Change(ctx, tx, f.clinician, v.ID, visit.SaveDraft, visit.Sign); err != nil {
			return err
		}
		for _, kind := range []string{scheduling.DeliverEncounter, scheduling.DeliverNote} {
			d, err := f.QueueDelivery(ctx, tx, v.ID, kind, uuid.Nil)
			if err != nil {
				return err
			}
			deliveries = append(deliveries, d)
		}
		return nil
	}))
	return v.ID, deliveries
}

func TestVisitIsDeliveredWhenAllItsPartsAre(t *testing.T) {
	f := open(t)
	id, d := f.signed(0)
	record := func(delivery uuid.UUID, r scheduling.DeliveryResult, want visit.Delivery) {
		t.Helper()
		f.must(f.RecordDelivery(t.Context(), f.system, delivery, r, nil))
		if got := f.load(id).State.Delivery; got != want {
			t.Fatalf("the visit's delivery is %s, want %s", got, want)
		}
	}
	record(d[0], scheduling.DeliveryResult{State: visit.DeliveryDue, Problem: "The EHR does not answer."}, visit.DeliveryDue)
	record(d[0], scheduling.DeliveryResult{State: visit.DeliverySent}, visit.DeliverySent)
	record(d[0], accepted("Encounter/9"), visit.DeliverySent)
	record(d[0], accepted("Encounter/9"), visit.DeliverySent)
	record(d[0], scheduling.DeliveryResult{State: visit.DeliveryRejected, Problem: "late answer"}, visit.DeliverySent)
	record(d[1], accepted("DocumentReference/5"), visit.DeliveryAccepted)
	after := f.load(id)
	if after.Encounter.Reveal() != "Encounter/9" {
		t.Fatal("the visit does not know its encounter")
	}
	one, err := f.Delivery(t.Context(), f.org, d[0])
	f.must(err)
	if one.State != visit.DeliveryAccepted || one.Attempts != 4 || one.Reference.Reveal() != "Encounter/9" || one.ETag != `W/"1"` || one.AcceptedAt == nil || one.Problem != "" || one.Visit != id {
		t.Fatalf("delivery %+v", one)
	}
}

func TestRejectedDeliveryShowsAndIsTriedAgainOnDemand(t *testing.T) {
	f := open(t)
	id, d := f.signed(0)
	before := len(f.jobs(job.Deliver))
	f.must(f.RecordDelivery(t.Context(), f.system, d[0], accepted("Encounter/9"), nil))
	f.must(f.RecordDelivery(t.Context(), f.system, d[1], scheduling.DeliveryResult{State: visit.DeliveryRejected, Problem: "The EHR takes no notes of this type."}, nil))
	v := f.load(id)
	if v.State.Delivery != visit.DeliveryRejected {
		t.Fatalf("the visit's delivery is %s", v.State.Delivery)
	}
	for range 2 { // the second is under way already
		f.must(f.RetryDelivery(t.Context(), f.clinician, d[1]))
	}
	one, err := f.Delivery(t.Context(), f.org, d[1])
	f.must(err)
	if one.State != visit.DeliveryDue || one.Problem != "" || len(f.jobs(job.Deliver)) != before+1 {
		t.Fatalf("retried as %+v with %d jobs more", one, len(f.jobs(job.Deliver))-before)
	}
	if got := f.load(id).State.Delivery; got != visit.DeliverySent {
		t.Fatalf("the visit's delivery is %s", got)
	}
	f.must(f.RecordDelivery(t.Context(), f.system, d[1], accepted("DocumentReference/5"), nil))
	got := f.trail(id)
	want := []string{"delivery.retried", "delivery.queued", "delivery.sent", "visit.unchanged", "delivery.accepted"}
	if !slices.Equal(got[len(got)-len(want):], want) {
		t.Fatalf("trail %v", got)
	}
}

func TestDeliveredAppointmentFindsItsVisit(t *testing.T) {
	f := open(t)
	v := f.book(time.Hour)
	f.must(f.RecordDelivery(t.Context(), f.system, v.Deliveries[0].ID, accepted("Appointment/31"), nil))
	found, err := f.VisitByAppointment(t.Context(), f.clinician, "sandbox", phi.NewText("Appointment/31"))
	f.must(err)
	if found.ID != v.ID || found.State.Delivery != visit.DeliveryNone {
		t.Fatalf("found %s, %+v", found.ID, found.State)
	}
	f.must(f.RecordDelivery(t.Context(), f.system, v.Deliveries[0].ID, scheduling.DeliveryResult{State: visit.DeliveryRejected, Problem: "The EHR does not take the new time."}, nil))
	if d := f.load(v.ID).Deliveries[0]; d.State != visit.DeliveryRejected || d.Reference.Reveal() != "Appointment/31" {
		t.Fatalf("a changed appointment that is refused shows as %+v", d)
	}
	f.must(f.SetEncounter(t.Context(), f.clinician, v.ID, phi.NewText("Encounter/8")))
	after := f.load(v.ID)
	if after.Encounter.Reveal() != "Encounter/8" {
		t.Fatal("the encounter of the launch is not kept")
	}
	if after.Version != v.Version || !after.UpdatedAt.Equal(v.UpdatedAt) {
		t.Fatalf("whoever read version %d cannot move it any more: it is %d", v.Version, after.Version)
	}
}

func TestResultAndLedgerAreKeptTogetherOrNotAtAll(t *testing.T) {
	f := open(t)
	id, d := f.signed(0)
	full := errors.New("the ledger is full")
	err := f.RecordDelivery(t.Context(), f.system, d[0], accepted("Encounter/9"), func(context.Context, *audit.Tx) error { return full })
	if !errors.Is(err, full) || f.load(id).State.Delivery != visit.DeliveryDue {
		t.Fatalf("kept without its ledger: %v", err)
	}
	var invalid *scheduling.Invalid
	if err := f.RecordDelivery(t.Context(), f.system, d[0], scheduling.DeliveryResult{State: visit.DeliveryAccepted}, nil); !errors.As(err, &invalid) {
		t.Fatalf("accepted without a reference: %v", err)
	}
	if err := f.RecordDelivery(t.Context(), f.system, uuid.New(), accepted("X/1"), nil); !errors.Is(err, scheduling.ErrNotFound) {
		t.Fatalf("of nothing: %v", err)
	}
}

func TestDeliveryOfARecordingFollowsTheRecording(t *testing.T) {
	for name, c := range map[string]struct {
		report func(*fixture, uuid.UUID) error
		want   visit.Delivery
		jobs   int
	}{
		"stored": {func(f *fixture, id uuid.UUID) error {
			return f.RecordingStored(f.t.Context(), f.system, id, scheduling.StoredRecording{})
		}, visit.DeliveryDue, 1},
		"failed": {func(f *fixture, id uuid.UUID) error {
			return f.RecordingFailed(f.t.Context(), f.system, id, "no media")
		}, visit.DeliveryRejected, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			v, started := f.recording()
			_, err := f.End(t.Context(), f.clinician, v.ID, "ended-by-host")
			f.must(err)
			var delivery uuid.UUID
			f.must(f.db.Do(t.Context(), f.clinician, audit.Event{Action: "note.signed"}, func(ctx context.Context, tx *audit.Tx) error {
				if _, err := f.Change(ctx, tx, f.clinician, v.ID, visit.SaveDraft, visit.Sign); err != nil {
					return err
				}
				delivery, err = f.QueueDelivery(ctx, tx, v.ID, scheduling.DeliverRecording, started.ID)
				return err
			}))
			before := len(f.jobs(job.Deliver))
			f.must(c.report(f, started.ID))
			one, err := f.Delivery(t.Context(), f.org, delivery)
			f.must(err)
			if one.State != c.want || f.load(v.ID).State.Delivery != c.want || len(f.jobs(job.Deliver)) != before+c.jobs {
				t.Fatalf("delivery %+v, visit %+v, %d jobs more", one, f.load(v.ID).State, len(f.jobs(job.Deliver))-before)
			}
		})
	}
}
