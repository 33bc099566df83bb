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

const recordingColumns = `id, state, started_at, stopped_at, stored_at, coalesce(duration_ms, 0), coalesce(bytes, 0), sha256, content_type, problem`

func scanRecording(row pgx.CollectableRow, before ...any) (RecordingView, error) {
	var r RecordingView
	var ms int64
	err := row.Scan(append(before, &r.ID, &r.State, &r.StartedAt, &r.StoppedAt, &r.StoredAt, &ms, &r.Bytes, &r.SHA256, &r.ContentType, &r.Problem)...)
	utc(&r.StartedAt, r.StoppedAt, r.StoredAt)
	r.Duration = time.Duration(ms) * time.Millisecond
	return r, err
}

// RecordingKeyContext is what the data key of a recording is bound to (identity/keys associated data).
func RecordingKeyContext(recording uuid.UUID) []byte {
	return []byte("recording/" + recording.String())
}

// StartedRecording is a recording that has begun.
type StartedRecording struct {
	ID         uuid.UUID
	Room       uuid.UUID
	WrappedKey []byte // bound to RecordingKeyContext
	Key        []byte // the plain data key, to be wiped after use; nil when the recording ran already
}

// StartRecording begins the recording of a call, once everybody's consent is there (*NotConsented).
func (s *Service) StartRecording(ctx context.Context, who audit.Actor, id uuid.UUID) (StartedRecording, error) {
	started := StartedRecording{ID: uuid.New()}
	var err error
	// The key service is asked before the visit is locked.
	if started.Key, started.WrappedKey, err = s.keys.NewWrapped(ctx, RecordingKeyContext(started.ID)); err != nil {
		return StartedRecording{}, fmt.Errorf("make the recording's key: %w", err)
	}
	_, err = s.change(ctx, who, id, audit.Event{Action: string(visit.RecordingStarted)}, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		started.Room = r.Room
		if r.State.Recording == visit.RecordingRunning {
			clear(started.Key)
			started.ID, started.Key = r.Recording, nil
			err := tx.QueryRow(ctx, "select wrapped_key from recording where id = $1", r.Recording).Scan(&started.WrappedKey)
			return []visit.Command{visit.StartRecording}, err
		}
		allowed, err := mayRecord(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if !allowed {
			return nil, &NotConsented{Visit: id}
		}
		r.Recording = started.ID
		_, err = tx.Exec(ctx, `insert into recording (id, org_id, visit_id, wrapped_key, state, started_at) values ($1, $2, $3, $4, 'running', $5)`,
			started.ID, r.Org, id, started.WrappedKey, tx.Now)
		return []visit.Command{visit.StartRecording}, err
	})
	if err != nil {
		clear(started.Key)
		return StartedRecording{}, err
	}
	return started, nil
}

// StopRecording stops the recording and enqueues its finalising. A visit has one recording: it cannot start again.
func (s *Service) StopRecording(ctx context.Context, who audit.Actor, id uuid.UUID) (visit.State, error) {
	return s.change(ctx, who, id, audit.Event{Action: string(visit.RecordingStopped)}, func(context.Context, *audit.Tx, *row) ([]visit.Command, error) {
		return []visit.Command{visit.StopRecording}, nil
	})
}

// StoredRecording is what was made of a recording.
type StoredRecording struct {
	Duration    time.Duration
	Bytes       int64
	SHA256      []byte
	ContentType string
}

// RecordingStored notes that the recording is whole and stored. A delivery that waited for it is tried at once.
func (s *Service) RecordingStored(ctx context.Context, who audit.Actor, recording uuid.UUID, stored StoredRecording) error {
	id, err := s.visitOfRecording(ctx, who.Org, recording)
	if err != nil {
		return err
	}
	event := audit.Event{Action: string(visit.RecordingWasStored), ObjectKind: "recording", ObjectID: recording.String()}
	_, err = s.change(ctx, who, id, event, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		if r.State.Recording == visit.RecordingStored {
			return []visit.Command{visit.StoreRecording}, nil
		}
		_, err := tx.Exec(ctx, `update recording set state = 'stored', stored_at = $2, duration_ms = $3, bytes = $4, sha256 = $5, content_type = $6, problem = ''
			where id = $1`, recording, tx.Now, stored.Duration.Milliseconds(), stored.Bytes, stored.SHA256, stored.ContentType)
		if err != nil {
			return nil, fmt.Errorf("keep what was stored: %w", err)
		}
		return []visit.Command{visit.StoreRecording}, s.nudge(ctx, tx, r.Org, id, recording)
	})
	return err
}

func (s *Service) nudge(ctx context.Context, tx *audit.Tx, org, visitID, recording uuid.UUID) error {
	var delivery uuid.UUID
	err := tx.QueryRow(ctx, `select id from delivery where visit_id = $1 and kind = 'recording' and subject_id = $2 and state in ('due', 'sent')`, visitID, recording).Scan(&delivery)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the recording's delivery: %w", err)
	}
	return s.jobs.Insert(ctx, tx.Tx, job.Deliver, org, delivery, time.Time{})
}

// RecordingFailed notes that nothing can be made of the recording. problem is a safe sentence. A delivery of it is
// rejected, so that it shows.
func (s *Service) RecordingFailed(ctx context.Context, who audit.Actor, recording uuid.UUID, problem string) error {
	id, err := s.visitOfRecording(ctx, who.Org, recording)
	if err != nil {
		return err
	}
	event := audit.Event{Action: string(visit.RecordingHasFailed), ObjectKind: "recording", ObjectID: recording.String()}
	_, err = s.change(ctx, who, id, event, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		commands := []visit.Command{visit.FailRecording}
		if r.State.Recording == visit.RecordingFailed {
			return commands, nil
		}
		_, err := tx.Exec(ctx, `update recording set state = 'failed', problem = $2, stopped_at = coalesce(stopped_at, $3) where id = $1`, recording, problem, tx.Now)
		if err != nil {
			return nil, fmt.Errorf("keep the failure: %w", err)
		}
		tag, err := tx.Exec(ctx, `update delivery set state = 'rejected', problem = 'The recording could not be stored.', updated_at = $3
			where visit_id = $1 and kind = 'recording' and subject_id = $2 and state in ('due', 'sent')`, id, recording, tx.Now)
		if err != nil || tag.RowsAffected() == 0 {
			return commands, err
		}
		further, err := rollUp(ctx, tx, r)
		return append(commands, further...), err
	})
	return err
}

func (s *Service) visitOfRecording(ctx context.Context, org, recording uuid.UUID) (id uuid.UUID, err error) {
	err = s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select visit_id from recording where id = $1", recording).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	return id, err
}

func scanVisitRecording(row pgx.CollectableRow, _ phi.Sealer, byID map[uuid.UUID]*VisitView) error {
	var of uuid.UUID
	r, err := scanRecording(row, &of)
	if err != nil {
		return err
	}
	byID[of].Recording = &r
	return nil
}
