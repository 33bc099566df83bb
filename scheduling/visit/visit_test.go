package visit

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTransitionTable(t *testing.T) {
	got := document()
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		if err := os.WriteFile("testdata/transitions.md", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/transitions.md")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatal("testdata/transitions.md differs from the rules: run go test ./scheduling/visit -update and read the difference")
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

func TestEveryReachableStateKeepsTheInvariants(t *testing.T) {
	for _, s := range reachable() {
		signed := s.Note == NoteSigned || s.Note == NoteAmended
		if signed && s.Stage != Ended {
			t.Errorf("%v: signed before the end", s)
		}
		if s.Delivery != DeliveryNone && !signed {
			t.Errorf("%v: a delivery without a signature", s)
		}
		if s.Recording == RecordingRunning && s.Stage != InCall {
			t.Errorf("%v: recording outside a call", s)
		}
		if s.Recording != RecordingOff && s.Recording != RecordingConsented && s.Stage != InCall && s.Stage != Ended {
			t.Errorf("%v: a recording without a call", s)
		}
		if s.Recording == RecordingConsented && (s.Stage == Ended || s.Stage == Cancelled || s.Stage == NoShow) {
			t.Errorf("%v: consent outlives the visit", s)
		}
	}
}

func TestEveryCommandIsSafeToRepeat(t *testing.T) {
	repeatable := map[Command]bool{Reschedule: false, SaveDraft: false, Amend: false, Sign: false, RetryDelivery: false}
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, s := range reachable() {
		for _, c := range Commands() {
			if _, listed := repeatable[c]; listed {
				continue
			}
			once, _, err := Apply(Visit{State: s}, c, at)
			if err != nil {
				continue
			}
			twice, events, err := Apply(once, c, at.Add(time.Minute))
			if c == WithdrawConsent && once.State.Recording == RecordingFinalizing {
				continue
			}
			if err != nil || twice.State != once.State || len(events) != 0 {
				t.Errorf("%v, %s twice: %v, events %v, %v", s, c, twice.State, events, err)
			}
		}
	}
}

func TestApplyStampsTheStages(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	v := Visit{State: New()}
	for i, c := range []Command{Arrive, Start, End} {
		var err error
		if v, _, err = Apply(v, c, at.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if !v.ArrivedAt.Equal(at) || !v.StartedAt.Equal(at.Add(time.Minute)) || !v.EndedAt.Equal(at.Add(2*time.Minute)) {
		t.Fatalf("stamps %v %v %v", v.ArrivedAt, v.StartedAt, v.EndedAt)
	}
}

func TestRefusalNamesCommandAndState(t *testing.T) {
	_, _, err := Apply(Visit{State: New()}, Sign, time.Time{})
	var refused *Refused
	if !errors.As(err, &refused) || refused.Command != Sign || refused.State != New() {
		t.Fatalf("got %v", err)
	}
}

// reachable walks the states from a new booking, breadth first.
func reachable() []State {
	seen := map[State]bool{New(): true}
	order := []State{New()}
	for i := 0; i < len(order); i++ {
		for _, c := range Commands() {
			next, _, err := Apply(Visit{State: order[i]}, c, time.Time{})
			if err == nil && !seen[next.State] {
				seen[next.State] = true
				order = append(order, next.State)
			}
		}
	}
	return order
}

func document() string {
	var b strings.Builder
	b.WriteString("# Transitions of a visit\n\nWritten by the test from the rules: every reachable state, every command that it takes.\n")
	for _, s := range reachable() {
		fmt.Fprintf(&b, "\n## %s\n", label(s))
		for _, c := range Commands() {
			next, events, err := Apply(Visit{State: s}, c, time.Time{})
			switch {
			case err != nil:
			case len(events) == 0:
				fmt.Fprintf(&b, "- %s: no change\n", c)
			default:
				fmt.Fprintf(&b, "- %s: %s %v\n", c, label(next.State), events)
			}
		}
	}
	return b.String()
}

func label(s State) string {
	return fmt.Sprintf("%s / note %s / recording %s / delivery %s", s.Stage, s.Note, s.Recording, s.Delivery)
}
