package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// Booking asks for a visit.
type Booking struct {
	Clinician      uuid.UUID
	Patient        uuid.UUID
	StartsAt       time.Time
	EndsAt         time.Time
	VisitType      string // a code; "video" when empty
	Reason         phi.Text
	Language       string   // BCP 47; the patient's when empty
	Interpreter    string   // language tag, or ""
	MediaPolicy    string   // "sfu" (when empty) or "relay-only"
	EHR            string   // the patient's when empty
	Appointment    phi.Text // "Appointment/id" when the EHR has it already: then it is not written there
	ClientResource phi.Text // the Appointment as a FHIR client sent it, verbatim
}

// Media policies.
const (
	PolicySFU       = "sfu"
	PolicyRelayOnly = "relay-only"
)

// pastBooking is how far in the past a visit may begin that is booked now: a walk-in that has begun.
const pastBooking = 24 * time.Hour

// Book books a visit. When the clinician no longer has the time, the error is a *Taken with the nearest free times.
func (s *Service) Book(ctx context.Context, who audit.Actor, b Booking) (VisitView, error) {
	if err := b.complete(s.now()); err != nil {
		return VisitView{}, err
	}
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return VisitView{}, err
	}
	id := uuid.New()
	var booked VisitView
	err = s.db.Do(ctx, who, audit.Event{Action: "visit.booked", Visit: id, Patient: b.Patient}, func(ctx context.Context, tx *audit.Tx) error {
		if err := b.checkPeople(ctx, tx); err != nil {
			return err
		}
		if err := lockCalendar(ctx, tx, b.Clinician); err != nil {
			return err
		}
		room := uuid.New()
		tx.Event.Room = room
		if err := insertVisit(ctx, tx, sealer, who.Org, id, room, b); err != nil {
			return err
		}
		if err := s.afterBooking(ctx, tx, who, id, b); err != nil {
			return err
		}
		views, err := loadVisits(ctx, tx, sealer, "v.id = $1", id)
		if err == nil {
			booked = views[0]
		}
		return err
	})
	if isTaken(err) {
		return VisitView{}, s.taken(ctx, who.Org, b.Clinician, Slot{b.StartsAt, b.EndsAt})
	}
	return booked, err
}

func (b *Booking) complete(now time.Time) error {
	b.StartsAt, b.EndsAt = b.StartsAt.UTC().Truncate(time.Second), b.EndsAt.UTC().Truncate(time.Second)
	b.VisitType, b.MediaPolicy = or(b.VisitType, "video"), or(b.MediaPolicy, PolicySFU)
	if err := checkTimes(b.StartsAt, b.EndsAt, now); err != nil {
		return err
	}
	switch {
	case !code.MatchString(b.VisitType):
		return &Invalid{"visitType", "is not a code"}
	case b.MediaPolicy != PolicySFU && b.MediaPolicy != PolicyRelayOnly:
		return &Invalid{"mediaPolicy", "must be sfu or relay-only"}
	case !isLanguage(b.Language):
		return &Invalid{"language", "is not a language tag"}
	case !isLanguage(b.Interpreter):
		return &Invalid{"interpreter", "is not a language tag"}
	}
	return nil
}

func checkTimes(start, end, now time.Time) error {
	switch {
	case start.IsZero():
		return &Invalid{"start", "is missing"}
	case !end.After(start):
		return &Invalid{"end", "must be after the start"}
	case end.Sub(start) > longest:
		return &Invalid{"end", "must be within 8 hours of the start"}
	case start.Before(now.Add(-pastBooking)):
		return &Invalid{"start", "is in the past"}
	}
	return nil
}

// checkPeople makes sure that both belong to the organisation: foreign keys alone do not see row-level security.
func (b *Booking) checkPeople(ctx context.Context, tx pgx.Tx) error {
	if _, err := clinicianZone(ctx, tx, b.Clinician); err != nil {
		return err
	}
	var ehr, language string
	err := tx.QueryRow(ctx, "select ehr, language from patient where id = $1", b.Patient).Scan(&ehr, &language)
	if errors.Is(err, pgx.ErrNoRows) {
		return &Invalid{"patient", "is not known"}
	}
	if err != nil {
		return fmt.Errorf("read the patient: %w", err)
	}
	b.Language, b.EHR = or(b.Language, language), or(b.EHR, ehr)
	if b.EHR != ehr {
		return &Invalid{"ehr", "is not the patient's"}
	}
	return nil
}

