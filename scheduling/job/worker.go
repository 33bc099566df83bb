package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
)

type subjectArgs interface {
	river.JobArgs
	subject() ids
}

type worker[T subjectArgs] struct {
	river.WorkerDefaults[T]
	client *Client
	kind   Kind
	work   Work
}

// busyDelay is when to look again at a job whose subject is being worked elsewhere.
const busyDelay = 2 * time.Second

// Timeout implements river.Worker.
func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return w.kind.timeout() }

// Work implements river.Worker.
func (w *worker[T]) Work(ctx context.Context, j *river.Job[T]) error {
	subject := j.Args.subject()
	release, err := lock(ctx, w.client.pool, lockName(w.kind, subject.ID))
	if errors.Is(err, errBusy) {
		return river.JobSnooze(busyDelay)
	}
	if err != nil {
		return &stored{text: safe(err)}
	}
	defer release()
	attempt := attemptAt(j.Attempt, j.CreatedAt, w.client.config.Now())
	err = w.once(ctx, subject, attempt)
	return w.translate(err, subject.ID, attempt)
}

// once turns a panic into an error without its value, which may hold anything.
func (w *worker[T]) once(ctx context.Context, subject ids, attempt Attempt) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &stored{text: fmt.Sprintf("panic of type %T", p)}
		}
	}()
	return w.work(ctx, subject.Org, subject.ID, attempt)
}

// translate gives River the outcome in its own terms.
func (w *worker[T]) translate(err error, id uuid.UUID, attempt Attempt) error {
	if err == nil {
		return nil
	}
	var later *retryAfter
	var never *givenUp
	log := w.client.config.Log.With("kind", string(w.kind), "id", id, "attempt", attempt.Number)
	switch {
	case errors.As(err, &never):
		log.Warn("a job was given up", "cause", safe(never.cause))
		return river.JobCancel(&stored{text: never.Error()})
	case attempt.Last:
		log.Warn("a job was given up after its window", "cause", safe(err))
		return river.JobCancel(&stored{text: "window over: " + safe(err)})
	case errors.As(err, &later):
		return river.JobSnooze(later.delay)
	}
	log.Log(context.Background(), slog.LevelInfo, "a job failed and will be tried again", "cause", safe(err))
	return &stored{text: safe(err)}
}

var errBusy = errors.New("another worker holds this job's subject")

func lockName(kind Kind, id uuid.UUID) string { return string(kind) + ":" + id.String() }

// lock takes the session lock of a subject; it goes with its connection, so a worker that dies gives it back.
func lock(ctx context.Context, pool *pgxpool.Pool, name string) (release func(), err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	var got bool
	if err := conn.QueryRow(ctx, "select pg_try_advisory_lock(hashtextextended($1, 7))", name).Scan(&got); err != nil || !got {
		conn.Release()
		if err == nil {
			err = errBusy
		}
		return nil, err
	}
	return func() {
		closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(closing, "select pg_advisory_unlock(hashtextextended($1, 7))", name); err != nil {
			// A connection that still holds the lock must not go back to the pool.
			_ = conn.Hijack().Close(closing)
			return
		}
		conn.Release()
	}, nil
}
