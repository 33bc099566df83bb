package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
)

// PatientLinks makes and shows the links of patients.
type PatientLinks interface {
	NewPatientLink(ctx context.Context, who audit.Actor, visit uuid.UUID) (join.Link, error)
	Current(ctx context.Context, who audit.Actor, visit uuid.UUID) (join.Link, error)
}

func (s *SchedulePages) link(c *gin.Context) {
	v, err := s.mine(c, identity.LinkView)
	if err != nil {
		api.Fail(c, err)
		return
	}
	link, err := s.currentLink(c, v.ID)
	if err != nil {
		api.Fail(c, err)
		return
	}
	local := zone(v.Clinician.TimeZone)
	s.Site.Render(c, http.StatusOK, &LinkView{Patient: v.Patient.Name.Reveal(), StartsAt: v.StartsAt.In(local), Clinician: v.Clinician.Name.Reveal(),
		Link: link.URL, Expires: link.ExpiresAt.In(local)})
}

// currentLink is the visit's link; one that was never made, as for a visit booked over the FHIR API, is made now.
func (s *SchedulePages) currentLink(c *gin.Context, id uuid.UUID) (join.Link, error) {
	link, err := s.Links.Current(c.Request.Context(), api.ActorOf(c), id)
	if refused := new(join.LinkRefused); errors.As(err, &refused) && refused.Reason == "unknown" {
		return s.Links.NewPatientLink(c.Request.Context(), api.ActorOf(c), id)
	}
	return link, err
}
