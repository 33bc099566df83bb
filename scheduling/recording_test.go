package scheduling_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

// recording gives a call that is being recorded.
func (f *fixture) recording() (scheduling.VisitView, scheduling.StartedRecording) {
	f.t.Helper()
	v := f.inCall()
	f.answer(v, scheduling.RolePatient, scheduling.AnswerYes)
	started, err := f.StartRecording(f.t.Context(), f.clinician, v.ID)
	f.must(err)
	return f.load(v.ID), started
}

func (f *fixture) answer(v scheduling.VisitView, role, answer string) visit.State {
	f.t.Helper()
	f.clock.at = f.clock.at.Add(time.Second)
	state, err := f.Consent(f.t.Context(), f.patientOf(v), v.ID, v.Participant(role).ID, answer)
	f.must(err)
	return state
}

func (f *fixture) guest(v scheduling.VisitView, name string) uuid.UUID {
	f.t.Helper()
	id, err := f.EnsureParticipant(f.t.Context(), f.clinician, v.ID, scheduling.RoleGuest, uuid.Nil, phi.NewText(name))
	f.must(err)
	return id
}

func TestRecordingNeedsThePatientsYesAndNobodysNo(t *testing.T) {
	f := open(t)
	v := f.inCall()
	refused := func(when string) {
		t.Helper()
		var not *scheduling.NotConsented
		if _, err := f.StartRecording(t.Context(), f.clinician, v.ID); !errors.As(err, &not) {
			t.Fatalf("%s: %v", when, err)
		}
	}
	refused("nobody answered")
	f.answer(v, scheduling.RoleClinician, scheduling.AnswerYes)
	refused("only the clinician said yes")
	f.answer(v, scheduling.RolePatient, scheduling.AnswerAsk)
	refused("the patient wants to be asked")
	f.answer(v, scheduling.RolePatient, scheduling.AnswerYes)
	guest := f.guest(v, "Mia")
	v = f.load(v.ID)
	f.clock.at = f.clock.at.Add(time.Second)
	_, err := f.Consent(t.Context(), f.clinician, v.ID, guest, scheduling.AnswerNo)
	f.must(err)
	refused("a guest said no")
	f.must(f.Joined(t.Context(), f.clinician, v.Room, guest, f.clock.at))
	f.must(f.Left(t.Context(), f.clinician, v.Room, guest, "bye", f.clock.at))
	if state := f.answer(v, scheduling.RolePatient, scheduling.AnswerYes); state.Recording != visit.RecordingConsented {
		t.Fatalf("the guest left and the patient said yes: %+v", state)
	}
	_, err = f.StartRecording(t.Context(), f.clinician, v.ID)
	f.must(err)
	if got := f.trail(v.ID); !slices.Contains(got, "recording.started refused") || got[len(got)-1] != "recording.started" {
		t.Fatalf("trail %v", got)
	}
}

func TestStartedRecordingHasAKeyOfItsOwnAndStartsOnce(t *testing.T) {
	f := open(t)
	v, started := f.recording()
	if v.State.Recording != visit.RecordingRunning || v.Recording.ID != started.ID || v.Recording.State != "running" || started.Room != v.Room || len(started.Key) != 32 {
		t.Fatalf("started %+v", v.Recording)
	}
	again, err := f.StartRecording(t.Context(), f.clinician, v.ID)
	f.must(err)
	if again.ID != started.ID || again.Key != nil || !bytes.Equal(again.WrappedKey, started.WrappedKey) {
		t.Fatalf("started again as %s", again.ID)
	}
	if e := f.event("recording.started"); e.ObjectID != started.ID.String() || e.ObjectKind != "recording" {
		t.Fatalf("event of %s %s", e.ObjectKind, e.ObjectID)
	}
}

func TestANoStopsTheRecordingAtOnce(t *testing.T) {
	f := open(t)
	v, started := f.recording()
	state := f.answer(v, scheduling.RolePatient, scheduling.AnswerNo)
	if state.Recording != visit.RecordingFinalizing || f.load(v.ID).Recording.StoppedAt == nil {
		t.Fatalf("after a no: %+v", state)
	}
	if got := f.jobs(job.FinalizeRecording); !slices.Equal(got, []uuid.UUID{started.ID}) {
		t.Fatalf("jobs %v", got)
	}
	if told := f.seen[len(f.seen)-1]; told.Before.Recording != visit.RecordingRunning || told.After.Recording != visit.RecordingFinalizing || told.Recording != started.ID {
		t.Fatalf("told %+v", told)
	}
	got := f.trail(v.ID)
	if !slices.Equal(got[len(got)-3:], []string{"consent.answered", "recording.consent-withdrawn", "recording.stopped"}) {
		t.Fatalf("trail %v", got)
	}
	if state = f.answer(v, scheduling.RolePatient, scheduling.AnswerYes); state.Recording != visit.RecordingFinalizing {
		t.Fatalf("a yes after the no: %+v", state)
	}
}

