package note

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/identity/phi"
)

// compose gathers what a signature would cover now.
func (s *Service) compose(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, visitID uuid.UUID, kind Kind, follows uuid.UUID, body Body) (Content, error) {
	c := Content{Format: format, Kind: kind, Follows: follows, Note: body}
	if err := loadFacts(ctx, tx, sealer, visitID, &c); err != nil {
		return c, err
	}
	var err error
	if c.Participants, err = loadParticipants(ctx, tx, sealer, visitID, c.Clinician.Name, c.Patient.Name); err != nil {
		return c, fmt.Errorf("read the participants: %w", err)
	}
	if c.Consent, err = loadConsent(ctx, tx, visitID); err != nil {
		return c, fmt.Errorf("read the consent: %w", err)
	}
	if recording, err := recordingOf(ctx, tx, visitID); err != nil {
		return c, err
	} else if recording != uuid.Nil {
		c.Recording = &Recording{ID: recording, URL: s.recordingURL(recording)}
	}
	c.Attestation = c.attest()
	return c, nil
}

func loadFacts(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, visitID uuid.UUID, c *Content) error {
	var started, ended *time.Time
	var clinician, name, birthDate, reference []byte
	err := tx.QueryRow(ctx, `
		select v.id, v.visit_type, v.starts_at, v.ends_at, v.started_at, v.ended_at, s.time_zone, s.id, s.name_sealed,
		       p.id, p.name_sealed, p.birth_date_sealed, p.reference_sealed
		from visit v join staff s on s.id = v.clinician_id join patient p on p.id = v.patient_id where v.id = $1`, visitID).
		Scan(&c.Visit.ID, &c.Visit.Type, &c.Visit.ScheduledStart, &c.Visit.ScheduledEnd, &started, &ended, &c.Visit.TimeZone, &c.Clinician.ID, &clinician,
			&c.Patient.ID, &name, &birthDate, &reference)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("read the visit: %w", err)
	}
	if started == nil || ended == nil {
		return ErrNotEnded
	}
	c.Visit.Started, c.Visit.Ended = *started, *ended
	if c.Clinician.Name, err = phi.OpenText(sealer, clinician, phi.Row{Table: "staff", Column: "name", ID: c.Clinician.ID}); err != nil {
		return err
	}
	if c.Patient.Name, err = phi.OpenText(sealer, name, phi.Row{Table: "patient", Column: "name", ID: c.Patient.ID}); err != nil {
		return err
	}
	if c.Patient.BirthDate, err = phi.OpenDate(sealer, birthDate, phi.Row{Table: "patient", Column: "birth_date", ID: c.Patient.ID}); err != nil {
		return err
	}
	c.Patient.Reference, err = phi.OpenText(sealer, reference, phi.Row{Table: "patient", Column: "reference", ID: c.Patient.ID})
	return err
}

// loadParticipants reads who was in the call; who was only invited was not there.
func loadParticipants(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, visitID uuid.UUID, clinician, patient phi.Text) ([]Participant, error) {
	rows, err := tx.Query(ctx, `
		select p.id, p.role, p.label_sealed, s.id, s.name_sealed, s.id = v.clinician_id, p.joined_at, p.left_at
		from participant p join visit v on v.id = p.visit_id left join staff s on s.id = p.staff_id
		where p.visit_id = $1 and p.joined_at is not null order by p.joined_at, p.id`, visitID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Participant, error) {
		var p Participant
		var label, staffName []byte
		var staff *uuid.UUID
		var host *bool
		var left *time.Time
		err := row.Scan(&p.ID, &p.Role, &label, &staff, &staffName, &host, &p.Joined, &left)
		if err != nil {
			return p, err
		}
		if left != nil {
			p.Left = *left
		}
		switch {
		case host != nil && *host:
			p.Name = clinician
		case staff != nil:
			p.Name, err = phi.OpenText(sealer, staffName, phi.Row{Table: "staff", Column: "name", ID: *staff})
		case p.Role == "patient":
			p.Name = patient
		default:
			p.Name, err = phi.OpenText(sealer, label, phi.Row{Table: "participant", Column: "label", ID: p.ID})
		}
		return p, err
	})
}

func loadConsent(ctx context.Context, tx pgx.Tx, visitID uuid.UUID) ([]Consent, error) {
	rows, err := tx.Query(ctx, `
		select participant_id, role, answer, at from (
			select distinct on (c.participant_id) c.participant_id, p.role, c.answer, c.at
			from consent c join participant p on p.id = c.participant_id
			where c.visit_id = $1 and c.kind = 'recording' order by c.participant_id, c.at desc) latest
		order by at, participant_id`, visitID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Consent])
}

// recordingOf gives the visit's recording, unless nothing could be made of it.
func recordingOf(ctx context.Context, tx pgx.Tx, visitID uuid.UUID) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `select id from recording where visit_id = $1 and state in ('running', 'finalizing', 'stored') order by started_at desc, id limit 1`, visitID).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("read the recording: %w", err)
	}
	return id, nil
}
