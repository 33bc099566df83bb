package job

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestDelayGrowsToAnHourAndIsSpread(t *testing.T) {
	for _, c := range []struct {
		attempt int
		spread  float64
		want    time.Duration
	}{
		{0, 0.5, 10 * time.Second}, {1, 0.5, 10 * time.Second}, {2, 0.5, 20 * time.Second}, {5, 0.5, 160 * time.Second},
		{9, 0.5, 2560 * time.Second}, {10, 0.5, time.Hour}, {500, 0.5, time.Hour}, {1, 0, 8 * time.Second}, {10, 0, 48 * time.Minute},
	} {
		if got := delay(c.attempt, c.spread); got.Round(time.Millisecond) != c.want {
			t.Errorf("delay(%d, %v) = %s, want %s", c.attempt, c.spread, got, c.want)
		}
	}
	if got := delay(10, 0.999); got < 71*time.Minute || got > 72*time.Minute {
		t.Errorf("the longest delay is %s", got)
	}
}

func TestAttemptIsLastOnceTheWindowIsOver(t *testing.T) {
	inserted := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {71*time.Hour + 59*time.Minute, false}, {72 * time.Hour, true}, {100 * time.Hour, true}} {
		if got := attemptAt(3, inserted, inserted.Add(c.after)); got.Last != c.want || got.Number != 3 {
			t.Errorf("after %s: %+v", c.after, got)
		}
	}
}

func TestNothingThatSomebodyWroteIsKept(t *testing.T) {
	const name = "Zebra Quokka"
	for _, err := range []error{
		errors.New(name), fmt.Errorf("wrapped: %w", errors.New(name)), GiveUp(errors.New(name)),
		&pgconn.PgError{Code: "23505", ConstraintName: "delivery_once", Detail: name}, context.DeadlineExceeded,
		fmt.Errorf(name+": %w", context.Canceled),
	} {
		if kept := safe(err); kept == "" || strings.Contains(kept, "Zebra") {
			t.Errorf("%T is kept as %q", err, kept)
		}
	}
	if got := safe(&pgconn.PgError{Code: "23505", ConstraintName: "delivery_once"}); got != "sqlstate 23505 delivery_once" {
		t.Errorf("a database error is kept as %q", got)
	}
}
