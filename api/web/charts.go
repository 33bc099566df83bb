package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// mostFound bounds a search: who finds more looks for somebody else's chart.
const mostFound = "20"

// EHRCharts reads patients from the EHRs with the server's own authority (SMART Backend Services).
type EHRCharts struct {
	// Client gives the client of an organisation's EHR; false when the organisation has none of that name.
	Client func(org uuid.UUID, name string) (*ehr.Client, bool)
}

// Patient reads one patient, "Patient/id".
func (e *EHRCharts) Patient(ctx context.Context, org uuid.UUID, name string, ref phi.Text) (scheduling.Patient, error) {
	client, ok := e.Client(org, name)
	if !ok || !strings.HasPrefix(ref.Reveal(), "Patient/") {
		return scheduling.Patient{}, api.ErrNotFound
	}
	found, err := client.Read(ctx, ref.Reveal())
	if err != nil {
		if gone := new(ehr.NotFound); errors.As(err, &gone) {
			return scheduling.Patient{}, errors.Join(api.ErrNotFound, err)
		}
		return scheduling.Patient{}, errors.Join(api.ErrOffline, err)
	}
	return chartPatient(name, found)
}

// FindPatients searches by record number, or by family name and date of birth.
func (e *EHRCharts) FindPatients(ctx context.Context, org uuid.UUID, name string, q PatientQuery) ([]scheduling.Patient, error) {
	client, ok := e.Client(org, name)
	if !ok {
		return nil, api.ErrNotFound
	}
	params := url.Values{"_count": {mostFound}}
	if q.MRN != "" {
		params.Set("identifier", escapeSearch(q.MRN))
	} else {
		params.Set("family", escapeSearch(q.Family))
		params.Set("birthdate", q.BirthDate)
		if q.Given != "" {
			params.Set("given", escapeSearch(q.Given))
		}
	}
	resources, err := client.Search(ctx, "Patient", params)
	if err != nil {
		return nil, fmt.Errorf("search the chart: %w", err)
	}
	var found []scheduling.Patient
	for _, resource := range resources {
		if resource.Type != "Patient" {
			continue
		}
		p, err := chartPatient(name, resource)
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// escapeSearch keeps the characters that FHIR search gives a meaning (R4 search, section 3.1.1.4.1 "escaping").
func escapeSearch(value string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(strings.TrimSpace(value))
}

func chartPatient(name string, resource ehr.Resource) (scheduling.Patient, error) {
	facts, err := ehr.Demographics(resource.Raw)
	if err != nil {
		return scheduling.Patient{}, err
	}
	encoded, err := json.Marshal(details{Gender: facts.Gender, MRN: facts.MRN.Reveal(), Phone: facts.Phone.Reveal(), Email: facts.Email.Reveal()})
	if err != nil {
		return scheduling.Patient{}, fmt.Errorf("keep a patient's details: %w", err)
	}
	return scheduling.Patient{EHR: name, Reference: phi.NewText(resource.Reference()), Name: facts.Name, BirthDate: facts.BirthDate,
		Details: phi.NewText(string(encoded)), Language: facts.Language}, nil
}
