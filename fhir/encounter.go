package fhir

import (
	"encoding/json"
	"strconv"
	"time"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/scheduling/visit"
)

// Encounter maps a visit to R4 Encounter in the shape of US Core: class VR (virtual), a coded type, a subject, the
// clinician as primary performer with the period of presence, and in statusHistory each status that was left.
func Encounter(v Visit) []byte {
	e := r4.Encounter{
		Id:              v.Serve.id(),
		Meta:            v.Serve.meta(ProfileEncounter),
		Identifier:      identifiers(v.Identifiers),
		Status:          encounterStatus(v.Stage),
		StatusHistory:   statusHistory(v),
		Class:           coding(systemActCode, "VR", "virtual"),
		Type:            []r4.CodeableConcept{concept(systemSNOMED, "448337001", "Telemedicine consultation with patient (procedure)", "Video visit")},
		Subject:         ptr(reference(v.Patient)),
		Participant:     encounterParticipants(v),
		Period:          period(v.StartedAt, v.EndedAt),
		Length:          length(v.StartedAt, v.EndedAt),
		ServiceProvider: optionalReference(v.Organization),
	}
	if a := optionalReference(v.Appointment); a != nil {
		e.Appointment = []r4.Reference{*a}
	}
	if reason := str(v.Reason.Reveal()); reason != nil {
		e.ReasonCode = []r4.CodeableConcept{{Text: reason}}
	}
	return encode(e)
}

func encounterStatus(s visit.Stage) r4.EncounterStatus {
	switch s {
	case visit.Booked:
		return r4.EncounterStatusPlanned
	case visit.Arrived:
		return r4.EncounterStatusArrived
	case visit.InCall:
		return r4.EncounterStatusInProgress
	case visit.Ended:
		return r4.EncounterStatusFinished
	case visit.Cancelled, visit.NoShow:
		return r4.EncounterStatusCancelled
	default:
		return r4.EncounterStatusUnknown
	}
}

// statusHistory lists each status that was left, and when it was held; the current one is Encounter.status.
func statusHistory(v Visit) []r4.EncounterStatusHistory {
	var out []r4.EncounterStatusHistory
	var since *StageAt
	for _, held := range v.history() {
		if since != nil && encounterStatus(since.Stage) == encounterStatus(held.Stage) {
			continue
		}
		if since != nil {
			if p := period(since.At, held.At); p != nil {
				out = append(out, r4.EncounterStatusHistory{Status: encounterStatus(since.Stage), Period: *p})
			}
		}
		since = &held
	}
	return out
}

func encounterParticipants(v Visit) []r4.EncounterParticipant {
	clinician := r4.EncounterParticipant{
		Type:       []r4.CodeableConcept{concept(systemParticipant, "PPRF", "primary performer", "")},
		Period:     period(v.StartedAt, v.EndedAt),
		Individual: ptr(reference(v.Clinician)),
	}
	out := []r4.EncounterParticipant{clinician}
	for _, p := range v.Participants {
		switch {
		case p.Role == "clinician":
			if held := period(p.JoinedAt, p.LeftAt); held != nil {
				out[0].Period = held
			}
		case p.Role == "guest" && !p.JoinedAt.IsZero():
			out = append(out, guest(p))
		}
	}
	return out
}

func guest(p Participant) r4.EncounterParticipant {
	kind := concept(systemParticipant, "PART", "Participation", "Guest of the patient")
	if p.Interpreter {
		kind = concept("http://terminology.hl7.org/CodeSystem/participant-type", "translator", "Translator", "Interpreter")
	}
	return r4.EncounterParticipant{Type: []r4.CodeableConcept{kind}, Period: period(p.JoinedAt, p.LeftAt), Individual: optionalReference(p.Reference)}
}

// length is in whole minutes (UCUM min), at least one.
func length(start, end time.Time) *r4.Duration {
	if start.IsZero() || end.IsZero() || end.Before(start) {
		return nil
	}
	minutes := max(1, int64(end.Sub(start).Round(time.Minute)/time.Minute))
	return &r4.Duration{
		Value: ptr(json.Number(strconv.FormatInt(minutes, 10))), Unit: ptr("min"),
		System: ptr("http://unitsofmeasure.org"), Code: ptr("min"),
	}
}
