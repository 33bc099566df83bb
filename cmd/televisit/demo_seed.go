package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// seed fills a new demonstration: the hospital's staff, and visits around now with patients of the sandbox's chart.
// It uses the same commands as the pages, and goes on where an earlier run was killed while it did so. On later starts
// it gives the patient with the first open visit a fresh link.
func (d *demo) seed(ctx context.Context) error {
	org := uuid.MustParse(d.state.OrgID)
	who := audit.SystemActor(org)
	if !d.state.Seeded {
		if err := d.seedStaff(ctx, who); err != nil {
			return err
		}
		if err := d.seedVisits(ctx, who); err != nil {
			return err
		}
		d.state.Seeded = true
	}
	return d.makeLinks(ctx, who)
}

func (d *demo) seedStaff(ctx context.Context, who audit.Actor) error {
	there, err := d.server.people.Clinicians(ctx, who)
	if err != nil {
		return err
	}
	saved := map[string]bool{}
	for _, clinician := range there {
		saved[clinician.Practitioner.Reveal()] = true
	}
	for _, u := range d.sandbox.ready.Users {
		if u.Practitioner == "" || saved[u.Practitioner] {
			continue // the others are linked at their first sign-in
		}
		_, err := d.server.people.SaveStaff(ctx, who, identity.Staff{Org: who.Org, Active: true, Roles: []identity.Role{identity.Clinician}, Name: phi.NewText(u.Name),
			TimeZone: "America/New_York", PractitionerEHR: demoEHR, Practitioner: phi.NewText(u.Practitioner)})
		if err != nil {
			return fmt.Errorf("staff: %s", audit.Safe(err))
		}
	}
	return nil
}

// seedVisits takes over the appointments that the sandbox's chart has for its clinicians today, as an interface with
// the hospital's schedule would: each becomes a visit that knows its appointment.
func (d *demo) seedVisits(ctx context.Context, who audit.Actor) error {
	clinicians, err := d.server.people.Clinicians(ctx, who)
	if err != nil {
		return err
	}
	booked := 0
	for _, clinician := range clinicians {
		params := url.Values{"practitioner": {clinician.Practitioner.Reveal()}, "status": {"booked"}}
		appointments, err := d.server.charts.Search(ctx, who.Org, demoEHR, "Appointment", params)
		if err != nil {
			return fmt.Errorf("read the sandbox's appointments: %w", err)
		}
		for _, appointment := range appointments {
			taken, err := d.takeOver(ctx, who, clinician, appointment)
			if err != nil {
				return fmt.Errorf("visit: %s", audit.Safe(err))
			}
			if taken {
				booked++
			}
		}
	}
	if booked == 0 {
		return errors.New("the sandbox has no appointments")
	}
	return nil
}

func (d *demo) takeOver(ctx context.Context, who audit.Actor, clinician identity.Staff, appointment ehr.Resource) (bool, error) {
	reference := phi.NewText(appointment.Reference())
	if _, err := d.server.visits.VisitByAppointment(ctx, who, demoEHR, reference); !errors.Is(err, scheduling.ErrNotFound) {
		return err == nil, err
	}
	client, ok := d.server.charts.client(who.Org, demoEHR)
	if !ok {
		return false, errors.New("the demonstration's EHR is not configured")
	}
	facts, err := client.AppointmentFacts(appointment.Raw)
	if err != nil || !facts.End.After(time.Now()) {
		return false, err
	}
	patient, err := d.server.charts.Patient(ctx, who.Org, demoEHR, facts.Patient)
	if err != nil {
		return false, err
	}
	id, err := d.server.visits.SavePatient(ctx, who, patient)
	if err != nil {
		return false, err
	}
	_, err = d.server.visits.Book(ctx, who, scheduling.Booking{Clinician: clinician.ID, Patient: id, StartsAt: facts.Start, EndsAt: facts.End,
		VisitType: "video", Reason: facts.Reason, EHR: demoEHR, Appointment: reference})
	return err == nil, err
}

// demoClinician is whose first visit the printed links lead to.
const demoClinician = "Osei"

// makeLinks names what there is to click.
func (d *demo) makeLinks(ctx context.Context, who audit.Actor) error {
	d.links = map[string]string{
		"chart": d.sandbox.ready.ChartURL, "schedule": d.origin() + "/schedule", "audit": d.origin() + "/audit", "home": d.origin() + "/",
		"worklist": d.origin() + "/worklist",
	}
	today := scheduling.DateOf(time.Now(), time.UTC)
	visits, err := d.server.visits.Calendar(ctx, who, nil, today.Add(-1), 3)
	if err != nil {
		return err
	}
	for _, v := range visits {
		if v.State.Stage != visit.Booked || v.EndsAt.Before(time.Now()) || !strings.Contains(v.Clinician.Name.Reveal(), demoClinician) {
			continue
		}
		link, err := d.server.links.NewPatientLink(ctx, who, v.ID)
		if err != nil {
			return err
		}
		d.links["patient"], d.links["patient_birth_date"] = link.URL, v.Patient.BirthDate.Reveal()
		d.links["patient_name"], d.links["appointment"] = v.Patient.Name.Reveal(), v.Appointment.Reveal()
		d.links["patient_reference"], d.links["visit"] = v.Patient.Reference.Reveal(), v.ID.String()
		break
	}
	return nil
}
