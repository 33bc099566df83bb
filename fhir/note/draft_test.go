package note_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestDraftIsKeptAndReadBack(t *testing.T) {
	f := open(t)
	v := f.book()
	empty, err := f.Load(t.Context(), f.clinician, v.ID)
	f.must(err)
	if empty.Version != 0 || !empty.Body.Empty() {
		t.Fatalf("a draft before the first: version %d", empty.Version)
	}
	version, err := f.Save(t.Context(), f.clinician, v.ID, 0, body("Cough\r\nsince Monday."))
	f.must(err)
	version, err = f.Save(t.Context(), f.clinician, v.ID, version, body("Cough\r\nsince Sunday."))
	f.must(err)
	draft, err := f.Load(t.Context(), f.clinician, v.ID)
	f.must(err)
	if version != 2 || draft.Version != 2 || draft.Body.Subjective.Reveal() != "Cough\nsince Sunday." || draft.SavedBy != f.clinician.ID || !draft.SavedAt.Equal(f.at) {
		t.Fatalf("version %d, draft %+v", version, draft)
	}
	if after := f.load(v.ID); after.State.Note != visit.NoteDraft || after.Version != v.Version+1 {
		t.Fatalf("two saves left the visit at %+v, version %d", after.State, after.Version)
	}
	if got := f.actions(v.ID); !slices.Equal(got[1:], []string{"note.viewed", "note.saved", "note.saved", "note.viewed"}) {
		t.Fatalf("trail %v", got)
	}
}

func TestTwoTabsNeverOverwriteEachOther(t *testing.T) {
	f := open(t)
	v := f.book()
	first, err := f.Save(t.Context(), f.clinician, v.ID, 0, body("first tab"))
	f.must(err)
	_, err = f.Save(t.Context(), f.clinician, v.ID, first, body("second tab"))
	f.must(err)
	for _, seen := range []int64{0, first, 7} {
		var stale *note.Stale
		_, err = f.Save(t.Context(), f.clinician, v.ID, seen, body("first tab again"))
		if !errors.As(err, &stale) || stale.Newer.Version != 2 || stale.Newer.Body.Subjective.Reveal() != "second tab" {
			t.Fatalf("a tab that saw version %d: %v", seen, err)
		}
		if strings.Contains(err.Error(), "tab") {
			t.Fatalf("the error tells what was written: %v", err)
		}
	}
	draft, err := f.Load(t.Context(), f.clinician, v.ID)
	f.must(err)
	if draft.Body.Subjective.Reveal() != "second tab" {
		t.Fatal("a stale save was kept")
	}
}

func TestSaveWhoseAnswerWasLostMayBeRepeated(t *testing.T) {
	f := open(t)
	v := f.book()
	for range 2 {
		version, err := f.Save(t.Context(), f.clinician, v.ID, 0, body("once"))
		if err != nil || version != 1 {
			t.Fatalf("version %d, %v", version, err)
		}
	}
}

func TestTextThatCannotBeShownIsRefusedBySection(t *testing.T) {
	f := open(t)
	v := f.book()
	for name, text := range map[string]string{"too long": strings.Repeat("x", 64<<10+1), "not UTF-8": "a\xffb", "a null": "a\x00b", "reversed": "a\u202eb"} {
		var invalid *note.Invalid
		_, err := f.Save(t.Context(), f.clinician, v.ID, 0, note.Body{Plan: phi.NewText(text)})
		if !errors.As(err, &invalid) || invalid.Field != "plan" {
			t.Errorf("%s: %v", name, err)
		}
	}
	draft, err := f.Load(t.Context(), f.clinician, v.ID)
	if err != nil || draft.Version != 0 {
		t.Fatalf("something was kept: %+v, %v", draft, err)
	}
}

func TestNobodyElseWritesReviewsOrSigns(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	colleague, patient := f.staff("Dr. Ito"), audit.Actor{Org: f.org, Kind: audit.Patient, ID: f.clinician.ID}
	for _, who := range []audit.Actor{colleague, patient} {
		var not *note.NotClinician
		if _, err := f.Save(t.Context(), who, v.ID, 1, body("x")); !errors.As(err, &not) {
			t.Errorf("saved: %v", err)
		}
		if _, err := f.Review(t.Context(), who, v.ID); !errors.As(err, &not) {
			t.Errorf("reviewed: %v", err)
		}
		if _, err := f.Sign(t.Context(), who, v.ID, nil); !errors.As(err, &not) {
			t.Errorf("signed: %v", err)
		}
	}
	if got := f.actions(v.ID); !slices.Contains(got, "note.signed refused") || !slices.Contains(got, "note.saved refused") {
		t.Fatalf("the refusals are not in the trail: %v", got)
	}
}

func TestAnotherOrganisationFindsNoNote(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	other := uuid.New()
	f.must(f.ring.CreateOrganisation(t.Context(), other, "South Hospital", ""))
	foreign := f.clinician
	foreign.Org = other
	if _, err := f.Load(t.Context(), foreign, v.ID); !errors.Is(err, note.ErrNotFound) {
		t.Errorf("loaded: %v", err)
	}
	if _, err := f.Save(t.Context(), foreign, v.ID, 1, body("x")); !errors.Is(err, note.ErrNotFound) {
		t.Errorf("saved: %v", err)
	}
	if _, err := f.Signed(t.Context(), foreign, v.ID); !errors.Is(err, note.ErrNotFound) {
		t.Errorf("signed: %v", err)
	}
}

func TestNoDraftForAVisitThatDoesNotHappen(t *testing.T) {
	f := open(t)
	v := f.book()
	_, err := f.scheduling.Cancel(t.Context(), f.clinician, v.ID, 0, "pat")
	f.must(err)
	var refused *visit.Refused
	if _, err := f.Save(t.Context(), f.clinician, v.ID, 0, body("x")); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	if f.load(v.ID).State.Note != visit.NoteNone {
		t.Fatal("a draft was kept")
	}
}
