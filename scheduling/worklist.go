package scheduling

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

// onDays narrows to days of the clinician's own calendar: $1 the first, $2 how many.
const onDays = `v.starts_at >= ($1::date)::timestamp at time zone s.time_zone and v.starts_at < ($1::date + $2::int)::timestamp at time zone s.time_zone`

// maxDays bounds a calendar.
const maxDays = 42

// Worklist gives the acting clinician's visits of a day, by their time. A zero day is today in the clinician's zone.
func (s *Service) Worklist(ctx context.Context, who audit.Actor, day Date) ([]VisitView, error) {
	day, err := s.today(ctx, who.Org, who.ID, day)
	if err != nil {
		return nil, err
	}
	event := audit.Event{Action: "worklist.viewed", Detail: map[string]any{"day": day.String()}}
	return s.visits(ctx, who, event, onDays+" and v.clinician_id = $3", day.String(), 1, who.ID)
}

// Unfinished gives the acting clinician's visits of any day that wait for a signature or are not yet in the EHR.
func (s *Service) Unfinished(ctx context.Context, who audit.Actor) ([]VisitView, error) {
	event := audit.Event{Action: "worklist.viewed", Detail: map[string]any{"unfinished": true}}
	return s.visits(ctx, who, event, `v.clinician_id = $1 and v.stage = 'ended' and (v.note in ('none', 'draft') or v.delivery in ('due', 'sent', 'rejected'))`, who.ID)
}

// Day gives the visits of some clinicians (of all, when none is named) on a day, each in the clinician's own zone.
func (s *Service) Day(ctx context.Context, who audit.Actor, clinicians []uuid.UUID, day Date) ([]VisitView, error) {
	return s.Calendar(ctx, who, clinicians, day, 1)
}

// Calendar is Day for several days in a row, at most 42. A zero from is today in the acting person's zone.
func (s *Service) Calendar(ctx context.Context, who audit.Actor, clinicians []uuid.UUID, from Date, days int) ([]VisitView, error) {
	if days < 1 || days > maxDays {
		return nil, &Invalid{"days", "must be between 1 and 42"}
	}
	from, err := s.today(ctx, who.Org, who.ID, from)
	if err != nil {
		return nil, err
	}
	if clinicians == nil {
		clinicians = []uuid.UUID{}
	}
	event := audit.Event{Action: "calendar.viewed", Detail: map[string]any{"from": from.String(), "days": days, "clinicians": len(clinicians)}}
	return s.visits(ctx, who, event, onDays+" and (cardinality($3::uuid[]) = 0 or v.clinician_id = any ($3))", from.String(), days, clinicians)
}

// today gives day, or the day it is for a person of the staff.
func (s *Service) today(ctx context.Context, org, staff uuid.UUID, day Date) (Date, error) {
	if !day.IsZero() {
		return day, nil
	}
	zone, err := s.zoneOf(ctx, org, staff)
	if err != nil {
		return Date{}, err
	}
	return DateOf(s.now(), zone), nil
}

// zoneOf is the time zone of a person of the staff, or the organisation's.
func (s *Service) zoneOf(ctx context.Context, org, staff uuid.UUID) (*time.Location, error) {
	name := "UTC"
	err := s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select coalesce((select time_zone from staff where id = $1), (select time_zone from organisation where id = $2), 'UTC')`, staff, org).Scan(&name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the time zone: %w", err)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone is not known: %w", err)
	}
	return zone, nil
}

// Visit reads a visit and records who read it.
func (s *Service) Visit(ctx context.Context, who audit.Actor, id uuid.UUID) (VisitView, error) {
	return first(s.visits(ctx, who, audit.Event{Action: "visit.viewed", Visit: id}, "v.id = $1", id))
}

// VisitByAppointment reads the visit of an appointment ("Appointment/id") of the EHR.
func (s *Service) VisitByAppointment(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (VisitView, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return VisitView{}, err
	}
	return first(s.visits(ctx, who, audit.Event{Action: "visit.viewed"}, "v.ehr = $1 and v.appointment_index = $2", ehr, appointmentIndex(sealer, ref)))
}

// near is how far from now a visit may be to be the one that a clinician means who opens a patient's chart.
const near = 12 * time.Hour

// VisitByPatientNear reads the visit of a clinician with a patient that is meant at the instant at: the one in call,
// else the nearest that is open, else the nearest that is not yet signed; within 12 hours.
func (s *Service) VisitByPatientNear(ctx context.Context, who audit.Actor, clinician, patient uuid.UUID, at time.Time) (VisitView, error) {
	return first(s.visits(ctx, who, audit.Event{Action: "visit.viewed", Patient: patient}, `v.id = (
		select id from visit where clinician_id = $1 and patient_id = $2 and starts_at between $3 and $4
		   and (stage in ('booked', 'arrived', 'in-call') or stage = 'ended' and note in ('none', 'draft'))
		order by stage = 'in-call' desc, stage <> 'ended' desc, abs(extract(epoch from starts_at - $5::timestamptz)), id limit 1)`,
		clinician, patient, at.Add(-near), at.Add(near), at))
}

// PatientVisits gives the visits of a patient, newest last.
func (s *Service) PatientVisits(ctx context.Context, who audit.Actor, patient uuid.UUID) ([]VisitView, error) {
	return s.visits(ctx, who, audit.Event{Action: "patient.visits-viewed", Patient: patient}, "v.patient_id = $1", patient)
}

// Recordings gives the visits that have a recording, newest last: of one clinician, or of all when clinician is zero.
func (s *Service) Recordings(ctx context.Context, who audit.Actor, clinician uuid.UUID) ([]VisitView, error) {
	return s.visits(ctx, who, audit.Event{Action: "recordings.listed"}, `v.recording not in ('off', 'consented') and ($1::uuid is null or v.clinician_id = $1)`, orNull(clinician))
}

// ForWork reads a visit for the server's own work, such as a delivery; it leaves no event.
func (s *Service) ForWork(ctx context.Context, org, id uuid.UUID) (VisitView, error) {
	sealer, err := s.sealers.Sealer(ctx, org)
	if err != nil {
		return VisitView{}, err
	}
	var found []VisitView
	err = s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		found, err = loadVisits(ctx, tx, sealer, "v.id = $1", id)
		return err
	})
	return first(found, err)
}

// visits reads within an event. When it reads exactly one visit, the event names it.
func (s *Service) visits(ctx context.Context, who audit.Actor, event audit.Event, where string, args ...any) ([]VisitView, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return nil, err
	}
	var found []VisitView
	one := event.Action == "visit.viewed"
	err = s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		found, err = loadVisits(ctx, tx, sealer, where, args...)
		if err != nil {
			return err
		}
		if one {
			if len(found) == 0 {
				return ErrNotFound
			}
			tx.Event.Visit, tx.Event.Room, tx.Event.Patient = found[0].ID, found[0].Room, found[0].Patient.ID
			return nil
		}
		tx.Event.Detail = with(tx.Event.Detail, "visits", len(found))
		return nil
	})
	return found, err
}

func first(found []VisitView, err error) (VisitView, error) {
	if err != nil {
		return VisitView{}, err
	}
	if len(found) == 0 {
		return VisitView{}, ErrNotFound
	}
	return found[0], nil
}
