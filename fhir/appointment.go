package fhir

import (
	"strconv"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/scheduling/visit"
)

// Appointment maps a visit to R4 Appointment. It keeps app-1 (each participant has an actor), app-2 and app-3 (both
// times), app-4 (a reason for cancelling only when cancelled or missed). It never writes a comment.
func Appointment(v Visit) []byte {
	status := appointmentStatus(v.Stage)
	a := r4.Appointment{
		Id:          v.Serve.id(),
		Meta:        v.Serve.meta(),
		Identifier:  identifiers(v.Identifiers),
		Status:      status,
		ServiceType: []r4.CodeableConcept{visitType(v.Type)},
		Start:       instant(v.StartsAt),
		End:         instant(v.EndsAt),
		Created:     instant(v.CreatedAt),
		Participant: []r4.AppointmentParticipant{
			{Actor: ptr(reference(v.Patient)), Required: ptr(r4.ParticipantRequiredRequired), Status: r4.ParticipationStatusAccepted},
			{
				Type:     []r4.CodeableConcept{concept(systemParticipant, "PPRF", "primary performer", "")},
				Actor:    ptr(reference(v.Clinician)),
				Required: ptr(r4.ParticipantRequiredRequired), Status: r4.ParticipationStatusAccepted,
			},
		},
	}
	if reason := str(v.Reason.Reveal()); reason != nil {
		a.ReasonCode = []r4.CodeableConcept{{Text: reason}}
	}
	if minutes := int(v.EndsAt.Sub(v.StartsAt).Minutes()); minutes > 0 {
		a.MinutesDuration = &minutes
	}
	if status == r4.AppointmentStatusCancelled || status == r4.AppointmentStatusNoshow {
		if token(v.EndReason) != nil {
			a.CancelationReason = ptr(cancelReason(v.EndReason))
		}
	}
	if a.Start == nil || a.End == nil {
		a.Start, a.End = nil, nil
		if a.Status != r4.AppointmentStatusCancelled {
			a.Status = r4.AppointmentStatusProposed
			a.CancelationReason = nil
		}
	}
	return encode(a)
}

// cancelReason is a code of R4's list, or of our own where it is none of those.
func cancelReason(code string) r4.CodeableConcept {
	display, known := map[string]string{"pat": "Patient", "prov": "Provider", "maint": "Equipment Maintenance/Repair", "meds-inc": "Prep/Med Incomplete", "other": "Other"}[code]
	if known {
		return concept(systemCancelReason, code, display, "")
	}
	return concept(SystemBase+"CodeSystem/end-reason", code, "", "")
}

// AppointmentStatus is the R4 code of a stage. Once the call has begun the Appointment is fulfilled and the Encounter
// carries on (R4 Appointment, workflow notes).
func AppointmentStatus(s visit.Stage) string { return appointmentStatus(s).Code() }

func appointmentStatus(s visit.Stage) r4.AppointmentStatus {
	switch s {
	case visit.Arrived:
		return r4.AppointmentStatusArrived
	case visit.InCall, visit.Ended:
		return r4.AppointmentStatusFulfilled
	case visit.Cancelled:
		return r4.AppointmentStatusCancelled
	case visit.NoShow:
		return r4.AppointmentStatusNoshow
	default:
		return r4.AppointmentStatusBooked
	}
}

func visitType(code string) r4.CodeableConcept {
	if token(code) == nil || code == "video" {
		return concept(systemVisitType, "video", "Video visit", "Video visit")
	}
	return concept(systemVisitType, code, "", code)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
