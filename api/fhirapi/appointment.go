package fhirapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// createAppointment books a visit. Status proposed, pending or booked all ask for the same: it is booked or refused.
func (s *Server) createAppointment(c *gin.Context) {
	if c.GetHeader("If-None-Exist") != "" {
		fail(c, &problem{status: http.StatusPreconditionFailed, code: "not-supported", text: "conditional create is not supported; search by identifier first"})
		return
	}
	raw, wanted, err := receive(c)
	if err != nil {
		fail(c, err)
		return
	}
	booking, err := s.booking(c.Request.Context(), api.ActorOf(c), raw, wanted)
	if err != nil {
		fail(c, err)
		return
	}
	view, err := s.Visits.Book(c.Request.Context(), api.ActorOf(c), booking)
	if err != nil {
		fail(c, err)
		return
	}
	c.Header("Location", s.base+"/Appointment/"+view.ID.String()+"/_history/"+strings.Trim(strings.TrimPrefix(etag(view.Version), "W/"), `"`))
	s.wrote(c, http.StatusCreated, view)
}

func receive(c *gin.Context) ([]byte, fhir.AppointmentRequest, error) {
	raw, err := body(c)
	if err != nil {
		return nil, fhir.AppointmentRequest{}, err
	}
	wanted, err := fhir.ReadAppointment(raw)
	return raw, wanted, err
}

func (s *Server) booking(ctx context.Context, who audit.Actor, raw []byte, wanted fhir.AppointmentRequest) (scheduling.Booking, error) {
	switch {
	case wanted.Status != "proposed" && wanted.Status != "pending" && wanted.Status != "booked":
		return scheduling.Booking{}, unprocessable("Appointment.status", "a new appointment is proposed, pending or booked")
	case wanted.Start.IsZero():
		return scheduling.Booking{}, unprocessable("Appointment.start", "a visit needs a start and an end")
	case wanted.Patient.IsZero():
		return scheduling.Booking{}, unprocessable("Appointment.participant", "a visit needs a participant whose actor refers to a Patient")
	case wanted.Practitioner.IsZero():
		return scheduling.Booking{}, unprocessable("Appointment.participant", "a visit needs a participant whose actor refers to a Practitioner")
	}
	patient, err := s.resolve(ctx, who, wanted.Patient, "Patient", s.Directory.Patient)
	if err != nil {
		return scheduling.Booking{}, err
	}
	clinician, err := s.resolve(ctx, who, wanted.Practitioner, "Practitioner", s.Directory.Practitioner)
	if err != nil {
		return scheduling.Booking{}, err
	}
	return scheduling.Booking{
		Clinician: clinician, Patient: patient, StartsAt: wanted.Start, EndsAt: wanted.End, VisitType: wanted.VisitType,
		Reason: wanted.Reason, ClientResource: phi.NewText(string(raw)),
	}, nil
}

func unprocessable(element, text string) error {
	return &problem{status: http.StatusUnprocessableEntity, code: "business-rule", text: text, expression: element}
}

// resolve gives our id of whom a reference means: one of our own resources, or one of an EHR that we are connected to.
func (s *Server) resolve(ctx context.Context, who audit.Actor, ref phi.Text, kind string, foreign func(context.Context, audit.Actor, phi.Text) (uuid.UUID, error)) (uuid.UUID, error) {
	text := strings.TrimPrefix(ref.Reveal(), s.base+"/")
	if rest, ok := strings.CutPrefix(text, kind+"/"); ok {
		if id, err := uuid.Parse(rest); err == nil {
			return id, nil
		}
	}
	id, err := foreign(ctx, who, ref)
	if errors.Is(err, ErrUnknownReference) {
		return uuid.Nil, unprocessable("Appointment.participant.actor", "the reference to the "+kind+" cannot be resolved")
	}
	return id, err
}

