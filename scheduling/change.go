package scheduling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

// row is a visit locked for a change. A command may alter the fields that are not derived from State.
type row struct {
	visit.Visit
	Org, Room, Clinician, Patient uuid.UUID
	StartsAt, EndsAt              time.Time
	EHR                           string
	DeviceCheck                   DeviceCheck
	Version                       int64
	Recording                     uuid.UUID // the latest, or zero
	// did is the audit action of a command that did something besides, or instead of, a transition.
	did string
	// ours is set by what only the server's own work changes: whoever has read the visit still knows it as it is, so it
	// keeps its version.
	ours bool
}

// change runs a command on one visit: it locks the row, lets f do its own writes and name the transitions, applies
// them, and commits row, stage history, event and notification together.
func (s *Service) change(ctx context.Context, who audit.Actor, id uuid.UUID, event audit.Event,
	f func(context.Context, *audit.Tx, *row) ([]visit.Command, error)) (visit.State, error) {
	var done Change
	event.Visit = id
	err := s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		r, err := lockVisit(ctx, tx, id)
		if err != nil {
			return err
		}
		before := r.State
		commands, err := f(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := s.apply(ctx, tx, who, r, commands); err != nil {
			return err
		}
		done = Change{Org: who.Org, Visit: id, Room: r.Room, Recording: r.Recording, Before: before, After: r.State, EndReason: r.EndReason}
		return nil
	})
	if err != nil {
		return visit.State{}, err
	}
	s.tell(done)
	return done.After, nil
}

func (s *Service) tell(c Change) {
	if s.watcher != nil && c.Before != c.After {
		s.watcher.VisitChanged(c)
	}
}

// Change applies transitions to a visit inside the caller's transaction, whose event it completes: for what happens to
// a visit in another package, such as the signing of its note. The watcher is not told.
func (s *Service) Change(ctx context.Context, tx *audit.Tx, who audit.Actor, id uuid.UUID, commands ...visit.Command) (visit.State, error) {
	r, err := lockVisit(ctx, tx, id)
	if err != nil {
		return visit.State{}, err
	}
	if err := s.apply(ctx, tx, who, r, commands); err != nil {
		return visit.State{}, err
	}
	return r.State, nil
}

func (s *Service) apply(ctx context.Context, tx *audit.Tx, who audit.Actor, r *row, commands []visit.Command) error {
	before := r.State
	var happened []visit.Event
	for _, command := range commands {
		next, events, err := visit.Apply(r.Visit, command, tx.Now)
		if err != nil {
			return err
		}
		r.Visit = next
		happened = append(happened, events...)
	}
	if r.State.Stage != before.Stage {
		if err := lockCalendar(ctx, tx, r.Clinician); err != nil {
			return err
		}
	}
	if err := writeVisit(ctx, tx, r); err != nil {
		return err
	}
	if err := s.settle(ctx, tx, who, r, before); err != nil {
		return err
	}
	describe(tx, r, happened)
	_, err := tx.Exec(ctx, "select pg_notify('visit', $1)", r.Org.String()+":"+r.ID.String())
	return err
}

func lockVisit(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*row, error) {
	var r row
	var recording *uuid.UUID
	var check []byte
	err := tx.QueryRow(ctx, `
		select v.id, v.org_id, v.room_id, v.clinician_id, v.patient_id, v.starts_at, v.ends_at, v.ehr, v.device_check, v.version,
		       v.stage, v.note, v.recording, v.delivery, v.arrived_at, v.started_at, v.ended_at, v.end_reason,
		       (select r.id from recording r where r.visit_id = v.id order by r.started_at desc, r.id limit 1)
		from visit v where v.id = $1 for update`, id).Scan(
		&r.ID, &r.Org, &r.Room, &r.Clinician, &r.Patient, &r.StartsAt, &r.EndsAt, &r.EHR, &check, &r.Version,
		&r.State.Stage, &r.State.Note, &r.State.Recording, &r.State.Delivery, &r.ArrivedAt, &r.StartedAt, &r.EndedAt, &r.EndReason, &recording)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("lock the visit: %w", err)
	}
	if recording != nil {
		r.Recording = *recording
	}
	if err := json.Unmarshal(check, &r.DeviceCheck); err != nil {
		return nil, fmt.Errorf("read the device check: %w", err)
	}
	return &r, nil
}

