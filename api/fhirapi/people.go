package fhirapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity"
)

func (s *Server) readPatient(c *gin.Context) {
	id, err := api.PathID(c, "id")
	if err != nil {
		fail(c, err)
		return
	}
	p, err := s.Visits.Patient(c.Request.Context(), api.ActorOf(c), id)
	if err != nil {
		fail(c, err)
		return
	}
	versionHeaders(c, p.FetchedAt.Unix(), p.FetchedAt)
	write(c, http.StatusOK, fhir.Patient(fhir.Person{
		Serve: &fhir.Serve{ID: p.ID.String(), Version: p.FetchedAt.Unix(), UpdatedAt: p.FetchedAt},
		Name:  p.Name, BirthDate: p.BirthDate, Language: p.Language,
	}))
}

func (s *Server) readPractitioner(c *gin.Context) {
	id, err := api.PathID(c, "id")
	if err != nil {
		fail(c, err)
		return
	}
	p, err := s.Staff.Staff(c.Request.Context(), api.ActorOf(c), id)
	if err == nil && (p.ID == uuid.Nil || !isClinician(p)) {
		err = errNotFound
	}
	if err != nil {
		fail(c, err)
		return
	}
	write(c, http.StatusOK, fhir.Practitioner(fhir.Person{Serve: &fhir.Serve{ID: p.ID.String(), Version: 1}, Name: p.Name}))
}

func isClinician(p identity.Staff) bool {
	for _, r := range p.Roles {
		if r == identity.Clinician {
			return true
		}
	}
	return false
}
