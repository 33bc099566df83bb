package note_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

func TestReviewedBytesAreCanonicalAndHoldTheVisit(t *testing.T) {
	f := open(t)
	v := f.drafted(true)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	text := r.Bytes.Reveal()
	if sum := sha256.Sum256([]byte(text)); !bytes.Equal(sum[:], r.SHA256) || r.Version != 1 {
		t.Fatal("the fingerprint is not that of the bytes")
	}
	want := `{"attestation":"I, Dr. Osei, conducted this visit by live video on 2 March 2026 09:00 to 09:30 EST (America/New_York) with Ana <Ruiz> (patient), and attest that this note is my own record of it."` +
		`,"clinician":{"id":"` + f.clinician.ID.String() + `","name":"Dr. Osei"},"consent":[{"answer":"yes","at":"2026-03-02T14:00:00Z","participant":"` + v.Participant("patient").ID.String() + `","role":"patient"}]` +
		`,"format":"televisit.note.1","kind":"original","note":{"assessment":"","objective":"","plan":"Rest & fluids.","subjective":"Cough since Monday."}` +
		`,"participants":[{"id":"` + v.Participant("clinician").ID.String() + `","joined":"2026-03-02T14:00:00Z","left":"2026-03-02T14:30:00Z","name":"Dr. Osei","role":"clinician"},` +
		`{"id":"` + v.Participant("patient").ID.String() + `","joined":"2026-03-02T14:01:00Z","left":"2026-03-02T14:30:00Z","name":"Ana <Ruiz>","role":"patient"}]` +
		`,"patient":{"birthDate":"1992-03-12","id":"` + f.patient.String() + `","name":"Ana <Ruiz>","reference":"Patient/1"}` +
		`,"recording":{"id":"` + v.Recording.ID.String() + `","url":"https://televisit.example/recordings/` + v.Recording.ID.String() + `"}` +
		`,"visit":{"ended":"2026-03-02T14:30:00Z","id":"` + v.ID.String() + `","scheduledEnd":"2026-03-02T14:30:00Z","scheduledStart":"2026-03-02T14:00:00Z","started":"2026-03-02T14:00:00Z","timeZone":"America/New_York","type":"video"}}`
	if text != want {
		t.Fatalf("the bytes are\n%s\nwant\n%s", text, want)
	}
	again, err := f.Review(t.Context(), f.clinician, v.ID)
	if err != nil || !again.Bytes.Equal(r.Bytes) {
		t.Fatal("the same note has other bytes")
	}
}

func TestSignedNoteIsWholeAndItsDeliveriesAreQueued(t *testing.T) {
	f := open(t)
	v := f.drafted(true)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	signed, err := f.Sign(t.Context(), f.clinician, v.ID, r.SHA256)
	f.must(err)
	after := f.load(v.ID)
	if after.State.Note != visit.NoteSigned || after.State.Delivery != visit.DeliveryDue {
		t.Fatalf("the visit is %+v", after.State)
	}
	queued := map[string]uuid.UUID{}
	for _, d := range after.Deliveries {
		queued[d.Kind] = d.Subject
	}
	if len(after.Deliveries) != 4 || queued["note"] != signed.ID || queued["recording"] != v.Recording.ID || queued["encounter"] != uuid.Nil {
		t.Fatalf("queued %v", queued)
	}
	var jobs int
	f.must(f.owner.QueryRow(t.Context(), "select count(*) from river.river_job j join delivery d on d.id = (j.args->>'id')::uuid where j.kind = 'deliver' and d.kind <> 'appointment'").Scan(&jobs))
	if jobs != 3 {
		t.Fatalf("%d jobs", jobs)
	}
	kept, err := f.Signed(t.Context(), f.clinician, v.ID)
	f.must(err)
	work, err := f.ForWork(t.Context(), f.org, signed.ID)
	f.must(err)
	for _, n := range append(kept, work) {
		if n.ID != signed.ID || !n.Bytes.Equal(r.Bytes) || n.Kind != note.Original || n.SignedBy != f.clinician.ID || n.Content.Note.Subjective.Reveal() != "Cough since Monday." {
			t.Fatalf("kept %+v", n)
		}
		says, err := note.VerifySigned(n.Bytes, n.Signature, f.key.Public())
		if err != nil || says.Signer != f.clinician.ID || says.KeyID != "k1" || !says.SignedAt.Equal(f.at) {
			t.Fatalf("the signature says %+v, %v", says, err)
		}
	}
	if got := f.actions(v.ID); !slices.Equal(got[len(got)-3:], []string{"note.signed", "delivery.queued", "note.viewed"}) {
		t.Fatalf("trail %v", got)
	}
}

func TestOnlyWhatWasShownIsSigned(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	_, err = f.Save(t.Context(), f.clinician, v.ID, 1, body("Changed in another tab."))
	f.must(err)
	var not *note.NotShown
	for _, shown := range [][]byte{r.SHA256, nil, make([]byte, 32)} {
		if _, err := f.Sign(t.Context(), f.clinician, v.ID, shown); !errors.As(err, &not) {
			t.Fatalf("signed what was not shown: %v", err)
		}
	}
	after := f.load(v.ID)
	if after.State.Note != visit.NoteDraft || after.State.Delivery != visit.DeliveryNone || len(after.Deliveries) != 1 {
		t.Fatalf("a refused signature left %+v and %d deliveries", after.State, len(after.Deliveries))
	}
	if got := f.actions(v.ID); !slices.Contains(got, "note.signed refused") {
		t.Fatalf("trail %v", got)
	}
}

