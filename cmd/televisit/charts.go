package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api/fhirapi"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
)

// charts are the organisations' EHRs, read with the server's own access (SMART Backend Services).
type charts struct {
	web.EHRCharts
	clients map[uuid.UUID]map[string]*ehr.Client // by organisation, by the EHR's name
}

func newCharts(c Config, client *http.Client, flows *sso.SSO, log *slog.Logger) (*charts, error) {
	made := &charts{clients: map[uuid.UUID]map[string]*ehr.Client{}}
	made.Client = made.client
	for _, o := range c.Organisations {
		made.clients[o.ID] = map[string]*ehr.Client{}
		for _, e := range o.EHRs {
			token := func(ctx context.Context) (string, error) {
				value, _, err := flows.BackendToken(ctx, e.Name)
				return value, err
			}
			opened, err := ehr.New(ehr.Config{Base: e.Iss, HTTP: client, Token: token, Profile: e.Profile, Now: time.Now, Log: log})
			if err != nil {
				return nil, fmt.Errorf("EHR %s: %w", e.Name, err)
			}
			made.clients[o.ID][e.Name] = opened
		}
	}
	return made, nil
}

func (c *charts) client(org uuid.UUID, name string) (*ehr.Client, bool) {
	client, ok := c.clients[org][name]
	return client, ok
}

// directory finds whom a reference in a client's Appointment means.
func (s *server) directory() *fhirapi.Charts {
	return &fhirapi.Charts{
		Bases: func(org uuid.UUID) map[string]string {
			bases := map[string]string{}
			for name, client := range s.charts.clients[org] {
				bases[client.Base()] = name
			}
			return bases
		},
		Patients: s.visits, People: s.people,
		Fetch: func(ctx context.Context, who audit.Actor, name string, ref phi.Text) (uuid.UUID, error) {
			p, err := s.charts.Patient(ctx, who.Org, name, ref)
			var absent *ehr.NotFound
			if errors.As(err, &absent) || errors.Is(err, ehr.ErrForeign) { // ErrForeign: no reference of an EHR at all
				return uuid.Nil, fhirapi.ErrUnknownReference
			}
			if err != nil {
				return uuid.Nil, err
			}
			return s.visits.SavePatient(ctx, who, p)
		},
	}
}
