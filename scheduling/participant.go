package scheduling

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

// EnsureParticipant gives the participant of a visit: the clinician's and the patient's are there from the booking, a
// further member of staff or a guest is added. label is a guest's name and empty for others; each call with a label
// adds a guest.
func (s *Service) EnsureParticipant(ctx context.Context, who audit.Actor, visitID uuid.UUID, role string, staff uuid.UUID, label phi.Text) (uuid.UUID, error) {
	switch {
	case role != RoleClinician && role != RolePatient && role != RoleGuest:
		return uuid.Nil, &Invalid{"role", "must be clinician, patient or guest"}
	case (role == RoleClinician) != (staff != uuid.Nil):
		return uuid.Nil, &Invalid{"staff", "belongs to clinicians, and to nobody else"}
	case role != RoleGuest && !label.IsZero():
		return uuid.Nil, &Invalid{"label", "belongs to guests"}
	}
	if label.IsZero() {
		if id, err := s.participant(ctx, who.Org, visitID, role, staff); err == nil || !errors.Is(err, ErrNotFound) {
			return id, err
		}
	}
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return uuid.Nil, err
	}
	id := uuid.New()
	event := audit.Event{Action: "participant.added", Visit: visitID, ObjectKind: "participant", ObjectID: id.String(), Detail: map[string]any{"role": role}}
	err = s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		err := tx.QueryRow(ctx, "select room_id, patient_id from visit where id = $1", visitID).Scan(&tx.Event.Room, &tx.Event.Patient)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("read the visit: %w", err)
		}
		if role == RoleClinician {
			if _, err := clinicianZone(ctx, tx, staff); err != nil {
				return err
			}
		}
		sealed, err := phi.SealText(sealer, label, participantRow(id, "label"))
		if err != nil {
			return err
		}
		return insertParticipant(ctx, tx, who.Org, id, visitID, role, staff, sealed)
	})
	if err != nil {
		return uuid.Nil, err
	}
	if label.IsZero() {
		return s.participant(ctx, who.Org, visitID, role, staff)
	}
	return id, nil
}

func (s *Service) participant(ctx context.Context, org, visitID uuid.UUID, role string, staff uuid.UUID) (id uuid.UUID, err error) {
	err = s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select id from participant
			where visit_id = $1 and role = $2 and staff_id is not distinct from $3 and label_sealed is null`, visitID, role, orNull(staff)).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return id, err
}

func insertParticipant(ctx context.Context, tx pgx.Tx, org, id, visitID uuid.UUID, role string, staff uuid.UUID, label []byte) error {
	_, err := tx.Exec(ctx, `insert into participant (id, org_id, visit_id, role, staff_id, label_sealed) values ($1, $2, $3, $4, $5, $6)
		on conflict on constraint participant_once do nothing`, id, org, visitID, role, orNull(staff), label)
	if err != nil {
		return fmt.Errorf("add the participant: %w", err)
	}
	return nil
}

func participantRow(id uuid.UUID, column string) phi.Row {
	return phi.Row{Table: "participant", Column: column, ID: id}
}