func TestEndOfTheCallFinalisesTheRecording(t *testing.T) {
	f := open(t)
	v, started := f.recording()
	for range 2 {
		state, err := f.End(t.Context(), f.clinician, v.ID, "timeout")
		f.must(err)
		if state.Stage != visit.Ended || state.Recording != visit.RecordingFinalizing {
			t.Fatalf("ended as %+v", state)
		}
	}
	if got := f.jobs(job.FinalizeRecording); !slices.Equal(got, []uuid.UUID{started.ID}) {
		t.Fatalf("jobs %v", got)
	}
	for range 2 {
		f.must(f.RecordingStored(t.Context(), f.system, started.ID, scheduling.StoredRecording{Duration: 61 * time.Second, Bytes: 12, SHA256: []byte{1, 2}, ContentType: "video/webm"}))
	}
	after := f.load(v.ID)
	if r := after.Recording; after.State.Recording != visit.RecordingStored || r.State != "stored" || r.Duration != 61*time.Second || r.Bytes != 12 || r.StoredAt == nil || r.ContentType != "video/webm" {
		t.Fatalf("stored %+v", after.Recording)
	}
	var refused *visit.Refused
	if err := f.RecordingFailed(t.Context(), f.system, started.ID, "late"); !errors.As(err, &refused) || f.load(v.ID).Recording.State != "stored" {
		t.Fatalf("a stored recording failed: %v", err)
	}
}

func TestStoppedRecordingIsFinalisedWhileTheCallGoesOn(t *testing.T) {
	f := open(t)
	v, started := f.recording()
	state, err := f.StopRecording(t.Context(), f.clinician, v.ID)
	f.must(err)
	if state.Stage != visit.InCall || state.Recording != visit.RecordingFinalizing || len(f.jobs(job.FinalizeRecording)) != 1 {
		t.Fatalf("stopped as %+v", state)
	}
	f.must(f.RecordingFailed(t.Context(), f.system, started.ID, "no media came"))
	if after := f.load(v.ID); after.State.Recording != visit.RecordingFailed || after.Recording.Problem != "no media came" {
		t.Fatalf("failed as %+v", after.Recording)
	}
}

func TestFactsOfTheRecorderAreKeptOnceAndReadBack(t *testing.T) {
	f := open(t)
	v, started := f.recording()
	track := scheduling.Track{ID: uuid.New(), Recording: started.ID, Participant: v.Participant(scheduling.RolePatient).ID, Kind: "video", Source: "camera", Codec: "video/VP8", StartedAt: monday()}
	segment := scheduling.Segment{Recording: started.ID, Track: track.ID, Seq: 3, ObjectKey: "recordings/x", Bytes: 9, SHA256: []byte{7}, Start: 2 * time.Second, Duration: 1900 * time.Millisecond, StoredAt: monday()}
	for range 2 {
		f.must(f.TrackStarted(t.Context(), f.org, track))
		f.must(f.SegmentStored(t.Context(), f.org, segment))
	}
	m, err := f.Manifest(t.Context(), f.org, started.ID)
	f.must(err)
	if len(m.Tracks) != 1 || m.Tracks[0] != track || len(m.Segments) != 1 || !bytes.Equal(m.WrappedKey, started.WrappedKey) || m.Visit != v.ID || m.Room != v.Room {
		t.Fatalf("manifest %+v", m)
	}
	if got := m.Segments[0]; got.Seq != 3 || got.Duration != segment.Duration || got.Start != segment.Start || got.ObjectKey != "recordings/x" || !bytes.Equal(got.SHA256, segment.SHA256) {
		t.Fatalf("segment %+v", got)
	}
	org, err := f.OrgOfRecording(t.Context(), started.ID)
	f.must(err)
	if org != f.org {
		t.Fatalf("the recording is of %s", org)
	}
	foreign := f.newWard()
	for name, err := range map[string]error{
		"track":    f.TrackStarted(t.Context(), foreign.org, track),
		"segment":  f.SegmentStored(t.Context(), foreign.org, segment),
		"stored":   f.RecordingStored(t.Context(), foreign.system, started.ID, scheduling.StoredRecording{}),
		"manifest": func() error { _, err := f.Manifest(t.Context(), foreign.org, started.ID); return err }(),
		"unknown":  func() error { _, err := f.OrgOfRecording(t.Context(), uuid.New()); return err }(),
	} {
		if !errors.Is(err, scheduling.ErrNotFound) {
			t.Errorf("%s of another organisation: %v", name, err)
		}
	}
}

func TestWatchingARecordingIsInTheTrailByName(t *testing.T) {
	f := open(t)
	v, started := f.recording()
	m, err := f.OpenRecording(t.Context(), f.clinician, started.ID, scheduling.RecordingDownloaded, "peer review")
	f.must(err)
	e := f.event("recording.downloaded")
	if m.ID != started.ID || *e.ActorID != f.clinician.ID || *e.Patient != f.patient || *e.Visit != v.ID || e.ObjectID != started.ID.String() {
		t.Fatalf("event %+v", e)
	}
	list, err := f.Recordings(t.Context(), f.clinician, f.clinician.ID)
	f.must(err)
	none, err := f.Recordings(t.Context(), f.clinician, uuid.New())
	f.must(err)
	if len(list) != 1 || list[0].ID != v.ID || len(none) != 0 {
		t.Fatalf("listed %d and %d", len(list), len(none))
	}
}
