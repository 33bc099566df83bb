package scheduling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
)

// Opening hours of every clinician, in the clinician's own time zone.
const (
	opensAt  = 8
	closesAt = 18
	grid     = 15 * time.Minute
	longest  = 8 * time.Hour
)

// FreeTimes gives when a clinician can take a visit of that length on a day of the clinician's own calendar: from
// 08:00 to 18:00, every quarter of an hour, less what is booked and what has passed. A zero day is today.
func (s *Service) FreeTimes(ctx context.Context, who audit.Actor, clinician uuid.UUID, day Date, length time.Duration) ([]Slot, error) {
	if length <= 0 || length > longest {
		return nil, &Invalid{"length", "must be between a minute and 8 hours"}
	}
	var free []Slot
	err := s.db.Read(ctx, who.Org, func(ctx context.Context, tx pgx.Tx) error {
		zone, err := clinicianZone(ctx, tx, clinician)
		if err != nil {
			return err
		}
		if day.IsZero() {
			day = DateOf(s.now(), zone)
		}
		free, err = freeOn(ctx, tx, clinician, day, zone, length, s.now())
		return err
	})
	return free, err
}

func freeOn(ctx context.Context, tx pgx.Tx, clinician uuid.UUID, day Date, zone *time.Location, length time.Duration, now time.Time) ([]Slot, error) {
	busy, err := busyTimes(ctx, tx, clinician, day.at(0, 0, zone), day.Add(1).at(0, 0, zone))
	if err != nil {
		return nil, err
	}
	return freeTimes(day, zone, length, busy, now), nil
}

func clinicianZone(ctx context.Context, tx pgx.Tx, clinician uuid.UUID) (*time.Location, error) {
	var name string
	err := tx.QueryRow(ctx, "select time_zone from staff where id = $1 and active and 'clinician' = any (roles)", clinician).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &Invalid{"clinician", "is not an active clinician"}
	}
	if err != nil {
		return nil, fmt.Errorf("read the clinician: %w", err)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the clinician's time zone is not known: %w", err)
	}
	return zone, nil
}

func busyTimes(ctx context.Context, tx pgx.Tx, clinician uuid.UUID, from, to time.Time) ([]Slot, error) {
	rows, err := tx.Query(ctx, `select starts_at, ends_at from visit
		where clinician_id = $1 and stage in ('booked', 'arrived', 'in-call') and starts_at < $3 and ends_at > $2 order by starts_at`, clinician, from, to)
	if err != nil {
		return nil, fmt.Errorf("read the booked times: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Slot])
}

// freeTimes lays the grid over the day's opening hours. It counts instants, not wall-clock times, so that a day on
// which the clock changes neither repeats nor loses a slot.
func freeTimes(day Date, zone *time.Location, length time.Duration, busy []Slot, now time.Time) []Slot {
	var free []Slot
	closing := day.at(closesAt, 0, zone)
	for start := day.at(opensAt, 0, zone); !start.Add(length).After(closing); start = start.Add(grid) {
		slot := Slot{StartsAt: start.UTC(), EndsAt: start.Add(length).UTC()}
		if start.Before(now) || slices.ContainsFunc(busy, slot.overlaps) {
			continue
		}
		free = append(free, slot)
	}
	return free
}

// overlaps tells whether two times share an instant; the end of one may be the start of the other.
func (s Slot) overlaps(other Slot) bool {
	return s.StartsAt.Before(other.EndsAt) && other.StartsAt.Before(s.EndsAt)
}

const (
	nearestCount = 3
	nearestDays  = 7
)

// taken makes the error of a time that is gone: with the nearest free times around it, over the following week.
func (s *Service) taken(ctx context.Context, org, clinician uuid.UUID, wanted Slot) error {
	var near []Slot
	err := s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		zone, err := clinicianZone(ctx, tx, clinician)
		if err != nil {
			return err
		}
		day, length := DateOf(wanted.StartsAt, zone), wanted.EndsAt.Sub(wanted.StartsAt)
		for i := 0; i < nearestDays && len(near) < nearestCount; i++ {
			free, err := freeOn(ctx, tx, clinician, day.Add(i), zone, length, s.now())
			if err != nil {
				return err
			}
			near = append(near, free...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return &Taken{Nearest: nearest(near, wanted.StartsAt)}
}

func nearest(free []Slot, to time.Time) []Slot {
	slices.SortStableFunc(free, func(a, b Slot) int {
		return int(a.StartsAt.Sub(to).Abs() - b.StartsAt.Sub(to).Abs())
	})
	return free[:min(len(free), nearestCount)]
}
