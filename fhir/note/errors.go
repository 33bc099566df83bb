package note

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ErrNotFound means that the organisation has no such visit, or it has no such note.
var ErrNotFound = errors.New("there is no such note, or it is not yours to see")

// ErrNothingToSign means that there is no draft, or that it is empty.
var ErrNothingToSign = errors.New("there is nothing written to sign")

// ErrAlreadySigned means that the note is signed; an addendum or a correction may follow it.
var ErrAlreadySigned = errors.New("this note is signed already; add an addendum or a correction")

// ErrNotSigned means that nothing is signed that could be amended.
var ErrNotSigned = errors.New("there is no signed note to amend")

// ErrNotEnded means that the visit's call is not over.
var ErrNotEnded = errors.New("a note is signed after the visit has ended")

// Stale is the error of a save that did not see the newest draft. Nothing of it was kept.
type Stale struct{ Newer Draft }

func (s *Stale) Error() string {
	return fmt.Sprintf("the note was changed elsewhere at %s and is now at version %d", s.Newer.SavedAt.Format(time.TimeOnly), s.Newer.Version)
}

// NotShown is the error of a signature over something else than what would be signed now.
type NotShown struct{ Visit uuid.UUID }

func (*NotShown) Error() string {
	return "the note or the visit changed since it was shown; read it again before signing"
}

// RefusalCode implements audit.Refusal.
func (*NotShown) RefusalCode() string { return "hash-mismatch" }

// NotClinician is the error of somebody who is not the visit's clinician.
type NotClinician struct{ Visit uuid.UUID }

func (*NotClinician) Error() string {
	return "only the clinician of the visit writes and signs its note"
}

// RefusalCode implements audit.Refusal.
func (*NotClinician) RefusalCode() string { return "not-the-clinician" }

// Invalid is the error of a text that cannot be kept. Neither field holds what somebody entered.
type Invalid struct{ Field, Problem string }

func (i *Invalid) Error() string { return i.Field + " " + i.Problem }
