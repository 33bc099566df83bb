package scheduling_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// model is what the pure rules say of the visit that the database holds.
type model struct {
	visit.Visit
	answer    string         // the patient's latest
	recording uuid.UUID      // zero before it is started
	delivery  uuid.UUID      // zero before the signature
	row       visit.Delivery // of the one delivery
}

var errModel = errors.New("refused")

func (m *model) apply(commands ...visit.Command) error {
	next := m.Visit
	for _, c := range commands {
		var err error
		if next, _, err = visit.Apply(next, c, monday()); err != nil {
			return err
		}
	}
	m.Visit = next
	return nil
}

func (m *model) consent(answer string) error {
	if s := m.State.Stage; s != visit.Booked && s != visit.Arrived && s != visit.InCall {
		return errModel
	}
	m.answer = answer
	r := m.State.Recording
	switch {
	case answer == scheduling.AnswerYes && r == visit.RecordingOff:
		return m.apply(visit.GiveConsent)
	case answer != scheduling.AnswerYes && (r == visit.RecordingConsented || r == visit.RecordingRunning):
		return m.apply(visit.WithdrawConsent)
	}
	return nil
}

func (m *model) startRecording() error {
	if m.State.Recording != visit.RecordingRunning && m.answer != scheduling.AnswerYes {
		return errModel
	}
	return m.apply(visit.StartRecording)
}

// deliver follows the one delivery: what was accepted stays, and a rejected one that moves is a retry.
func (m *model) deliver(result visit.Delivery) error {
	if m.row != visit.DeliveryAccepted {
		m.row = result
	}
	if m.State.Delivery == m.row || m.State.Delivery == visit.DeliveryAccepted {
		return nil
	}
	var commands []visit.Command
	if m.State.Delivery == visit.DeliveryRejected {
		commands = append(commands, visit.RetryDelivery)
	}
	by := map[visit.Delivery]visit.Command{visit.DeliverySent: visit.SendDelivery, visit.DeliveryAccepted: visit.AcceptDelivery, visit.DeliveryRejected: visit.RejectDelivery}
	if c, ok := by[m.row]; ok {
		commands = append(commands, c)
	}
	return m.apply(commands...)
}

// operation runs on the database and on the model; both take it or both refuse it.
type operation struct {
	name  string
	real  func() error
	model func() error
}

// noted applies transitions of the note as fhir/note does, and queues the delivery of a signature.
func (f *fixture) noted(m *model, command visit.Command) error {
	return f.db.Do(f.t.Context(), f.clinician, audit.Event{Action: "note." + string(command)}, func(ctx context.Context, tx *audit.Tx) error {
		if _, err := f.Change(ctx, tx, f.clinician, m.ID, command); err != nil || command == visit.SaveDraft {
			return err
		}
		id, err := f.QueueDelivery(ctx, tx, m.ID, scheduling.DeliverNote, uuid.Nil)
		m.delivery = id
		return err
	})
}

func (f *fixture) operations(v scheduling.VisitView, m *model, pick *rand.Rand) []operation {
	ctx := f.t.Context()
	state := func(run func() (visit.State, error)) func() error {
		return func() error { _, err := run(); return err }
	}
	does := func(c ...visit.Command) func() error { return func() error { return m.apply(c...) } }
	signs := func(c visit.Command) func() error {
		return func() error {
			err := m.apply(c)
			if err == nil {
				m.row = visit.DeliveryDue
			}
			return err
		}
	}
	answer := []string{scheduling.AnswerYes, scheduling.AnswerYes, scheduling.AnswerNo, scheduling.AnswerAsk}[pick.IntN(4)]
	result := []visit.Delivery{visit.DeliveryDue, visit.DeliverySent, visit.DeliveryAccepted, visit.DeliveryRejected}[pick.IntN(4)]
	patient := f.patientOf(v)
	ops := []operation{
		{"arrive", state(func() (visit.State, error) { return f.Arrive(ctx, patient, v.ID, scheduling.DeviceCheck{}) }), does(visit.Arrive)},
		{"start", state(func() (visit.State, error) { return f.Start(ctx, f.clinician, v.ID) }), does(visit.Start)},
		{"end", state(func() (visit.State, error) { return f.End(ctx, f.clinician, v.ID, "timeout") }), does(visit.End)},
		{"move", func() error {
			_, err := f.Move(ctx, f.scheduler, v.ID, 0, v.StartsAt.Add(time.Hour), v.EndsAt.Add(time.Hour))
			return err
		}, does(visit.Reschedule)},
		{"consent " + answer, state(func() (visit.State, error) { return f.Consent(ctx, patient, v.ID, patient.ID, answer) }), func() error { return m.consent(answer) }},
		{"start recording", func() error {
			started, err := f.StartRecording(ctx, f.clinician, v.ID)
			if err == nil {
				m.recording = started.ID
			}
			return err
		}, m.startRecording},
		{"stop recording", state(func() (visit.State, error) { return f.StopRecording(ctx, f.clinician, v.ID) }), does(visit.StopRecording)},
		{"draft", func() error { return f.noted(m, visit.SaveDraft) }, does(visit.SaveDraft)},
		{"sign", func() error { return f.noted(m, visit.Sign) }, signs(visit.Sign)},
		{"amend", func() error { return f.noted(m, visit.Amend) }, signs(visit.Amend)},
	}
	if pick.IntN(6) == 0 { // these end the sequence early
		ops = append(ops,
			operation{"cancel", state(func() (visit.State, error) { return f.Cancel(ctx, f.scheduler, v.ID, 0, "pat") }), does(visit.Cancel)},
			operation{"no-show", state(func() (visit.State, error) { return f.NoShow(ctx, f.clinician, v.ID) }), does(visit.MarkNoShow)})
	}
	if m.recording != uuid.Nil {
		ops = append(ops,
			operation{"stored", func() error { return f.RecordingStored(ctx, f.system, m.recording, scheduling.StoredRecording{}) }, does(visit.StoreRecording)},
			operation{"failed", func() error { return f.RecordingFailed(ctx, f.system, m.recording, "none") }, does(visit.FailRecording)})
	}
	if m.delivery != uuid.Nil {
		r := scheduling.DeliveryResult{State: result}
		if result == visit.DeliveryAccepted {
			r = accepted("X/1")
		}
		ops = append(ops, operation{"deliver " + string(result), func() error { return f.RecordDelivery(ctx, f.system, m.delivery, r, nil) }, func() error { return m.deliver(result) }})
	}
	return ops
}

