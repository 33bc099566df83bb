package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// Config of a client.
type Config struct {
	URL         string           // PostgreSQL, as the server's role
	Concurrency int              // jobs worked at once in this process; 8 when zero
	Now         func() time.Time // the clock by which a job's window is told
	Log         *slog.Logger
}

// Client enqueues jobs and, once started, works them.
type Client struct {
	config Config
	pool   *pgxpool.Pool
	insert *river.Client[pgx.Tx]
	work   map[Kind]Work

	mu      sync.Mutex
	running *river.Client[pgx.Tx]
	sweep   *sweeper
}

// Open connects. The client has a pool of its own, so that a busy queue does not take the pages' connections.
func Open(ctx context.Context, c Config) (*Client, error) {
	if c.Concurrency <= 0 {
		c.Concurrency = 8
	}
	config, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("the database URL of the queue cannot be read")
	}
	// Each job at work holds one connection for its lock; the queue itself needs a few.
	config.MaxConns = int32(c.Concurrency) + 6
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	insert, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: schema, Logger: c.Log, MaxAttempts: maxAttempts, SkipUnknownJobCheck: true})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	return &Client{config: c, pool: pool, insert: insert, work: map[Kind]Work{}}, nil
}

// Insert enqueues a job inside tx: it exists if and only if tx commits. A zero at means as soon as possible.
func (c *Client) Insert(ctx context.Context, tx pgx.Tx, kind Kind, org, id uuid.UUID, at time.Time) error {
	args, err := argsOf(kind, ids{Org: org, ID: id})
	if err != nil {
		return err
	}
	if _, err := c.insert.InsertTx(ctx, tx, args, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("enqueue %s: %w", kind, err)
	}
	return nil
}

func argsOf(kind Kind, subject ids) (river.JobArgs, error) {
	switch kind {
	case Deliver:
		return deliverArgs{subject}, nil
	case FinalizeRecording:
		return finalizeArgs{subject}, nil
	}
	return nil, &UnknownKind{Kind: kind}
}

// Handle names who does a kind of job. Call it before Start.
func (c *Client) Handle(kind Kind, work Work) { c.work[kind] = work }

// Start begins to work the kinds that have a handler; jobs of other kinds stay for another process. It returns once
// working has begun; ctx bounds only the start.
func (c *Client) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return errors.New("the queue is already being worked")
	}
	workers := river.NewWorkers()
	for kind, work := range c.work {
		if err := c.register(workers, kind, work); err != nil {
			return err
		}
	}
	running, err := river.NewClient(riverpgxv5.New(c.pool), c.riverConfig(workers))
	if err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	if err := running.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	c.running = running
	c.sweep = startSweeper(c.pool, c.config.Log)
	return nil
}

func (c *Client) riverConfig(workers *river.Workers) *river.Config {
	return &river.Config{
		Schema:               schema,
		Logger:               c.config.Log,
		Workers:              workers,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.config.Concurrency}},
		FetchOnlyKnownKinds:  true,
		JobTimeout:           2 * time.Minute,
		RescueStuckJobsAfter: 3 * time.Minute,
		MaxAttempts:          maxAttempts,
		RetryPolicy:          retryPolicy{now: c.config.Now},
		// The server's role owns no index, so it cannot rebuild one.
		ReindexerIndexNames: []string{},
	}
}

func (c *Client) register(workers *river.Workers, kind Kind, work Work) error {
	switch kind {
	case Deliver:
		return river.AddWorkerSafely(workers, &worker[deliverArgs]{client: c, kind: kind, work: work})
	case FinalizeRecording:
		return river.AddWorkerSafely(workers, &worker[finalizeArgs]{client: c, kind: kind, work: work})
	}
	return &UnknownKind{Kind: kind}
}

// Stop takes no new job and waits for those at work. When ctx ends first, their contexts are ended and it waits for
// them to return.
func (c *Client) Stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil
	}
	c.sweep.stop()
	err := c.running.Stop(ctx)
	if err != nil {
		err = c.running.StopAndCancel(context.WithoutCancel(ctx))
	}
	c.running, c.sweep = nil, nil
	if err != nil {
		return fmt.Errorf("stop the queue: %w", err)
	}
	return nil
}

// Close ends every connection. Stop first.
func (c *Client) Close() { c.pool.Close() }

type retryPolicy struct{ now func() time.Time }

// NextRetry implements river.ClientRetryPolicy.
func (p retryPolicy) NextRetry(row *rivertype.JobRow) time.Time {
	return p.now().UTC().Add(delay(len(row.Errors)+1, rand.Float64()))
}
