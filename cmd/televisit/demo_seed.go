package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api/web"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// seed fills a new demonstration: the hospital's staff, and visits around now with patients of the sandbox's chart.
// It uses the same commands as the pages. On later starts it gives the patient with the first open visit a fresh link.
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
	for _, u := range d.sandbox.ready.Users {
		if u.Practitioner == "" {
			continue // linked at the first sign-in
		}
		_, err := d.server.people.SaveStaff(ctx, who, identity.Staff{Org: who.Org, Roles: []identity.Role{identity.Clinician}, Name: phi.NewText(u.Name),
			TimeZone: "America/New_York", PractitionerEHR: demoEHR, Practitioner: phi.NewText(u.Practitioner)})
		if err != nil {
			return fmt.Errorf("staff: %s", audit.Safe(err))
		}
	}
	return nil
}

// seedVisits books a morning for each clinician, the first visit starting a moment from now.
func (d *demo) seedVisits(ctx context.Context, who audit.Actor) error {
	clinicians, err := d.server.people.Clinicians(ctx, who)
	if err != nil {
		return err
	}
	patients, err := d.server.charts.FindPatients(ctx, who.Org, demoEHR, web.PatientQuery{})
	if err != nil {
		return fmt.Errorf("read the sandbox's patients: %w", err)
	}
	if len(patients) < 4*len(clinicians) {
		return errors.New("the sandbox has too few patients")
	}
	reasons := []string{"Blood pressure follow-up", "New rash on both arms", "Medication review", "Results of last week's tests"}
	first := time.Now().UTC().Truncate(5 * time.Minute).Add(5 * time.Minute)
	next := 0
	for _, clinician := range clinicians {
		for i, reason := range reasons {
			id, err := d.server.visits.SavePatient(ctx, who, patients[next])
			if err != nil {
				return fmt.Errorf("patient: %s", audit.Safe(err))
			}
			next++
			starts := first.Add(time.Duration(i) * 45 * time.Minute)
			_, err = d.server.visits.Book(ctx, who, scheduling.Booking{Clinician: clinician.ID, Patient: id, StartsAt: starts, EndsAt: starts.Add(30 * time.Minute),
				VisitType: "video", Reason: phi.NewText(reason), EHR: demoEHR})
			if err != nil {
				return fmt.Errorf("visit: %s", audit.Safe(err))
			}
		}
	}
	return nil
}

// makeLinks names what there is to click.
func (d *demo) makeLinks(ctx context.Context, who audit.Actor) error {
	d.links = map[string]string{
		"chart": d.sandbox.ready.ChartURL, "schedule": d.origin() + "/schedule", "audit": d.origin() + "/audit", "home": d.origin() + "/",
		"worklist": d.origin() + "/worklist",
	}
	visits, err := d.server.visits.Day(ctx, who, nil, scheduling.Date{})
	if err != nil {
		return err
	}
	for _, v := range visits {
		if v.State.Stage != "booked" || !strings.Contains(v.Clinician.Name.Reveal(), "Osei") {
			continue
		}
		link, err := d.server.links.NewPatientLink(ctx, who, v.ID)
		if err != nil {
			return err
		}
		d.links["patient"], d.links["patient_birth_date"] = link.URL, v.Patient.BirthDate.Reveal()
		d.links["patient_name"] = v.Patient.Name.Reveal()
		break
	}
	return nil
}