func TestAnySequenceOfCommandsDoesWhatTheRulesSay(t *testing.T) {
	const sequences, length = 30, 24
	f := open(t)
	stages := map[visit.Stage]bool{}
	for seed := range uint64(sequences) {
		pick := rand.New(rand.NewPCG(seed, 42))
		v := f.book(0)
		m := &model{Visit: visit.Visit{ID: v.ID, State: visit.New()}}
		var history []string
		for range length {
			ops := f.operations(v, m, pick)
			op := ops[pick.IntN(len(ops))]
			f.clock.at = f.clock.at.Add(time.Second)
			before, trail := f.load(v.ID), len(f.trail(v.ID))
			realErr, modelErr := op.real(), op.model()
			history = append(history, fmt.Sprintf("%s: %v", op.name, realErr))
			after := f.load(v.ID)
			problem := ""
			switch {
			case (realErr == nil) != (modelErr == nil):
				problem = fmt.Sprintf("the rules say %v", modelErr)
			case after.State != m.State:
				problem = fmt.Sprintf("the visit is %+v, the rules say %+v", after.State, m.State)
			case realErr != nil && after.Version != before.Version:
				problem = "a refused command changed the visit"
			case realErr == nil && (after.Version == before.Version) != strings.HasPrefix(op.name, "deliver "):
				problem = "a command left no version, or the server's own work left one"
			case realErr == nil && len(f.trail(v.ID)) == trail:
				problem = "a command left no event"
			case len(after.Stages) == 0 || after.Stages[len(after.Stages)-1].Stage != after.State.Stage:
				problem = "the history does not end at the stage"
			}
			if problem != "" {
				t.Fatalf("seed %d: %s\n%s", seed, problem, history)
			}
			stages[after.State.Stage] = true
		}
		f.free(m)
	}
	if len(stages) < 5 {
		t.Fatalf("the sequences reached only %v", stages)
	}
}

// free gives the clinician's time back for the next sequence.
func (f *fixture) free(m *model) {
	f.t.Helper()
	var err error
	switch m.State.Stage {
	case visit.Booked, visit.Arrived:
		_, err = f.Cancel(f.t.Context(), f.scheduler, m.ID, 0, "pat")
	case visit.InCall:
		_, err = f.End(f.t.Context(), f.clinician, m.ID, "timeout")
	}
	f.must(err)
	f.clock.at = monday()
}

func TestCommandsAtTheSameInstantLeaveOneStory(t *testing.T) {
	f := open(t)
	for range 5 {
		v := f.book(0)
		var wait sync.WaitGroup
		for _, run := range []func() error{
			func() error { _, err := f.Start(context.Background(), f.clinician, v.ID); return err },
			func() error { _, err := f.Cancel(context.Background(), f.scheduler, v.ID, 0, "pat"); return err },
			func() error { _, err := f.NoShow(context.Background(), f.clinician, v.ID); return err },
		} {
			for range 3 {
				wait.Go(func() {
					var refused *visit.Refused
					if err := run(); err != nil && !errors.As(err, &refused) {
						t.Error(err)
					}
				})
			}
		}
		wait.Wait()
		after := f.load(v.ID)
		if len(after.Stages) != 2 || after.Stages[1].Stage != after.State.Stage {
			t.Fatalf("it is %s after %+v", after.State.Stage, after.Stages)
		}
		if got := f.trail(v.ID); len(slices.DeleteFunc(got, func(a string) bool { return a == "visit.unchanged" })) != 2 {
			t.Fatalf("trail %v", got)
		}
		f.free(&model{Visit: visit.Visit{ID: v.ID, State: after.State}})
	}
}
