package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api/fhirapi"
	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/scheduling"
)

// charts reads the organisations' EHRs with the server's own access (SMART Backend Services): web.Charts and
// web.ChartSearch.
type charts struct {
	clients map[uuid.UUID]map[string]*ehr.Client // by organisation, by the EHR's name
}

var errNoEHR = errors.New("the organisation has no EHR of this name")

func newCharts(c Config, client *http.Client, flows *sso.SSO, log *slog.Logger) (*charts, error) {
	made := &charts{clients: map[uuid.UUID]map[string]*ehr.Client{}}
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

func (c *charts) client(org uuid.UUID, name string) (*ehr.Client, error) {
	client, ok := c.clients[org][name]
	if !ok {
		return nil, errNoEHR
	}
	return client, nil
}

// Search implements web.ChartSearch.
func (c *charts) Search(ctx context.Context, org uuid.UUID, name, resource string, params url.Values) ([]ehr.Resource, error) {
	client, err := c.client(org, name)
	if err != nil {
		return nil, err
	}
	return client.Search(ctx, resource, params)
}

// Patient implements web.Charts.
func (c *charts) Patient(ctx context.Context, org uuid.UUID, name string, ref phi.Text) (scheduling.Patient, error) {
	client, err := c.client(org, name)
	if err != nil {
		return scheduling.Patient{}, err
	}
	found, err := client.Read(ctx, ref.Reveal())
	if err != nil {
		return scheduling.Patient{}, err
	}
	return patientOf(name, found)
}

const maxPatients = "20"

// FindPatients implements web.Charts. The parameters travel in a POST body.
func (c *charts) FindPatients(ctx context.Context, org uuid.UUID, name string, q web.PatientQuery) ([]scheduling.Patient, error) {
	client, err := c.client(org, name)
	if err != nil {
		return nil, err
	}
	params := url.Values{"_count": {maxPatients}}
	for key, value := range map[string]string{"family": q.Family, "given": q.Given, "birthdate": q.BirthDate, "identifier": q.MRN} {
		if value != "" {
			params.Set(key, value)
		}
	}
	resources, err := client.Search(ctx, "Patient", params)
	if err != nil {
		return nil, err
	}
	var found []scheduling.Patient
	for _, r := range resources {
		p, err := patientOf(name, r)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// patientOf reads what a visit needs of a Patient resource.
func patientOf(name string, r ehr.Resource) (scheduling.Patient, error) {
	d, err := ehr.Demographics(r.Raw)
	if err != nil {
		return scheduling.Patient{}, err
	}
	details, err := json.Marshal(map[string]string{"gender": d.Gender, "mrn": d.MRN.Reveal(), "phone": d.Phone.Reveal(), "email": d.Email.Reveal()})
	if err != nil {
		return scheduling.Patient{}, err
	}
	return scheduling.Patient{EHR: name, Reference: phi.NewText(r.Reference()), Name: d.Name, BirthDate: d.BirthDate,
		Details: phi.NewText(string(details)), Language: d.Language}, nil
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
			if errors.As(err, &absent) {
				return uuid.Nil, fhirapi.ErrUnknownReference
			}
			if err != nil {
				return uuid.Nil, err
			}
			return s.visits.SavePatient(ctx, who, p)
		},
	}
}
