package scheduling_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

func TestJoiningTellsTimeActorRoomAndAddress(t *testing.T) {
	f := open(t)
	v := f.inCall()
	patient := f.patientOf(v)
	at := monday().Add(90 * time.Second)
	f.must(f.Joined(t.Context(), patient, v.Room, patient.ID, at))
	e := f.event("room.joined")
	if *e.ActorID != patient.ID || *e.IP != netip.MustParseAddr("203.0.113.9") || *e.Room != v.Room || *e.Visit != v.ID || *e.Patient != f.patient || e.ObjectID != patient.ID.String() {
		t.Fatalf("event %+v", e)
	}
	if !strings.Contains(string(e.Detail), at.Format(time.RFC3339)) {
		t.Fatalf("detail %s", e.Detail)
	}
	nowhere := patient
	nowhere.IP = netip.Addr{}
	if err := f.Joined(t.Context(), nowhere, v.Room, patient.ID, at); err == nil {
		t.Fatal("somebody joined from nowhere")
	}
}

func TestParticipantsPeriodSurvivesLeavingAndReturning(t *testing.T) {
	f := open(t)
	v := f.inCall()
	patient := f.patientOf(v)
	at := func(minutes int) time.Time { return monday().Add(time.Duration(minutes) * time.Minute) }
	period := func() (from, to *time.Time) {
		p := f.load(v.ID).Participant(scheduling.RolePatient)
		return p.JoinedAt, p.LeftAt
	}
	f.must(f.Left(t.Context(), patient, v.Room, patient.ID, "bye", at(0)))
	if from, to := period(); from != nil || to != nil {
		t.Fatal("who never joined has left")
	}
	f.must(f.Joined(t.Context(), patient, v.Room, patient.ID, at(1)))
	f.must(f.Lost(t.Context(), patient, v.Room, patient.ID, at(2)))
	f.must(f.Resumed(t.Context(), patient, v.Room, patient.ID, at(2)))
	f.must(f.Left(t.Context(), patient, v.Room, patient.ID, "bye", at(3)))
	f.must(f.Joined(t.Context(), patient, v.Room, patient.ID, at(4)))
	if from, to := period(); !from.Equal(at(1)) || to != nil {
		t.Fatalf("returned: %v to %v", from, to)
	}
	f.must(f.Left(t.Context(), patient, v.Room, patient.ID, "bye", at(5)))
	if _, to := period(); !to.Equal(at(5)) {
		t.Fatalf("left at %v", to)
	}
	want := []string{"visit.booked", "visit.started", "room.left", "room.joined", "room.lost", "room.resumed", "room.left", "room.joined", "room.left"}
	if got := f.trail(v.ID); !slices.Equal(got, want) {
		t.Fatalf("trail %v", got)
	}
}

func TestStreamIsKeptOnceWithItsMediaSession(t *testing.T) {
	f := open(t)
	v := f.inCall()
	patient := f.patientOf(v)
	stream := uuid.New()
	for range 2 {
		f.must(f.StreamStarted(t.Context(), patient, v.Room, patient.ID, stream, "video", monday()))
	}
	if e := f.event("stream.started"); e.ObjectID != stream.String() || e.ObjectKind != "media-session" || *e.Visit != v.ID {
		t.Fatalf("event %+v", e)
	}
	if n := strings.Count(strings.Join(f.trail(v.ID), " "), "stream.started"); n != 1 {
		t.Fatalf("kept %d times", n)
	}
}

func TestRoomIsFoundAndStrangersAreNotInIt(t *testing.T) {
	f := open(t)
	v := f.inCall()
	org, id, err := f.VisitOfRoom(t.Context(), v.Room)
	if err != nil || org != f.org || id != v.ID {
		t.Fatalf("%s %s %v", org, id, err)
	}
	if _, _, err := f.VisitOfRoom(t.Context(), uuid.New()); !errors.Is(err, scheduling.ErrNotFound) {
		t.Fatalf("a room of nobody: %v", err)
	}
	other := f.book(time.Hour)
	if err := f.Joined(t.Context(), f.clinician, v.Room, other.Participants[0].ID, monday()); !errors.Is(err, scheduling.ErrNotFound) {
		t.Fatalf("a participant of another visit joined: %v", err)
	}
}

