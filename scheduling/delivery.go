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
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

const deliveryColumns = `visit_id, id, ehr, kind, subject_id, state, attempts, reference_sealed, etag, problem, due_at, accepted_at, updated_at`

func scanDelivery(row pgx.CollectableRow, sealer phi.Sealer) (DeliveryView, error) {
	var d DeliveryView
	var subject *uuid.UUID
	var reference []byte
	err := row.Scan(&d.Visit, &d.ID, &d.EHR, &d.Kind, &subject, &d.State, &d.Attempts, &reference, &d.ETag, &d.Problem, &d.DueAt, &d.AcceptedAt, &d.UpdatedAt)
	if err != nil {
		return d, err
	}
	utc(&d.DueAt, d.AcceptedAt, &d.UpdatedAt)
	if subject != nil {
		d.Subject = *subject
	}
	d.Reference, err = phi.OpenText(sealer, reference, deliveryRow(d.ID, "reference"))
	return d, err
}

func deliveryRow(id uuid.UUID, column string) phi.Row {
	return phi.Row{Table: "delivery", Column: column, ID: id}
}

// QueueDelivery asks, inside the caller's transaction, that the EHR receive a resource of the visit. The same kind and
// subject are one delivery, however often it is asked for; subject is zero for appointments and encounters.
func (s *Service) QueueDelivery(ctx context.Context, tx *audit.Tx, visitID uuid.UUID, kind string, subject uuid.UUID) (uuid.UUID, error) {
	var id, org uuid.UUID
	err := tx.QueryRow(ctx, `
		insert into delivery (id, org_id, visit_id, ehr, kind, subject_id, state, due_at, updated_at)
		select $1, org_id, id, ehr, $3, $4, 'due', $5, $5 from visit where id = $2
		on conflict on constraint delivery_once do update set state = 'due', problem = '', due_at = excluded.due_at, updated_at = excluded.updated_at
		returning id, org_id`, uuid.New(), visitID, kind, orNull(subject), tx.Now).Scan(&id, &org)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, ErrNotFound
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("queue the delivery: %w", err)
	}
	return id, s.jobs.Insert(ctx, tx.Tx, job.Deliver, org, id, time.Time{})
}

// requeueAppointment sends the appointment again after it changed; an appointment that the EHR made is the EHR's.
func (s *Service) requeueAppointment(ctx context.Context, tx *audit.Tx, visitID uuid.UUID) error {
	var ours bool
	err := tx.QueryRow(ctx, "select exists (select from delivery where visit_id = $1 and kind = 'appointment')", visitID).Scan(&ours)
	if err != nil || !ours {
		return err
	}
	_, err = s.QueueDelivery(ctx, tx, visitID, DeliverAppointment, uuid.Nil)
	return err
}

// Delivery reads a delivery for the server's own work.
func (s *Service) Delivery(ctx context.Context, org, id uuid.UUID) (DeliveryView, error) {
	sealer, err := s.sealers.Sealer(ctx, org)
	if err != nil {
		return DeliveryView{}, err
	}
	var d DeliveryView
	err = s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select "+deliveryColumns+" from delivery where id = $1", id)
		if err != nil {
			return err
		}
		d, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (DeliveryView, error) { return scanDelivery(row, sealer) })
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return d, err
}

// DeliveryResult is what came of one attempt.
type DeliveryResult struct {
	State     visit.Delivery // DeliveryDue (to be tried again), DeliverySent (no sure answer), DeliveryAccepted or DeliveryRejected
	Reference phi.Text       // "Encounter/id", required when accepted
	ETag      string
	Problem   string // a safe sentence for the worklist
}

// RecordDelivery keeps the result of an attempt to deliver, with what it means for the visit. ledger may add further
// rows in the same transaction and may be nil. What was accepted stays accepted, but for the appointment, which is sent
// again whenever it changes.
func (s *Service) RecordDelivery(ctx context.Context, who audit.Actor, id uuid.UUID, result DeliveryResult, ledger func(context.Context, *audit.Tx) error) error {
	if result.State == visit.DeliveryAccepted && result.Reference.IsZero() {
		return &Invalid{"reference", "is missing from an accepted delivery"}
	}
	d, err := s.Delivery(ctx, who.Org, id)
	if err != nil {
		return err
	}
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return err
	}
	event := audit.Event{ObjectKind: "delivery", ObjectID: id.String(), Detail: map[string]any{"kind": d.Kind}}
	_, err = s.change(ctx, who, d.Visit, event, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		if ledger != nil {
			if err := ledger(ctx, tx); err != nil {
				return nil, err
			}
		}
		if err := writeResult(ctx, tx, sealer, id, result); err != nil {
			return nil, err
		}
		r.did, r.ours = "delivery."+string(result.State), true
		if result.State == visit.DeliveryDue {
			r.did = "delivery.postponed"
		}
		if result.State == visit.DeliveryAccepted {
			if err := keepReference(ctx, tx, sealer, d, result.Reference); err != nil {
				return nil, err
			}
		}
		return rollUp(ctx, tx, r)
	})
	return err
}