// readAppointment also answers at the address that Location names, as long as that version is the current one: older ones
// are not kept, so vread is not declared.
func (s *Server) readAppointment(c *gin.Context) {
	id, err := api.PathID(c, "id")
	if err != nil {
		fail(c, err)
		return
	}
	view, err := s.Visits.Visit(c.Request.Context(), api.ActorOf(c), id)
	if err != nil {
		fail(c, err)
		return
	}
	if wanted := c.Param("version"); wanted != "" && etag(view.Version) != `W/"`+wanted+`"` {
		fail(c, &problem{status: http.StatusNotFound, code: "not-found", text: "only the current version is kept"})
		return
	}
	versionHeaders(c, view.Version, view.UpdatedAt)
	if c.GetHeader("If-None-Match") == etag(view.Version) {
		c.Status(http.StatusNotModified)
		return
	}
	served, err := appointment(view)
	if err != nil {
		fail(c, err)
		return
	}
	write(c, http.StatusOK, served)
}

// appointment is the resource as we serve it: what the client sent, with what we own laid over.
func appointment(v scheduling.VisitView) ([]byte, error) {
	own := fhir.Appointment(fhir.Visit{
		Identifiers: []uuid.UUID{v.ID},
		Serve:       &fhir.Serve{ID: v.ID.String(), Version: v.Version, UpdatedAt: v.UpdatedAt},
		Stage:       v.State.Stage, StartsAt: v.StartsAt, EndsAt: v.EndsAt, CreatedAt: v.CreatedAt, Type: v.VisitType,
		Reason: v.Reason, EndReason: v.EndReason,
		Patient: phi.NewText("Patient/" + v.Patient.ID.String()), Clinician: phi.NewText("Practitioner/" + v.Clinician.ID.String()),
	})
	if v.ClientResource.IsZero() {
		return own, nil
	}
	return fhir.OverlayAppointment([]byte(v.ClientResource.Reveal()), own)
}

// wrote answers a write as Prefer asks.
func (s *Server) wrote(c *gin.Context, status int, v scheduling.VisitView) {
	versionHeaders(c, v.Version, v.UpdatedAt)
	switch preferred(c, "return") {
	case "minimal":
		c.Status(status)
	case "OperationOutcome":
		write(c, status, fhir.OperationOutcome())
	default:
		served, err := appointment(v)
		if err != nil {
			fail(c, err)
			return
		}
		write(c, status, served)
	}
}

func (s *Server) updateAppointment(c *gin.Context) {
	s.change(c, func(scheduling.VisitView) ([]byte, error) { return body(c) })
}

// patchAppointment applies a JSON Patch to what we serve, because that is what the client saw.
func (s *Server) patchAppointment(c *gin.Context) {
	s.change(c, func(v scheduling.VisitView) ([]byte, error) {
		raw, err := body(c)
		if err != nil {
			return nil, err
		}
		patch, err := jsonpatch.DecodePatch(raw)
		if err != nil {
			return nil, &problem{status: http.StatusBadRequest, code: "structure", text: "the body is not a JSON Patch"}
		}
		served, err := appointment(v)
		if err != nil {
			return nil, err
		}
		patched, err := patch.Apply(served)
		if err != nil {
			return nil, unprocessable("Appointment", "the JSON Patch does not apply")
		}
		return patched, nil
	})
}

func (s *Server) change(c *gin.Context, next func(scheduling.VisitView) ([]byte, error)) {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	id, err := api.PathID(c, "id")
	if err != nil {
		fail(c, err)
		return
	}
	version, err := ifMatch(c)
	if err != nil {
		fail(c, err)
		return
	}
	current, err := s.Visits.Visit(ctx, who, id)
	if err == nil && current.Version != version {
		err = errStale
	}
	if err != nil {
		fail(c, err)
		return
	}
	raw, err := next(current)
	if err == nil {
		err = s.replace(ctx, who, current, raw)
	}
	if err != nil {
		fail(c, err)
		return
	}
	changed, err := s.Visits.Visit(ctx, who, id)
	if err != nil {
		fail(c, err)
		return
	}
	s.wrote(c, http.StatusOK, changed)
}
