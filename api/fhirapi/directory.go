package fhirapi

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// Charts is a Directory over the EHRs that an organisation is connected to.
type Charts struct {
	Bases    func(org uuid.UUID) map[string]string // FHIR base URL (no slash at its end) to the EHR's name
	Patients interface {
		PatientByReference(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (scheduling.PatientView, error)
	}
	People interface {
		StaffByPractitioner(ctx context.Context, org uuid.UUID, ehr string, ref phi.Text) (identity.Staff, error)
	}
	// Fetch reads a patient who is not known yet from the EHR and keeps what it says. It answers
	// ErrUnknownReference when the EHR has no such patient.
	Fetch func(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (uuid.UUID, error)
}

// Patient implements Directory.
func (d *Charts) Patient(ctx context.Context, who audit.Actor, reference phi.Text) (uuid.UUID, error) {
	ehr, local, err := d.place(who.Org, reference, "Patient")
	if err != nil {
		return uuid.Nil, err
	}
	known, err := d.Patients.PatientByReference(ctx, who, ehr, local)
	if errors.Is(err, scheduling.ErrNotFound) {
		return d.Fetch(ctx, who, ehr, local)
	}
	return known.ID, err
}

// Practitioner implements Directory. Clinicians are not fetched: they are people who work here.
func (d *Charts) Practitioner(ctx context.Context, who audit.Actor, reference phi.Text) (uuid.UUID, error) {
	ehr, local, err := d.place(who.Org, reference, "Practitioner")
	if err != nil {
		return uuid.Nil, err
	}
	staff, err := d.People.StaffByPractitioner(ctx, who.Org, ehr, local)
	if errors.Is(err, identity.ErrNoStaff) {
		err = ErrUnknownReference
	}
	return staff.ID, err
}

// place tells which EHR a reference belongs to. One without a base belongs to the organisation's EHR, where it has
// only one.
func (d *Charts) place(org uuid.UUID, reference phi.Text, kind string) (ehr string, local phi.Text, err error) {
	text, _, _ := strings.Cut(reference.Reveal(), "/_history/")
	bases := d.Bases(org)
	for base, name := range bases {
		if rest, ok := strings.CutPrefix(text, base+"/"); ok {
			ehr, text = name, rest
			break
		}
		if len(bases) == 1 && !strings.Contains(text, "://") {
			ehr = name
		}
	}
	id, ok := strings.CutPrefix(text, kind+"/")
	if ehr == "" || !ok || id == "" || strings.Contains(id, "/") {
		return "", phi.Text{}, ErrUnknownReference
	}
	return ehr, phi.NewText(text), nil
}
