package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is the database behind its audit. Its pool is private: there is no write without an event.
type DB struct {
	pool *pgxpool.Pool
	now  func() time.Time
	log  *slog.Logger
}

// Open connects as the application's role. url is a PostgreSQL connection string.
func Open(ctx context.Context, url string, now func() time.Time, log *slog.Logger) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read")
	}
	if config.MaxConns < 16 {
		config.MaxConns = 16
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach the database: %w", err)
	}
	return &DB{pool: pool, now: now, log: log}, nil
}

// Close ends every connection.
func (d *DB) Close() { d.pool.Close() }

// Ping tells whether the database answers.
func (d *DB) Ping(ctx context.Context) error { return d.pool.Ping(ctx) }

// Tx is a transaction that will carry its event. Also adds further events; Event may be completed by the command.
type Tx struct {
	pgx.Tx
	Event *Event
	Now   time.Time // one instant for the whole transaction, UTC
	also  []Event
}

// Also records one more event in this transaction.
func (t *Tx) Also(e Event) { t.also = append(t.also, e) }

// Do runs f and records event in one transaction: both are there after it, or neither. When f fails with an error
// that says it is a refusal (see Refusal), a refused event is committed by itself.
func (d *DB) Do(ctx context.Context, who Actor, event Event, f func(context.Context, *Tx) error) error {
	err := d.inTx(ctx, pgx.TxOptions{}, who.Org, func(tx pgx.Tx) error {
		t := &Tx{Tx: tx, Event: &event, Now: d.now().UTC().Truncate(time.Microsecond)}
		if err := f(ctx, t); err != nil {
			return err
		}
		return d.insert(ctx, tx, who, t.Now, append([]Event{event}, t.also...))
	})
	var refusal Refusal
	if errors.As(err, &refusal) {
		event.Outcome, event.Detail = Refused, withCode(event.Detail, refusal.RefusalCode())
		if recErr := d.Record(ctx, who, event); recErr != nil {
			return errors.Join(err, recErr)
		}
	}
	return err
}

// Refusal is an error that the trail must know of although nothing changed: a denial, a wrong secret, a lock-out.
type Refusal interface {
	error
	RefusalCode() string // a short code without any value in it
}

// View runs a read of health information and records who read it. f must not write.
func (d *DB) View(ctx context.Context, who Actor, event Event, f func(context.Context, *Tx) error) error {
	return d.Do(ctx, who, event, f)
}

// Record commits an event by itself.
func (d *DB) Record(ctx context.Context, who Actor, events ...Event) error {
	return d.inTx(ctx, pgx.TxOptions{}, who.Org, func(tx pgx.Tx) error {
		return d.insert(ctx, tx, who, d.now().UTC(), events)
	})
}

// Read runs a read-only transaction that leaves no event: for what identifies nobody, and for the server's own work.
func (d *DB) Read(ctx context.Context, org uuid.UUID, f func(context.Context, pgx.Tx) error) error {
	return d.inTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly}, org, func(tx pgx.Tx) error { return f(ctx, tx) })
}

// Housekeep runs a write to tables that hold no one's information (login flows, used tokens, checkpoints). The
// guards still refuse a change of a guarded table here, since no event is recorded.
func (d *DB) Housekeep(ctx context.Context, org uuid.UUID, f func(context.Context, pgx.Tx) error) error {
	return d.inTx(ctx, pgx.TxOptions{}, org, func(tx pgx.Tx) error { return f(ctx, tx) })
}

// Listen calls heard for each notification on channel until ctx ends; it reconnects by itself. heard gets "" after
// a reconnection, when notifications may have been lost.
func (d *DB) Listen(ctx context.Context, channel string, heard func(payload string)) {
	for ctx.Err() == nil {
		if err := d.listenOnce(ctx, channel, heard); err != nil && ctx.Err() == nil {
			d.log.Warn("listening to the database was interrupted", "cause", Safe(err))
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (d *DB) listenOnce(ctx context.Context, channel string, heard func(string)) error {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	raw := conn.Hijack()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = raw.Close(closing)
	}()
	if _, err := raw.Exec(ctx, "listen "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	heard("")
	for {
		n, err := raw.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(n.Payload)
	}
}

func (d *DB) inTx(ctx context.Context, opt pgx.TxOptions, org uuid.UUID, f func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, d.pool, opt, func(tx pgx.Tx) error {
		setting := ""
		if org != uuid.Nil {
			setting = org.String()
		}
		if _, err := tx.Exec(ctx, "select set_config('televisit.org', $1, true)", setting); err != nil {
			return err
		}
		return f(tx)
	})
}

func (d *DB) insert(ctx context.Context, tx pgx.Tx, who Actor, at time.Time, events []Event) error {
	for _, e := range events {
		detail, err := json.Marshal(orEmpty(e.Detail))
		if err != nil {
			return fmt.Errorf("audit detail of %s: %w", e.Action, err)
		}
		_, err = tx.Exec(ctx, `
			insert into audit_event (org_id, recorded, action, outcome, actor_kind, actor_id, actor_roles, purpose, reason, ip,
			                         request_id, visit_id, room_id, patient_id, object_kind, object_id, detail)
			values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17)`,
			who.Org, at, e.Action, or(string(e.Outcome), string(Success)), string(who.Kind), orNull(who.ID), orNone(who.Roles),
			or(who.Purpose, "TREAT"), e.Reason, ipOrNull(who), who.RequestID, orNull(e.Visit), orNull(e.Room), orNull(e.Patient),
			e.ObjectKind, e.ObjectID, detail)
		if err != nil {
			return fmt.Errorf("record %s: %w", e.Action, err)
		}
	}
	return nil
}

// Safe is an error's text fit for a log: a database error is reduced to its SQLSTATE and constraint, because its
// detail quotes values.
func Safe(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return "sqlstate " + pg.Code + " " + pg.ConstraintName
	}
	return err.Error()
}

func withCode(detail map[string]any, code string) map[string]any {
	merged := map[string]any{"code": code}
	for k, v := range detail {
		merged[k] = v
	}
	return merged
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func orNone(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func ipOrNull(who Actor) any {
	if !who.IP.IsValid() {
		return nil
	}
	return who.IP.Unmap()
}
