package faults

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Kind names a fault.
type Kind string

// The faults the sandbox can commit.
const (
	ServerError       Kind = "5xx"
	Slow              Kind = "slow"
	CommitThenTimeout Kind = "commit_then_timeout"
	Conflict          Kind = "409"
	Precondition      Kind = "412"
	Locked            Kind = "423"
	RevokedToken      Kind = "revoked_token"
	PlainTextOnly     Kind = "plain_text_only"
	NoEncounterWrite  Kind = "no_encounter_write"
)

// Kinds lists every kind in the order the panel shows them.
func Kinds() []Kind {
	return []Kind{ServerError, Slow, CommitThenTimeout, Conflict, Precondition, Locked, RevokedToken, PlainTextOnly, NoEncounterWrite}
}

// writesOnly are kinds that never touch a read.
func (k Kind) writesOnly() bool {
	return slices.Contains([]Kind{CommitThenTimeout, Conflict, Precondition, Locked, PlainTextOnly, NoEncounterWrite}, k)
}

// Mode reports whether the kind is a lasting trait of the server rather than an event:
// it stays until it is cleared unless a number of times is given.
func (k Kind) Mode() bool { return k == PlainTextOnly || k == NoEncounterWrite }

// Forever, as Times, keeps a fault until it is cleared.
const Forever = -1

// Fault is one request of a tester. DelayMS is the time in milliseconds before the
// answer (slow, 5xx) or before the connection is cut (commit_then_timeout).
type Fault struct {
	ID      string `json:"id"`
	Kind    Kind   `json:"kind"`
	Match   string `json:"match"`
	Times   int    `json:"times"`
	DelayMS int    `json:"delay_ms"`
}

// Delay is DelayMS as a duration.
func (f Fault) Delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// ErrKind and ErrDelay tell what is wrong with a fault that was asked for.
var (
	ErrKind  = errors.New("unknown fault kind")
	ErrDelay = errors.New("delay_ms must be between 0 and 120000")
)

const maxDelayMS = 120_000

// Set is the faults that are armed, in the order they were asked for.
type Set struct {
	mu     sync.Mutex
	next   int
	faults []Fault
}

// New makes an empty set.
func New() *Set { return &Set{} }

// Add arms a fault. An empty match means every resource type. Times 0 means once,
// or until cleared for a lasting trait; Forever (or any negative number) means until cleared.
func (s *Set) Add(f Fault) (Fault, error) {
	if !slices.Contains(Kinds(), f.Kind) {
		return Fault{}, ErrKind
	}
	if f.DelayMS < 0 || f.DelayMS > maxDelayMS {
		return Fault{}, ErrDelay
	}
	if f.Match == "" {
		f.Match = "*"
	}
	switch {
	case f.Times < 0, f.Times == 0 && f.Kind.Mode():
		f.Times = Forever
	case f.Times == 0:
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	f.ID = "fault-" + strconv.Itoa(s.next)
	s.faults = append(s.faults, f)
	return f, nil
}

// List returns the armed faults.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Fault{}, s.faults...)
}

// Clear disarms every fault, or only the one with the given identifier.
func (s *Set) Clear(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f Fault) bool { return id == "" || f.ID == id })
}

// Take returns the first event that is due for a request on the resource type and
// uses up one of its times. Lasting traits are asked for with Active instead.
func (s *Set) Take(resourceType string, write bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Kind.Mode() || (f.Kind.writesOnly() && !write) || (f.Match != "*" && f.Match != resourceType) {
			continue
		}
		s.spend(i)
		return f, true
	}
	return Fault{}, false
}

// Active reports whether a lasting trait holds.
func (s *Set) Active(kind Kind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.faults, func(f Fault) bool { return f.Kind == kind })
}

// Spend uses up one of the times of a lasting trait that was just committed.
func (s *Set) Spend(kind Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.faults, func(f Fault) bool { return f.Kind == kind }); i >= 0 {
		s.spend(i)
	}
}

func (s *Set) spend(i int) {
	if s.faults[i].Times == Forever {
		return
	}
	s.faults[i].Times--
	if s.faults[i].Times == 0 {
		s.faults = slices.Delete(s.faults, i, i+1)
	}
}
