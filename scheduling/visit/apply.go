package visit

import (
	"fmt"
	"time"
)

// Refused is the error of a command that the visit's state does not allow.
type Refused struct {
	Command Command
	State   State
}

func (r *Refused) Error() string {
	return fmt.Sprintf("%s is not possible: the visit is %s, its note %s, its recording %s, its delivery %s",
		r.Command, r.State.Stage, r.State.Note, r.State.Recording, r.State.Delivery)
}

// Apply gives the visit after cmd at the instant at, and what happened. Repeating a command that already took
// effect changes nothing and reports no event, so that a retry is safe. The error is a *Refused.
func Apply(v Visit, cmd Command, at time.Time) (Visit, []Event, error) {
	for _, r := range rules() {
		if r.command != cmd || !r.from.matches(v.State) {
			continue
		}
		next := v
		next.State = r.to.over(v.State)
		stamp(&next, v.State.Stage, at.UTC())
		return next, r.events, nil
	}
	return v, nil, &Refused{Command: cmd, State: v.State}
}

// stamp notes the instant of a change of stage.
func stamp(v *Visit, before Stage, at time.Time) {
	if v.State.Stage == before {
		return
	}
	switch v.State.Stage {
	case Arrived:
		v.ArrivedAt = &at
	case InCall:
		v.StartedAt = &at
	case Ended, Cancelled, NoShow:
		v.EndedAt = &at
	}
}

// rule is a row of the transition table. Empty sets in from match anything; empty fields in to leave it as it is.
type rule struct {
	command Command
	from    condition
	to      State
	events  []Event
}

type condition struct {
	stage     []Stage
	note      []Note
	recording []Recording
	delivery  []Delivery
}

func (c condition) matches(s State) bool {
	return oneOf(c.stage, s.Stage) && oneOf(c.note, s.Note) && oneOf(c.recording, s.Recording) && oneOf(c.delivery, s.Delivery)
}

func oneOf[T comparable](set []T, x T) bool {
	for _, y := range set {
		if x == y {
			return true
		}
	}
	return len(set) == 0
}

func (to State) over(s State) State {
	if to.Stage != "" {
		s.Stage = to.Stage
	}
	if to.Note != "" {
		s.Note = to.Note
	}
	if to.Recording != "" {
		s.Recording = to.Recording
	}
	if to.Delivery != "" {
		s.Delivery = to.Delivery
	}
	return s
}
