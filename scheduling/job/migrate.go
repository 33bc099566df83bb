package job

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// schema keeps the queue's tables apart from ours.
const schema = "river"

// appRole is what the server connects as (migrations.AppRole); it works the queue but owns none of it.
const appRole = "televisit_app"

// Migrate brings the queue's schema to the version of this binary. ownerURL is the connection string of the schema's
// owner. It is safe to repeat and to run from several processes at once.
func Migrate(ctx context.Context, ownerURL string) error {
	pool, err := pgxpool.New(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("open the database for the queue: %w", err)
	}
	defer pool.Close()
	locked, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("reach the database for the queue: %w", err)
	}
	defer locked.Release()
	if _, err := locked.Exec(ctx, "select pg_advisory_lock(7432)"); err != nil {
		return fmt.Errorf("wait for another migration of the queue: %w", err)
	}
	defer func() { _, _ = locked.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock(7432)") }()
	if _, err := locked.Exec(ctx, "create schema if not exists "+schema); err != nil {
		return fmt.Errorf("make the queue's schema: %w", err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: schema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("prepare the queue's migration: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	return grant(ctx, locked.Conn())
}

func grant(ctx context.Context, conn *pgx.Conn) error {
	for _, right := range []string{
		"usage on schema " + schema,
		"select, insert, update, delete on all tables in schema " + schema,
		"usage, select on all sequences in schema " + schema,
		"execute on all functions in schema " + schema,
	} {
		if _, err := conn.Exec(ctx, "grant "+right+" to "+appRole); err != nil {
			return fmt.Errorf("grant %s: %w", right, err)
		}
	}
	return nil
}
