package identity

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
)

// The tests lie inside the package so that -update may print the table; what they check goes through Can alone.
var update = flag.Bool("update", false, "write the golden files anew")

// TestAccessTable asks Can every question and prints the answers: testdata/access.md is the documentation of who may do what.
func TestAccessTable(t *testing.T) {
	var out strings.Builder
	out.WriteString("| action |")
	for _, r := range Roles() {
		fmt.Fprintf(&out, " %s |", r)
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(Roles())) + "\n")
	for _, a := range Actions() {
		fmt.Fprintf(&out, "| %s |", a)
		for _, r := range Roles() {
			fmt.Fprintf(&out, " %s |", answer(r, a))
		}
		out.WriteString("\n")
	}
	const golden = "testdata/access.md"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the policy differs from %s; if that is meant, run with -update\n%s", golden, out.String())
	}
}

// answer asks with a visit that is the principal's and with one that is not.
func answer(r Role, a Action) string {
	p := principalOf(r)
	mine, others := Resource{Org: p.Org, Visit: p.Visit, Clinician: p.Staff}, Resource{Org: p.Org, Visit: uuid.New(), Clinician: uuid.New()}
	if p.Visit == uuid.Nil {
		mine.Visit = uuid.New()
	}
	if p.Staff == uuid.Nil {
		mine.Clinician = uuid.New()
	}
	switch toMine, toOthers := Can(p, a, mine) == nil, Can(p, a, others) == nil; {
	case toMine && toOthers:
		return "yes"
	case toMine:
		return "own visit"
	case toOthers:
		return "ONLY OTHERS'"
	}
	return "-"
}

func principalOf(r Role) Principal {
	p := Principal{Org: uuid.New(), Roles: []Role{r}}
	switch r {
	case Patient, Guest:
		p.Kind, p.Participant, p.Visit = audit.Kind(r), uuid.New(), uuid.New()
	case Client:
		p.Kind = audit.Client
	default:
		p.Kind, p.Staff = audit.Staff, uuid.New()
	}
	return p
}

func TestWhatMustNeverBeAllowed(t *testing.T) {
	never := map[Role][]Action{
		Scheduler:  {NoteView, NoteEdit, NoteSign, NoteAmend, RoomJoin, VisitView, VisitStart, RecordingView, RecordingStart, AuditRead, GuestInvite},
		Compliance: {NoteView, NoteEdit, VisitView, RoomJoin, RecordingView, VisitBook, FHIRRead, WorklistView},
		Admin:      {NoteView, VisitView, RoomJoin, RecordingView, AuditRead, FHIRRead},
		Patient:    {NoteView, VisitView, WorklistView, CalendarView, PatientSearch, VisitEnd, RecordingView, AuditRead, GuestInvite, LinkView},
		Guest:      {NoteView, VisitView, VisitArrive, WorklistView, VisitEnd, RecordingView, GuestInvite, LinkView},
		Client:     {NoteView, NoteEdit, RoomJoin, RecordingView, AuditRead, VisitView, SessionEnd},
	}
	for role, actions := range never {
		p := principalOf(role)
		for _, a := range actions {
			if err := Can(p, a, Resource{Org: p.Org, Visit: p.Visit, Clinician: p.Staff}); err == nil {
				t.Errorf("%s may %s", role, a)
			}
		}
	}
}

func TestOrganisationsAreApart(t *testing.T) {
	for _, r := range Roles() {
		p := principalOf(r)
		for _, a := range Actions() {
			for name, org := range map[string]uuid.UUID{"another": uuid.New(), "none": uuid.Nil} {
				err := Can(p, a, Resource{Org: org, Visit: p.Visit, Clinician: p.Staff})
				var denied *Denied
				if !errors.As(err, &denied) || denied.RefusalCode() != "other-organisation" {
					t.Errorf("%s, %s, %s organisation: %v", r, a, name, err)
				}
			}
		}
	}
}

func TestDefaultIsDeny(t *testing.T) {
	p := principalOf(Clinician)
	here := Resource{Org: p.Org, Clinician: p.Staff}
	if Can(p, "visit.teleport", here) == nil {
		t.Error("an action without a row is allowed")
	}
	p.Roles = []Role{"wizard"}
	if Can(p, WorklistView, here) == nil {
		t.Error("an unknown role is allowed")
	}
	p.Roles = nil
	if Can(p, WorklistView, here) == nil {
		t.Error("nobody's role is allowed")
	}
	// A clinician without an id must not match a visit without a clinician, nor a patient without a visit one without an id.
	nobody := Principal{Org: p.Org, Roles: []Role{Clinician, Patient}}
	if Can(nobody, NoteView, Resource{Org: p.Org}) == nil || Can(nobody, RoomJoin, Resource{Org: p.Org}) == nil {
		t.Error("zero ids match each other")
	}
}

func TestRolesAddUp(t *testing.T) {
	p := principalOf(Clinician)
	p.Roles = []Role{Scheduler, Clinician}
	others := Resource{Org: p.Org, Visit: uuid.New(), Clinician: uuid.New()}
	if err := Can(p, VisitBook, others); err != nil {
		t.Errorf("booking as a scheduler: %v", err)
	}
	if Can(p, NoteView, others) == nil {
		t.Error("a scheduler's reach extends to notes")
	}
	if err := Can(p, NoteView, Resource{Org: p.Org, Clinician: p.Staff}); err != nil {
		t.Errorf("own note: %v", err)
	}
}

func TestEveryActionHasOneRow(t *testing.T) {
	seen := map[Action]bool{}
	for _, a := range Actions() {
		if seen[a] {
			t.Errorf("%s has two rows; the second never counts", a)
		}
		seen[a] = true
	}
}