func writeResult(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, id uuid.UUID, result DeliveryResult) error {
	reference, err := phi.SealText(sealer, result.Reference, deliveryRow(id, "reference"))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		update delivery set attempts = attempts + 1, updated_at = $2,
		       state = $3, problem = $4, etag = case when $5 = '' then etag else $5 end,
		       reference_sealed = coalesce($6, reference_sealed),
		       accepted_at = case when $3 = 'accepted' then coalesce(accepted_at, $2) else accepted_at end
		where id = $1 and not (state = 'accepted' and $3 <> 'accepted' and kind <> 'appointment')`, id, tx.Now, string(result.State), result.Problem, result.ETag, reference)
	if err != nil {
		return fmt.Errorf("keep the delivery's result: %w", err)
	}
	return nil
}

// keepReference notes on the visit how the EHR calls what it took.
func keepReference(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, d DeliveryView, reference phi.Text) error {
	switch d.Kind {
	case DeliverAppointment:
		sealed, err := phi.SealText(sealer, reference, visitRow(d.Visit, "appointment"))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "update visit set appointment_sealed = $2, appointment_index = $3 where id = $1", d.Visit, sealed, appointmentIndex(sealer, reference))
		return err
	case DeliverEncounter:
		return setEncounter(ctx, tx, sealer, d.Visit, reference)
	}
	return nil
}

func setEncounter(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, visitID uuid.UUID, reference phi.Text) error {
	sealed, err := phi.SealText(sealer, reference, visitRow(visitID, "encounter"))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "update visit set encounter_sealed = $2 where id = $1", visitID, sealed)
	return err
}

// SetEncounter notes the encounter that the EHR already has for the visit, as its launch told.
func (s *Service) SetEncounter(ctx context.Context, who audit.Actor, id uuid.UUID, reference phi.Text) error {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, who, id, audit.Event{}, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		r.did, r.ours = "visit.encounter-linked", true
		return nil, setEncounter(ctx, tx, sealer, id, reference)
	})
	return err
}

// rollUp names the transitions that bring the visit's delivery to what its deliveries say together: one rejection
// rejects it, and only all accepted accept it. The appointment is told apart: it is due long before anything is signed.
func rollUp(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
	var all, accepted, sent, rejected int
	err := tx.QueryRow(ctx, `select count(*), count(*) filter (where state = 'accepted'), count(*) filter (where state = 'sent'),
		count(*) filter (where state = 'rejected') from delivery where visit_id = $1 and kind <> 'appointment'`, r.ID).Scan(&all, &accepted, &sent, &rejected)
	if err != nil {
		return nil, fmt.Errorf("sum the deliveries: %w", err)
	}
	want := visit.DeliveryDue
	switch {
	case all == 0:
		return nil, nil
	case rejected > 0:
		want = visit.DeliveryRejected
	case accepted == all:
		want = visit.DeliveryAccepted
	case accepted+sent > 0:
		want = visit.DeliverySent
	}
	return toward(r.State.Delivery, want), nil
}

// toward gives the commands that lead from one state of the delivery to another; a step back to due happens only by a
// retry.
func toward(have, want visit.Delivery) []visit.Command {
	if have == want || have == visit.DeliveryNone || have == visit.DeliveryAccepted {
		return nil
	}
	var commands []visit.Command
	if have == visit.DeliveryRejected {
		commands = append(commands, visit.RetryDelivery)
	}
	switch want {
	case visit.DeliverySent:
		commands = append(commands, visit.SendDelivery)
	case visit.DeliveryAccepted:
		commands = append(commands, visit.AcceptDelivery)
	case visit.DeliveryRejected:
		commands = append(commands, visit.RejectDelivery)
	}
	return commands
}

// RetryDelivery tries a rejected delivery again, from the beginning. Of one that is under way it changes nothing.
func (s *Service) RetryDelivery(ctx context.Context, who audit.Actor, id uuid.UUID) error {
	d, err := s.Delivery(ctx, who.Org, id)
	if err != nil {
		return err
	}
	event := audit.Event{Action: "delivery.retried", ObjectKind: "delivery", ObjectID: id.String(), Detail: map[string]any{"kind": d.Kind}}
	_, err = s.change(ctx, who, d.Visit, event, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		tag, err := tx.Exec(ctx, "update delivery set state = 'due', problem = '', due_at = $2, updated_at = $2 where id = $1 and state = 'rejected'", id, tx.Now)
		if err != nil || tag.RowsAffected() == 0 {
			return nil, err
		}
		r.did = "delivery.retried"
		if err := s.jobs.Insert(ctx, tx.Tx, job.Deliver, r.Org, id, time.Time{}); err != nil {
			return nil, err
		}
		return rollUp(ctx, tx, r)
	})
	return err
}
