package job

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Kind names what is to be done.
type Kind string

// The kinds of jobs, and what ID means in each.
const (
	Deliver           Kind = "deliver"            // ID of a delivery row: write it to the EHR
	FinalizeRecording Kind = "finalize-recording" // ID of a recording: make its parts one and store it
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Deliver, FinalizeRecording} }

// ids is all that a job carries.
type ids struct {
	Org uuid.UUID `json:"org"`
	ID  uuid.UUID `json:"id"`
}

func (a ids) subject() ids { return a }

// River tells kinds apart by type.
type deliverArgs struct{ ids }

func (deliverArgs) Kind() string { return string(Deliver) }

type finalizeArgs struct{ ids }

func (finalizeArgs) Kind() string { return string(FinalizeRecording) }

// UnknownKind is the error of a kind that nobody declared.
type UnknownKind struct{ Kind Kind }

func (u *UnknownKind) Error() string { return fmt.Sprintf("job kind %q is not known", u.Kind) }

// timeout is how long one attempt may take before its context ends.
func (k Kind) timeout() time.Duration {
	if k == FinalizeRecording {
		return time.Hour
	}
	return 2 * time.Minute
}
