package fhirapi

import (
	"context"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// replace carries out what an updated Appointment asks for. What we own changes by commands only: other times move the
// visit, the status cancelled cancels it. The rest of the resource is kept as the client sent it.
func (s *Server) replace(ctx context.Context, who audit.Actor, current scheduling.VisitView, raw []byte) error {
	wanted, err := fhir.ReadAppointment(raw)
	if err != nil {
		return err
	}
	if wanted.ID != current.ID.String() {
		return &problem{status: http.StatusBadRequest, code: "invalid", text: "the id in the body is not the id in the URL", expression: "Appointment.id"}
	}
	if err := s.samePeople(ctx, who, current, wanted); err != nil {
		return err
	}
	version := current.Version
	switch moves := !wanted.Start.IsZero() && (!wanted.Start.Equal(current.StartsAt) || !wanted.End.Equal(current.EndsAt)); {
	case wanted.Status == "cancelled":
		if _, err := s.Visits.Cancel(ctx, who, current.ID, version, cancelCode(wanted.CancelReason)); err != nil {
			return err
		}
		if current.State.Stage != visit.Cancelled {
			version++
		}
	case !sameStatus(wanted.Status, current.State.Stage):
		return unprocessable("Appointment.status", "of the status, a client may only change it to cancelled")
	case moves:
		moved, err := s.Visits.Move(ctx, who, current.ID, version, wanted.Start, wanted.End)
		if err != nil {
			return err
		}
		version = moved.Version
	}
	return s.keep(ctx, who, current, version, raw)
}

// sameStatus lets the words that all mean "booked" pass for each other: the client's own is not kept.
func sameStatus(status string, stage visit.Stage) bool {
	if stage == visit.Booked {
		return status == "proposed" || status == "pending" || status == "booked"
	}
	return status == fhir.AppointmentStatus(stage)
}

var codePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

func cancelCode(given string) string {
	if codePattern.MatchString(given) {
		return given
	}
	return "other"
}

// samePeople refuses to give a visit to somebody else: that is another visit.
func (s *Server) samePeople(ctx context.Context, who audit.Actor, current scheduling.VisitView, wanted fhir.AppointmentRequest) error {
	for _, p := range []struct {
		kind    string
		ref     phi.Text
		id      uuid.UUID
		foreign func(context.Context, audit.Actor, phi.Text) (uuid.UUID, error)
	}{
		{"Patient", wanted.Patient, current.Patient.ID, s.Directory.Patient},
		{"Practitioner", wanted.Practitioner, current.Clinician.ID, s.Directory.Practitioner},
	} {
		if p.ref.IsZero() {
			return unprocessable("Appointment.participant", "the "+p.kind+" cannot be taken out of a visit")
		}
		id, err := s.resolve(ctx, who, p.ref, p.kind, p.foreign)
		if err != nil {
			return err
		}
		if id != p.id {
			return unprocessable("Appointment.participant.actor", "a visit keeps its "+p.kind+"; cancel it and book another")
		}
	}
	return nil
}

// keep stores the client's resource, so that the next read gives back what was sent.
func (s *Server) keep(ctx context.Context, who audit.Actor, current scheduling.VisitView, version int64, raw []byte) error {
	if current.ClientResource.Equal(phi.NewText(string(raw))) {
		return nil
	}
	sealer, err := s.Sealers.Sealer(ctx, who.Org)
	if err != nil {
		return err
	}
	sealed, err := phi.SealText(sealer, phi.NewText(string(raw)), phi.Row{Table: "visit", Column: "client_resource", ID: current.ID})
	if err != nil {
		return err
	}
	event := audit.Event{Action: "appointment.updated", Visit: current.ID, Patient: current.Patient.ID, ObjectKind: "appointment", ObjectID: current.ID.String()}
	return s.DB.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		tag, err := tx.Exec(ctx, `update visit set client_resource_sealed = $3, version = version + 1, updated_at = $4 where id = $1 and version = $2`,
			current.ID, version, sealed, tx.Now)
		if err == nil && tag.RowsAffected() == 0 {
			err = errStale
		}
		return err
	})
}
