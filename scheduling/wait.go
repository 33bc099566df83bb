package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling/visit"
)

// Wait is how long a patient may still have to wait.
type Wait struct {
	Ahead    int           // patients whom the clinician sees before
	Expected time.Duration // until the call begins, in whole minutes
}

// inLine is a visit of the clinician's day as the estimate sees it.
type inLine struct {
	ID        uuid.UUID
	Stage     visit.Stage
	StartsAt  time.Time
	EndsAt    time.Time
	StartedAt *time.Time
}

// ExpectedWait estimates from the clinician's running call and from those who wait with an earlier time. It tells
// nothing of the others but their number.
func (s *Service) ExpectedWait(ctx context.Context, who audit.Actor, id uuid.UUID) (Wait, error) {
	var mine inLine
	var line []inLine
	err := s.db.Read(ctx, who.Org, func(ctx context.Context, tx pgx.Tx) error {
		var clinician uuid.UUID
		err := tx.QueryRow(ctx, "select id, stage, starts_at, ends_at, started_at, clinician_id from visit where id = $1", id).
			Scan(&mine.ID, &mine.Stage, &mine.StartsAt, &mine.EndsAt, &mine.StartedAt, &clinician)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("read the visit: %w", err)
		}
		rows, err := tx.Query(ctx, `select id, stage, starts_at, ends_at, started_at from visit
			where clinician_id = $1 and id <> $2 and (stage = 'in-call' or stage = 'arrived' and starts_at < $3)`, clinician, id, mine.StartsAt)
		if err != nil {
			return fmt.Errorf("read who is before: %w", err)
		}
		line, err = pgx.CollectRows(rows, pgx.RowToStructByPos[inLine])
		return err
	})
	return expectedWait(s.now(), mine, line), err
}

// overrun is what a call is thought to need that has used up its time.
const overrun = 5 * time.Minute

func expectedWait(now time.Time, mine inLine, before []inLine) Wait {
	if mine.Stage != visit.Booked && mine.Stage != visit.Arrived {
		return Wait{}
	}
	free := now
	for _, v := range before {
		length := v.EndsAt.Sub(v.StartsAt)
		if v.Stage == visit.InCall && v.StartedAt != nil {
			length = max(length-now.Sub(*v.StartedAt), overrun)
		}
		free = free.Add(length)
	}
	if free.Before(mine.StartsAt) {
		free = mine.StartsAt
	}
	wait := free.Sub(now)
	if whole := wait.Truncate(time.Minute); whole < wait {
		wait = whole + time.Minute
	}
	return Wait{Ahead: len(before), Expected: max(wait, 0)}
}
