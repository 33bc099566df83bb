package scheduling_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestVisitFromArrivalToItsEnd(t *testing.T) {
	f := open(t)
	v := f.book(0)
	patient := f.patientOf(v)
	_, err := f.Arrive(t.Context(), patient, v.ID, scheduling.DeviceCheck{Camera: "ok", Microphone: "denied", Network: "poor"})
	f.must(err)
	f.clock.at = monday().Add(5 * time.Minute)
	_, err = f.Start(t.Context(), f.clinician, v.ID)
	f.must(err)
	f.must(f.Joined(t.Context(), patient, v.Room, patient.ID, f.clock.at))
	f.clock.at = monday().Add(25 * time.Minute)
	state, err := f.End(t.Context(), f.clinician, v.ID, "ended-by-host")
	f.must(err)
	after := f.load(v.ID)
	if state.Stage != visit.Ended || after.State != state || after.EndReason != "ended-by-host" || after.DeviceCheck.Microphone != "denied" {
		t.Fatalf("ended as %+v", after)
	}
	if !after.ArrivedAt.Equal(monday()) || !after.StartedAt.Equal(monday().Add(5*time.Minute)) || !after.EndedAt.Equal(f.clock.at) {
		t.Fatalf("times %v %v %v", after.ArrivedAt, after.StartedAt, after.EndedAt)
	}
	if p := after.Participant(scheduling.RolePatient); !p.LeftAt.Equal(f.clock.at) {
		t.Fatal("the end of the call is not the end of who was in it")
	}
	var stages []visit.Stage
	for _, s := range after.Stages {
		stages = append(stages, s.Stage)
	}
	if !slices.Equal(stages, []visit.Stage{visit.Booked, visit.Arrived, visit.InCall, visit.Ended}) {
		t.Fatalf("stages %v", stages)
	}
	if got := f.trail(v.ID); !slices.Equal(got, []string{"visit.booked", "visit.arrived", "visit.started", "room.joined", "visit.ended"}) {
		t.Fatalf("trail %v", got)
	}
	if len(f.seen) != 3 || f.seen[2].Before.Stage != visit.InCall || f.seen[2].After.Stage != visit.Ended || f.seen[2].Room != v.Room || f.seen[2].EndReason != "ended-by-host" {
		t.Fatalf("told %+v", f.seen)
	}
}

func TestRepeatedCommandChangesNothingAndIsToldApart(t *testing.T) {
	f := open(t)
	v := f.book(0)
	for range 2 {
		_, err := f.Arrive(t.Context(), f.patientOf(v), v.ID, scheduling.DeviceCheck{})
		f.must(err)
	}
	for range 2 {
		_, err := f.Start(t.Context(), f.clinician, v.ID)
		f.must(err)
	}
	for _, reason := range []string{"ended-by-host", "timeout"} {
		_, err := f.End(t.Context(), f.clinician, v.ID, reason)
		f.must(err)
	}
	after := f.load(v.ID)
	if len(after.Stages) != 4 || after.EndReason != "ended-by-host" || len(f.seen) != 3 {
		t.Fatalf("%d stages, ended by %s, told %d times", len(after.Stages), after.EndReason, len(f.seen))
	}
	want := []string{"visit.booked", "visit.arrived", "visit.unchanged", "visit.started", "visit.unchanged", "visit.ended", "visit.unchanged"}
	if got := f.trail(v.ID); !slices.Equal(got, want) {
		t.Fatalf("trail %v", got)
	}
}

func TestCancelledAndMissedVisitsTellTheEHR(t *testing.T) {
	f := open(t)
	cancelled, missed := f.book(0), f.book(time.Hour)
	for range 2 { // the second time does nothing
		_, err := f.Cancel(t.Context(), f.scheduler, cancelled.ID, 0, "pat")
		f.must(err)
		_, err = f.NoShow(t.Context(), f.clinician, missed.ID)
		f.must(err)
	}
	if a, b := f.load(cancelled.ID), f.load(missed.ID); a.State.Stage != visit.Cancelled || a.EndReason != "pat" || b.State.Stage != visit.NoShow || a.Stages[1].Reason != "pat" {
		t.Fatalf("%+v %+v", a.State, b.State)
	}
	if got := f.jobs(job.Deliver); len(got) != 4 {
		t.Fatalf("%d jobs for two appointments booked and ended", len(got))
	}
	var changed *scheduling.Changed
	third := f.book(2 * time.Hour)
	if _, err := f.Cancel(t.Context(), f.scheduler, third.ID, 9, "pat"); !errors.As(err, &changed) || changed.Version != 1 {
		t.Fatalf("another version: %v", err)
	}
}

func TestWhatTheStageForbidsIsRefusedAndLeavesNoEvent(t *testing.T) {
	f := open(t)
	v := f.inCall()
	_, err := f.End(t.Context(), f.clinician, v.ID, "timeout")
	f.must(err)
	before := f.trail(v.ID)
	for name, run := range map[string]func() error{
		"start":     func() error { _, err := f.Start(t.Context(), f.clinician, v.ID); return err },
		"arrive":    func() error { _, err := f.Arrive(t.Context(), f.clinician, v.ID, scheduling.DeviceCheck{}); return err },
		"cancel":    func() error { _, err := f.Cancel(t.Context(), f.clinician, v.ID, 0, "pat"); return err },
		"no-show":   func() error { _, err := f.NoShow(t.Context(), f.clinician, v.ID); return err },
		"recording": func() error { _, err := f.StopRecording(t.Context(), f.clinician, v.ID); return err },
		"consent": func() error {
			_, err := f.Consent(t.Context(), f.clinician, v.ID, v.Participants[0].ID, scheduling.AnswerYes)
			return err
		},
	} {
		var refused *visit.Refused
		if err := run(); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := f.trail(v.ID); !slices.Equal(after, before) {
		t.Fatalf("the refusals left %v", after)
	}
}

func TestCodesAreCodes(t *testing.T) {
	f := open(t)
	v := f.book(0)
	for name, run := range map[string]func() error{
		"cancel": func() error { _, err := f.Cancel(t.Context(), f.clinician, v.ID, 0, "Ana is ill"); return err },
		"end":    func() error { _, err := f.End(t.Context(), f.clinician, v.ID, ""); return err },
		"arrive": func() error {
			_, err := f.Arrive(t.Context(), f.clinician, v.ID, scheduling.DeviceCheck{Speaker: "loud"})
			return err
		},
		"consent": func() error {
			_, err := f.Consent(t.Context(), f.clinician, v.ID, v.Participants[0].ID, "maybe")
			return err
		},
	} {
		var invalid *scheduling.Invalid
		if err := run(); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
