package rtc_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// reports keeps what a media node reported.
type reports struct{ heard chan report }

type report struct {
	what string
	who  uuid.UUID
}

func newReports() *reports { return &reports{heard: make(chan report, 10_000)} }

func (r *reports) add(what string, who uuid.UUID) {
	select {
	case r.heard <- report{what, who}:
	default: // nobody waits for the reports of a fuzzer
	}
}

func (r *reports) Joined(_, who uuid.UUID, _ time.Time) { r.add("joined", who) }
func (r *reports) StreamStarted(_, who, _ uuid.UUID, kind string, _ time.Time) {
	r.add("stream "+kind, who)
}
func (r *reports) Lost(_, who uuid.UUID, _ time.Time)                { r.add("lost", who) }
func (r *reports) Resumed(_, who uuid.UUID, _ time.Time)             { r.add("resumed", who) }
func (r *reports) Left(_, who uuid.UUID, reason string, _ time.Time) { r.add("left "+reason, who) }
func (r *reports) Empty(room uuid.UUID, reason string, _ time.Time)  { r.add("empty "+reason, room) }

func (r *reports) wait(t testing.TB, what string, who uuid.UUID) {
	t.Helper()
	for {
		select {
		case heard := <-r.heard:
			if heard == (report{what, who}) {
				return
			}
		case <-time.After(15 * time.Second):
			t.Fatalf("%q was never reported", what)
		}
	}
}
