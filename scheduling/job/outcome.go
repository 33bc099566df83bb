package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// Window is how long after its insertion a job is tried again.
const Window = 72 * time.Hour

const (
	firstDelay = 10 * time.Second
	maxDelay   = time.Hour
	// More than Window allows at any delay; River stops a job that reaches it.
	maxAttempts = 10_000
)

// Attempt tells a worker where in the job's life it is.
type Attempt struct {
	Number int  // 1 for the first
	Last   bool // the window is over: what does not succeed now is given up
}

// Work does a job once. Its outcome is told by its error:
//   - nil: done;
//   - RetryAfter: not yet, look again then (does not count as an attempt);
//   - GiveUp: never, it will not be tried again;
//   - anything else: failed for now, tried again after a growing delay until Window has passed.
//
// ctx ends when the attempt has taken too long or the client is stopped the hard way.
type Work func(ctx context.Context, org, id uuid.UUID, attempt Attempt) error

type retryAfter struct{ delay time.Duration }

func (r *retryAfter) Error() string { return fmt.Sprintf("not yet, again in %s", r.delay) }

// RetryAfter is the outcome of a job that has to wait. Delays under one second are made one second.
func RetryAfter(delay time.Duration) error { return &retryAfter{delay: max(delay, time.Second)} }

type givenUp struct{ cause error }

func (g *givenUp) Error() string { return "given up: " + safe(g.cause) }
func (g *givenUp) Unwrap() error { return g.cause }

// GiveUp is the outcome of a job that can never succeed.
func GiveUp(cause error) error { return &givenUp{cause: cause} }

// stored is what the queue keeps of an error: its kind, never its text, which another package wrote.
type stored struct{ text string }

func (s *stored) Error() string { return s.text }

// safe reduces an error to what may be stored and logged.
func safe(err error) string {
	var pg *pgconn.PgError
	var ours *stored
	var coded interface{ Code() string }
	switch {
	case err == nil:
		return "no cause"
	case errors.As(err, &ours):
		return ours.text
	case errors.As(err, &pg):
		return "sqlstate " + pg.Code + " " + pg.ConstraintName
	case errors.Is(err, context.DeadlineExceeded):
		return "took too long"
	case errors.Is(err, context.Canceled):
		return "stopped"
	case errors.As(err, &coded):
		return coded.Code()
	}
	return fmt.Sprintf("%T", root(err))
}

func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// delay is the time to wait after failed attempt number n: it doubles up to an hour, and is spread by a fifth in
// either direction so that what failed together does not return together. spread is in [0, 1).
func delay(n int, spread float64) time.Duration {
	d := maxDelay
	if n < 10 {
		d = min(firstDelay<<max(n-1, 0), maxDelay)
	}
	return time.Duration(float64(d) * (0.8 + 0.4*spread))
}

// attemptAt tells a worker's position from the job's row.
func attemptAt(number int, insertedAt, now time.Time) Attempt {
	return Attempt{Number: number, Last: !now.Before(insertedAt.Add(Window))}
}
