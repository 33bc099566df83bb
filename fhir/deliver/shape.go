package deliver

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// appointment writes what was booked here. When the EHR has it already, from an earlier delivery, it is brought up to date.
func (t *task) appointment() error {
	own := fhir.Appointment(t.mapped())
	ref := t.delivery.Reference
	switch {
	case !ref.IsZero() && t.offer.Update:
		return t.merge(ref, own, fhir.OverlayAppointment)
	case !ref.IsZero():
		return t.reject("This EHR does not let other systems change its appointments. Please change it there.")
	case !t.offer.Create:
		return t.reject("This EHR does not take appointments from other systems. Please book it there as well.")
	}
	return t.create("Appointment", own)
}

// encounter writes the visit. When the launch named an Encounter, that one is completed.
func (t *task) encounter() error {
	own := fhir.Encounter(t.mapped())
	ref := t.visit.Encounter
	switch {
	case !ref.IsZero() && t.offer.Update:
		return t.merge(ref, own, fhir.MergeEncounter)
	case !ref.IsZero():
		return t.reject("This EHR does not let other systems change its Encounters; the note goes to the one of the launch.")
	case !t.offer.Create:
		return t.reject("This EHR does not take Encounters from other systems; the note goes there without one.")
	}
	return t.create("Encounter", own)
}

func (t *task) note() error {
	signed, err := t.Notes.ForWork(t.ctx, t.who.Org, t.delivery.Subject)
	if errors.Is(err, note.ErrNotFound) || errors.Is(err, note.ErrAltered) {
		return t.reject("The signed note cannot be read any more. Please tell your IT team.")
	}
	if err != nil {
		return err
	}
	if !t.offer.Create {
		return t.reject("This EHR does not take notes from other systems. Please copy the note there.")
	}
	out := fhir.Note{
		Identifiers: []uuid.UUID{t.delivery.ID, signed.ID}, SHA256: signed.SHA256, Kind: fhir.NoteKind(signed.Kind), Type: t.noteType(), SignedAt: signed.SignedAt,
		Patient: t.visit.Patient.Reference, Organization: t.profile.Organization, Encounter: t.visit.Encounter,
		StartedAt: at(t.visit.StartedAt), EndedAt: at(t.visit.EndedAt),
		Contents: []fhir.Content{{Type: "text/plain;charset=utf-8", Body: note.Plain(signed.Content)}},
	}
	if !t.profile.NoAuthor {
		out.Author = t.visit.Clinician.Practitioner
	}
	if !t.profile.PlainTextOnly {
		out.Contents = append(out.Contents, fhir.Content{Type: "text/html;charset=utf-8", Body: phi.NewText(string(note.HTML(signed.Content)))})
	}
	if signed.Follows != uuid.Nil {
		before := t.sibling(scheduling.DeliverNote, signed.Follows)
		if before != nil && unsettled(before) {
			return t.waitFor(before)
		}
		if before != nil {
			out.Follows = before.Reference
		}
	}
	return t.create("DocumentReference", fhir.NoteDocument(out))
}

func (t *task) noteType() fhir.Code {
	if t.profile.NoteType == "" {
		return fhir.ProgressNote()
	}
	return fhir.Code{System: "http://loinc.org", Code: t.profile.NoteType, Display: t.profile.NoteDisplay}
}

func (t *task) recording() error {
	r := t.visit.Recording
	if r == nil || r.ID != t.delivery.Subject || r.State != "stored" {
		return t.reject("There is no recording of this visit to refer to.")
	}
	if !t.offer.Create {
		return t.reject("This EHR does not take references to recordings. The note says where the recording is.")
	}
	author := t.visit.Clinician.Practitioner
	if t.profile.NoAuthor {
		author = phi.Text{}
	}
	return t.create("DocumentReference", fhir.RecordingDocument(fhir.Recording{
		Identifiers: []uuid.UUID{t.delivery.ID, r.ID}, SHA256: r.SHA256, URL: t.RecordingURL(r.ID), ContentType: r.ContentType, Bytes: r.Bytes, StoredAt: at(r.StoredAt),
		Patient: t.visit.Patient.Reference, Author: author, Organization: t.profile.Organization, Encounter: t.visit.Encounter,
		StartedAt: r.StartedAt, EndedAt: at(r.StoppedAt),
	}))
}

// mapped is the visit as package fhir takes it, with references as this EHR knows them.
func (t *task) mapped() fhir.Visit {
	v := t.visit
	out := fhir.Visit{
		Identifiers: []uuid.UUID{t.delivery.ID, v.ID}, Stage: v.State.Stage,
		StartsAt: v.StartsAt, EndsAt: v.EndsAt, StartedAt: at(v.StartedAt), EndedAt: at(v.EndedAt), CreatedAt: v.CreatedAt, Type: v.VisitType, Reason: v.Reason,
		Patient: v.Patient.Reference, Clinician: v.Clinician.Practitioner, Organization: t.profile.Organization, Appointment: v.Appointment,
	}
	if v.State.Stage == visit.Cancelled || v.State.Stage == visit.NoShow {
		out.EndReason = v.EndReason
	}
	for _, s := range v.Stages {
		out.History = append(out.History, fhir.StageAt{Stage: s.Stage, At: s.At})
	}
	for _, p := range v.Participants {
		out.Participants = append(out.Participants, fhir.Participant{Role: p.Role, JoinedAt: at(p.JoinedAt), LeftAt: at(p.LeftAt)})
	}
	return out
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