func insertVisit(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, org, id, room uuid.UUID, b Booking) error {
	reason, err := phi.SealText(sealer, b.Reason, visitRow(id, "reason"))
	if err != nil {
		return err
	}
	appointment, err := phi.SealText(sealer, b.Appointment, visitRow(id, "appointment"))
	if err != nil {
		return err
	}
	resource, err := phi.SealText(sealer, b.ClientResource, visitRow(id, "client_resource"))
	if err != nil {
		return err
	}
	state := visit.New()
	_, err = tx.Exec(ctx, `
		insert into visit (id, org_id, room_id, clinician_id, patient_id, starts_at, ends_at, visit_type, media_policy, interpreter, language,
		                   reason_sealed, stage, note, recording, delivery, ehr, appointment_sealed, appointment_index, client_resource_sealed,
		                   created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $21)`,
		id, org, room, b.Clinician, b.Patient, b.StartsAt, b.EndsAt, b.VisitType, b.MediaPolicy, b.Interpreter, b.Language,
		reason, state.Stage, state.Note, state.Recording, state.Delivery, b.EHR, appointment, appointmentIndex(sealer, b.Appointment), resource, tx.Now)
	if err != nil {
		return fmt.Errorf("insert the visit: %w", err)
	}
	return nil
}

// afterBooking adds what each visit has from its first moment: its first stage, its two participants, and the
// appointment that the EHR is to receive.
func (s *Service) afterBooking(ctx context.Context, tx *audit.Tx, who audit.Actor, id uuid.UUID, b Booking) error {
	if err := addStage(ctx, tx, who.Org, id, visit.Booked, who.ID, ""); err != nil {
		return err
	}
	for role, staff := range map[string]uuid.UUID{RoleClinician: b.Clinician, RolePatient: uuid.Nil} {
		if err := insertParticipant(ctx, tx, who.Org, uuid.New(), id, role, staff, nil); err != nil {
			return err
		}
	}
	if b.Appointment.IsZero() {
		if _, err := s.QueueDelivery(ctx, tx, id, DeliverAppointment, uuid.Nil); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "select pg_notify('visit', $1)", who.Org.String()+":"+id.String())
	return err
}

// lockCalendar lets the changes of a clinician's calendar come one after the other. The exclusion constraint alone keeps
// it free of overlaps, but two transactions that write overlapping times at once wait there for each other, until the
// database ends one of them as a deadlock.
func lockCalendar(ctx context.Context, tx pgx.Tx, clinician uuid.UUID) error {
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtextextended('calendar:' || $1::text, 0))", clinician.String()); err != nil {
		return fmt.Errorf("wait for the clinician's calendar: %w", err)
	}
	return nil
}

// Move gives a booked visit another time. version is the one that the caller saw; 0 does not ask. Errors: *Taken,
// *Changed, *visit.Refused.
func (s *Service) Move(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, start, end time.Time) (VisitView, error) {
	start, end = start.UTC().Truncate(time.Second), end.UTC().Truncate(time.Second)
	if err := checkTimes(start, end, s.now()); err != nil {
		return VisitView{}, err
	}
	var clinician uuid.UUID
	_, err := s.change(ctx, who, id, audit.Event{Action: string(visit.VisitMoved)}, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		clinician = r.Clinician
		if err := r.expect(version); err != nil {
			return nil, err
		}
		if err := lockCalendar(ctx, tx, clinician); err != nil {
			return nil, err
		}
		r.StartsAt, r.EndsAt = start, end
		return []visit.Command{visit.Reschedule}, s.requeueAppointment(ctx, tx, id)
	})
	if isTaken(err) {
		return VisitView{}, s.taken(ctx, who.Org, clinician, Slot{start, end})
	}
	if err != nil {
		return VisitView{}, err
	}
	return s.ForWork(ctx, who.Org, id)
}

// SetClientResource keeps the Appointment as a FHIR client sent it last. version is the one that the caller saw; 0 does
// not ask. Error: *Changed.
func (s *Service) SetClientResource(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, resource phi.Text) error {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, who, id, audit.Event{}, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		r.did = "appointment.updated"
		if err := r.expect(version); err != nil {
			return nil, err
		}
		sealed, err := phi.SealText(sealer, resource, visitRow(id, "client_resource"))
		if err != nil {
			return nil, err
		}
		_, err = tx.Exec(ctx, "update visit set client_resource_sealed = $2 where id = $1", id, sealed)
		return nil, err
	})
	return err
}

func (r *row) expect(version int64) error {
	if version != 0 && version != r.Version {
		return &Changed{Version: r.Version}
	}
	return nil
}

func visitRow(id uuid.UUID, column string) phi.Row {
	return phi.Row{Table: "visit", Column: column, ID: id}
}

func appointmentIndex(sealer phi.Sealer, ref phi.Text) []byte {
	return phi.IndexText(sealer, "visit.appointment", ref)
}