func writeVisit(ctx context.Context, tx *audit.Tx, r *row) error {
	check, err := json.Marshal(r.DeviceCheck)
	if err != nil {
		return err
	}
	if !r.ours {
		r.Version++
	}
	_, err = tx.Exec(ctx, `
		update visit set starts_at = $2, ends_at = $3, device_check = $4, stage = $5, note = $6, recording = $7, delivery = $8,
		       arrived_at = $9, started_at = $10, ended_at = $11, end_reason = $12,
		       updated_at = case when version = $13 then updated_at else $14 end, version = $13
		where id = $1`,
		r.ID, r.StartsAt, r.EndsAt, check, r.State.Stage, r.State.Note, r.State.Recording, r.State.Delivery,
		r.ArrivedAt, r.StartedAt, r.EndedAt, r.EndReason, r.Version, tx.Now)
	if err != nil {
		return fmt.Errorf("write the visit: %w", err)
	}
	return nil
}

// settle does what follows from a change of state, whichever command caused it.
func (s *Service) settle(ctx context.Context, tx *audit.Tx, who audit.Actor, r *row, before visit.State) error {
	if r.State.Stage != before.Stage {
		if err := addStage(ctx, tx, r.Org, r.ID, r.State.Stage, who.ID, r.EndReason); err != nil {
			return err
		}
	}
	if r.State.Stage == visit.Ended && before.Stage != visit.Ended {
		_, err := tx.Exec(ctx, `update participant set left_at = $2 where visit_id = $1 and joined_at is not null and left_at is null`, r.ID, tx.Now)
		if err != nil {
			return fmt.Errorf("end the participants' periods: %w", err)
		}
	}
	if before.Recording == visit.RecordingRunning && r.State.Recording == visit.RecordingFinalizing {
		_, err := tx.Exec(ctx, `update recording set state = 'finalizing', stopped_at = $2 where id = $1`, r.Recording, tx.Now)
		if err != nil {
			return fmt.Errorf("stop the recording: %w", err)
		}
		return s.jobs.Insert(ctx, tx.Tx, job.FinalizeRecording, r.Org, r.Recording, time.Time{})
	}
	return nil
}

func addStage(ctx context.Context, tx *audit.Tx, org, id uuid.UUID, stage visit.Stage, actor uuid.UUID, reason string) error {
	_, err := tx.Exec(ctx, `insert into visit_stage (visit_id, org_id, stage, at, actor_id, reason) values ($1, $2, $3, $4, $5, $6)`,
		id, org, stage, tx.Now, orNull(actor), reason)
	if err != nil {
		return fmt.Errorf("keep the stage: %w", err)
	}
	return nil
}

// describe completes the transaction's event: what happened first is its action, the rest are events of their own. A
// repeated command is told from the one that took effect.
func describe(tx *audit.Tx, r *row, happened []visit.Event) {
	e := tx.Event
	e.Visit, e.Room, e.Patient = r.ID, r.Room, r.Patient
	actions := make([]string, 0, len(happened)+1)
	if r.did != "" {
		actions = append(actions, r.did)
	}
	for _, h := range happened {
		if string(h) != r.did {
			actions = append(actions, string(h))
		}
	}
	if len(actions) == 0 {
		e.Detail = with(e.Detail, "asked", e.Action)
		e.Action = "visit.unchanged"
		return
	}
	e.Action = actions[0]
	r.object(e)
	for _, action := range actions[1:] {
		further := audit.Event{Action: action, Visit: r.ID, Room: r.Room, Patient: r.Patient}
		r.object(&further)
		tx.Also(further)
	}
}

// object names the recording in its events, unless the command named an object itself.
func (r *row) object(e *audit.Event) {
	if e.ObjectID == "" && r.Recording != uuid.Nil && strings.HasPrefix(e.Action, "recording.") {
		e.ObjectKind, e.ObjectID = "recording", r.Recording.String()
	}
}

func with(detail map[string]any, key string, value any) map[string]any {
	merged := map[string]any{key: value}
	for k, v := range detail {
		merged[k] = v
	}
	return merged
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