func TestSigningNeedsAnEndAndSomethingWritten(t *testing.T) {
	f := open(t)
	v := f.ended(false)
	if _, err := f.Review(t.Context(), f.clinician, v.ID); !errors.Is(err, note.ErrNothingToSign) {
		t.Fatalf("nothing was written: %v", err)
	}
	_, err := f.Save(t.Context(), f.clinician, v.ID, 0, note.Body{Plan: phi.NewText(" \n ")})
	f.must(err)
	if _, err := f.Sign(t.Context(), f.clinician, v.ID, nil); !errors.Is(err, note.ErrNothingToSign) {
		t.Fatalf("only spaces were written: %v", err)
	}
	f.at = f.at.Add(31 * time.Minute)
	open := f.book()
	_, err = f.Save(t.Context(), f.clinician, open.ID, 0, body("early"))
	f.must(err)
	if _, err := f.Review(t.Context(), f.clinician, open.ID); !errors.Is(err, note.ErrNotEnded) {
		t.Fatalf("before the end: %v", err)
	}
}

func TestSigningTwiceSignsOnce(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	ids := make(chan uuid.UUID, 8)
	var wait sync.WaitGroup
	for range cap(ids) {
		wait.Go(func() {
			signed, err := f.Sign(t.Context(), f.clinician, v.ID, r.SHA256)
			if err != nil {
				t.Error(err)
			}
			ids <- signed.ID
		})
	}
	wait.Wait()
	one := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != one {
			t.Fatal("two signed notes")
		}
	}
	if _, err := f.Sign(t.Context(), f.clinician, v.ID, make([]byte, 32)); !errors.Is(err, note.ErrAlreadySigned) {
		t.Fatalf("signed something else after: %v", err)
	}
	if _, err := f.Save(t.Context(), f.clinician, v.ID, 1, body("late")); !errors.Is(err, note.ErrAlreadySigned) {
		t.Fatalf("saved after signing: %v", err)
	}
	if _, err := f.Review(t.Context(), f.clinician, v.ID); !errors.Is(err, note.ErrAlreadySigned) {
		t.Fatalf("reviewed after signing: %v", err)
	}
	if n := len(f.load(v.ID).Deliveries); n != 3 {
		t.Fatalf("%d deliveries", n)
	}
}

func TestRecordingThatIsStoredAfterTheSignatureIsDeliveredOnce(t *testing.T) {
	f := open(t)
	v := f.drafted(true)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	_, err = f.Sign(t.Context(), f.clinician, v.ID, r.SHA256)
	f.must(err)
	f.must(f.scheduling.RecordingStored(t.Context(), audit.SystemActor(f.org), v.Recording.ID, scheduling.StoredRecording{Bytes: 10, SHA256: []byte{1}, ContentType: "video/webm"}))
	count := 0
	for _, d := range f.load(v.ID).Deliveries {
		if d.Kind == scheduling.DeliverRecording {
			count++
		}
	}
	if count != 1 {
		t.Fatalf("the recording is delivered %d times", count)
	}
}

func TestFailedRecordingIsNotInTheNote(t *testing.T) {
	f := open(t)
	v := f.drafted(true)
	f.must(f.scheduling.RecordingFailed(t.Context(), audit.SystemActor(f.org), v.Recording.ID, "no media"))
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	if r.Content.Recording != nil {
		t.Fatal("the note names a recording that nobody can watch")
	}
}

func TestAmendmentsFollowEachOtherAndOnlyTheNoteIsSentAgain(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	if _, err := f.ReviewAmendment(t.Context(), f.clinician, v.ID, note.Addendum, body("x")); !errors.Is(err, note.ErrNotSigned) {
		t.Fatalf("amended what is not signed: %v", err)
	}
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	original, err := f.Sign(t.Context(), f.clinician, v.ID, r.SHA256)
	f.must(err)
	before := original
	for _, kind := range []note.Kind{note.Addendum, note.Correction} {
		f.at = f.at.Add(time.Minute)
		words := body("More: " + string(kind))
		r, err := f.ReviewAmendment(t.Context(), f.clinician, v.ID, kind, words)
		f.must(err)
		var not *note.NotShown
		if _, err := f.Amend(t.Context(), f.clinician, v.ID, kind, body("other words"), r.SHA256); !errors.As(err, &not) {
			t.Fatalf("other words were signed: %v", err)
		}
		amended, err := f.Amend(t.Context(), f.clinician, v.ID, kind, words, r.SHA256)
		f.must(err)
		repeated, err := f.Amend(t.Context(), f.clinician, v.ID, kind, words, r.SHA256)
		f.must(err)
		if amended.Kind != kind || amended.Follows != before.ID || repeated.ID != amended.ID || amended.Content.Follows != before.ID {
			t.Fatalf("%s follows %s, repeated as %s", kind, amended.Follows, repeated.ID)
		}
		if _, err := note.VerifySigned(amended.Bytes, amended.Signature, f.key.Public()); err != nil {
			t.Fatal(err)
		}
		before = amended
	}
	after := f.load(v.ID)
	if after.State.Note != visit.NoteAmended || len(after.Deliveries) != 5 { // appointment, encounter, three notes
		t.Fatalf("%+v and %d deliveries", after.State, len(after.Deliveries))
	}
	if _, err := f.Amend(t.Context(), f.clinician, v.ID, note.Original, body("x"), nil); err == nil {
		t.Fatal("a second original was taken")
	}
}

func TestSignedNoteCannotBeChangedInTheDatabase(t *testing.T) {
	f := open(t)
	v := f.drafted(false)
	r, err := f.Review(t.Context(), f.clinician, v.ID)
	f.must(err)
	_, err = f.Sign(t.Context(), f.clinician, v.ID, r.SHA256)
	f.must(err)
	for _, sql := range []string{"update signed_note set signature = 'x'", "delete from signed_note"} {
		if _, err := f.owner.Exec(t.Context(), sql); err == nil || !strings.Contains(audit.Safe(err), "TV003") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
