package scheduling

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotFound means that the organisation has no such visit, patient, recording or delivery.
var ErrNotFound = errors.New("there is no such visit, or it is not yours to see")

// Slot is a time for a visit, UTC.
type Slot struct{ StartsAt, EndsAt time.Time }

// Taken is the error of a booking or a move into a time that the clinician no longer has.
type Taken struct {
	Nearest []Slot // free times of the same length, the nearest first
}

func (*Taken) Error() string { return "this time was just taken" }

// Changed is the error of a command that names a version of the visit that is no longer the newest.
type Changed struct{ Version int64 }

func (c *Changed) Error() string {
	return fmt.Sprintf("the visit was changed meanwhile and is now at version %d", c.Version)
}

// Invalid is the error of a value that cannot be taken. Neither field holds what somebody entered.
type Invalid struct{ Field, Problem string }

func (i *Invalid) Error() string { return i.Field + " " + i.Problem }

// NotConsented is the error of a recording without everybody's consent.
type NotConsented struct{ Visit uuid.UUID }

func (*NotConsented) Error() string { return "recording needs the consent of everybody in the call" }

// RefusalCode implements audit.Refusal.
func (*NotConsented) RefusalCode() string { return "no-consent" }

const (
	exclusionViolation = "23P01"
	clinicianFree      = "visit_clinician_free"
)

func isTaken(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == exclusionViolation && pg.ConstraintName == clinicianFree
}