func TestOpenCallsOfEveryOrganisationAreListed(t *testing.T) {
	f := open(t)
	recorded, started := f.recording()
	f.book(time.Hour)
	home := f.ward
	f.ward = f.newWard()
	v := f.inCall()
	patient := f.patientOf(v)
	f.must(f.Joined(t.Context(), patient, v.Room, patient.ID, monday()))
	calls, err := f.OpenCalls(t.Context())
	f.must(err)
	byVisit := map[uuid.UUID]scheduling.OpenCall{}
	for _, c := range calls {
		byVisit[c.Visit] = c
	}
	if len(calls) != 2 || byVisit[recorded.ID].Recording != started.ID || byVisit[recorded.ID].Org != home.org || byVisit[v.ID].Recording != uuid.Nil || byVisit[v.ID].Room != v.Room {
		t.Fatalf("calls %+v", calls)
	}
	if entered := byVisit[v.ID].Entered; len(entered) != 1 || entered[0] != patient.ID || len(byVisit[recorded.ID].Entered) != 0 {
		t.Fatalf("calls %+v", calls)
	}
}

func TestParticipantsAreEnsuredOnce(t *testing.T) {
	f := open(t)
	v := f.book(0)
	ensure := func(role string, staff uuid.UUID, label string) uuid.UUID {
		t.Helper()
		id, err := f.EnsureParticipant(t.Context(), f.clinician, v.ID, role, staff, phi.NewText(label))
		f.must(err)
		return id
	}
	if ensure(scheduling.RolePatient, uuid.Nil, "") != v.Participant(scheduling.RolePatient).ID || ensure(scheduling.RoleClinician, f.clinician.ID, "") != v.Participant(scheduling.RoleClinician).ID {
		t.Fatal("the two of the visit are not those of its booking")
	}
	colleague := f.staff(f.ward, "clinician", "Dr. Ito", "Asia/Tokyo")
	if second := ensure(scheduling.RoleClinician, colleague.ID, ""); second != ensure(scheduling.RoleClinician, colleague.ID, "") {
		t.Fatal("a second clinician is two")
	}
	if one := ensure(scheduling.RoleGuest, uuid.Nil, "Mia"); one == ensure(scheduling.RoleGuest, uuid.Nil, "Mia") {
		t.Fatal("two guests of one name are one")
	}
	var labels []string
	for _, p := range f.load(v.ID).Participants {
		if p.Role == scheduling.RoleGuest {
			labels = append(labels, p.Label.Reveal())
		}
	}
	if !slices.Equal(labels, []string{"Mia", "Mia"}) {
		t.Fatalf("guests %v", labels)
	}
	for name, try := range map[string]func() error{
		"role": func() error {
			_, err := f.EnsureParticipant(t.Context(), f.clinician, v.ID, "host", uuid.Nil, phi.Text{})
			return err
		},
		"staff": func() error {
			_, err := f.EnsureParticipant(t.Context(), f.clinician, v.ID, scheduling.RoleClinician, uuid.Nil, phi.Text{})
			return err
		},
		"clinician": func() error {
			_, err := f.EnsureParticipant(t.Context(), f.clinician, v.ID, scheduling.RoleClinician, f.scheduler.ID, phi.Text{})
			return err
		},
		"label": func() error {
			_, err := f.EnsureParticipant(t.Context(), f.clinician, v.ID, scheduling.RolePatient, uuid.Nil, phi.NewText("x"))
			return err
		},
	} {
		var invalid *scheduling.Invalid
		if err := try(); !errors.As(err, &invalid) || invalid.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
