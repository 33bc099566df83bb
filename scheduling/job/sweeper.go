package job

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const sweepEvery = 3 * time.Second

// sweeper gives back jobs whose worker died. River alone would wait for the job's whole timeout; here a job that is
// marked running while nobody holds its lock, twice in a row, goes back at once. Twice, because a worker takes the
// lock a moment after the mark and the mark is removed a moment after the lock.
type sweeper struct {
	pool   *pgxpool.Pool
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{}
	seen   map[orphan]bool
}

// orphan is one attempt at a job.
type orphan struct {
	ID        int64
	Kind      Kind
	Subject   uuid.UUID
	Attempted time.Time
}

func startSweeper(pool *pgxpool.Pool, log *slog.Logger) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{pool: pool, log: log, cancel: cancel, done: make(chan struct{}), seen: map[orphan]bool{}}
	go s.run(ctx)
	return s
}

func (s *sweeper) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("looking for jobs of dead workers failed; it will be tried again", "cause", safe(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *sweeper) stop() {
	s.cancel()
	<-s.done
}

func (s *sweeper) once(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `
		select id, kind, (args->>'id')::uuid, attempted_at from river.river_job
		where state = 'running' and attempted_at is not null
		order by id limit 1000`)
	if err != nil {
		return err
	}
	running, err := pgx.CollectRows(rows, pgx.RowToStructByPos[orphan])
	if err != nil {
		return err
	}
	unheld := map[orphan]bool{}
	for _, o := range running {
		release, err := lock(ctx, s.pool, lockName(o.Kind, o.Subject))
		if err != nil {
			continue // held: its worker lives
		}
		o.Attempted = o.Attempted.UTC()
		if s.seen[o] {
			err = s.giveBack(ctx, o)
		} else {
			unheld[o] = true
		}
		release()
		if err != nil {
			return err
		}
	}
	s.seen = unheld
	return nil
}

func (s *sweeper) giveBack(ctx context.Context, o orphan) error {
	tag, err := s.pool.Exec(ctx, `
		update river.river_job set state = 'available', scheduled_at = now()
		where id = $1 and state = 'running' and attempted_at = $2`, o.ID, o.Attempted)
	if err == nil && tag.RowsAffected() == 1 {
		s.log.Warn("a job was taken back from a worker that died", "kind", string(o.Kind), "id", o.Subject)
	}
	return err
}
