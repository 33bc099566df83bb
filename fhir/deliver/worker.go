package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

// Actor and Ledger name types of audit that the interfaces of this package need.
type (
	Actor  = audit.Actor
	Ledger = func(context.Context, *audit.Tx) error
)

// Notes reads what was signed.
type Notes interface {
	ForWork(ctx context.Context, org, id uuid.UUID) (note.Signed, error)
}

// Sealers gives what seals the ledger of an organisation.
type Sealers interface {
	Sealer(ctx context.Context, org uuid.UUID) (phi.Sealer, error)
}

// Config of the worker.
type Config struct {
	Visits       Visits
	Notes        Notes
	Charts       Charts
	Sealers      Sealers
	RecordingURL func(recording uuid.UUID) string // where an allowed person watches it
	Now          func() time.Time
	Log          *slog.Logger
}

// Worker delivers. Its Work is the handler of job kind job.Deliver.
type Worker struct{ Config }

// New makes the worker.
func New(c Config) *Worker { return &Worker{c} }

// waits of a delivery for one that has to come before it.
const (
	waitForOther     = 5 * time.Second
	waitForRecording = 20 * time.Second
)

// Work does one attempt at a delivery. Two attempts at the same delivery never run at once: the job queue sees to it.
func (w *Worker) Work(ctx context.Context, org, id uuid.UUID, attempt job.Attempt) error {
	d, err := w.Visits.Delivery(ctx, org, id)
	if errors.Is(err, scheduling.ErrNotFound) {
		return job.GiveUp(err)
	}
	if err != nil || d.State == visit.DeliveryRejected {
		return err
	}
	// An appointment may have changed while its last delivery was under way; comparing it again costs one read.
	if d.State == visit.DeliveryAccepted && d.Kind != scheduling.DeliverAppointment {
		return nil
	}
	v, err := w.Visits.ForWork(ctx, org, d.Visit)
	if err != nil {
		return err
	}
	task := &task{Worker: w, ctx: ctx, who: audit.SystemActor(org), delivery: d, visit: v, last: attempt.Last}
	if wait, why := task.waits(); wait > 0 {
		if attempt.Last {
			return task.reject("What has to be in the EHR before this did not get there in time.")
		}
		w.Log.Debug("a delivery waits", "id", id, "for", why)
		return job.RetryAfter(wait)
	}
	return task.run()
}

// task is one attempt at one delivery.
type task struct {
	*Worker
	ctx      context.Context
	who      audit.Actor
	delivery scheduling.DeliveryView
	visit    scheduling.VisitView
	last     bool
	chart    Chart
	profile  Profile
	offer    Offer
	renewals int
}

// waits tells for how long to come back later, and for what: what is referred to goes before what refers to it, and a recording is referred to only once it is stored.
func (t *task) waits() (time.Duration, string) {
	switch t.delivery.Kind {
	case scheduling.DeliverEncounter:
		if a := t.sibling(scheduling.DeliverAppointment, uuid.Nil); a != nil && unsettled(a) {
			return waitForOther, "the appointment"
		}
	case scheduling.DeliverNote, scheduling.DeliverRecording:
		if e := t.sibling(scheduling.DeliverEncounter, uuid.Nil); e != nil && unsettled(e) {
			return waitForOther, "the encounter"
		}
	}
	if t.delivery.Kind == scheduling.DeliverRecording && t.visit.Recording != nil && t.visit.Recording.ID == t.delivery.Subject {
		switch t.visit.Recording.State {
		case "running", "finalizing":
			return waitForRecording, "the recording"
		}
	}
	return 0, ""
}

func (t *task) sibling(kind string, subject uuid.UUID) *scheduling.DeliveryView {
	for i := range t.visit.Deliveries {
		if d := &t.visit.Deliveries[i]; d.Kind == kind && d.Subject == subject {
			return d
		}
	}
	return nil
}

func unsettled(d *scheduling.DeliveryView) bool {
	return d.State == visit.DeliveryDue || d.State == visit.DeliverySent
}

func (t *task) run() error {
	var err error
	if t.chart, t.profile, err = t.Charts.Open(t.ctx, t.visit); err != nil {
		return t.later(err, t.delivery.State)
	}
	resourceType := typeOf(t.delivery.Kind)
	err = t.authorized(func() error {
		t.offer, err = t.chart.Offers(t.ctx, resourceType)
		return err
	})
	if err != nil {
		return t.failed(err, t.delivery.State)
	}
	switch t.delivery.Kind {
	case scheduling.DeliverAppointment:
		return t.appointment()
	case scheduling.DeliverEncounter:
		return t.encounter()
	case scheduling.DeliverNote:
		return t.note()
	case scheduling.DeliverRecording:
		return t.recording()
	}
	return t.reject("This server does not know how to deliver this.")
}

func typeOf(kind string) string {
	switch kind {
	case scheduling.DeliverAppointment:
		return "Appointment"
	case scheduling.DeliverEncounter:
		return "Encounter"
	}
	return "DocumentReference"
}

// authorized repeats a call with other credentials when the EHR does not take the first ones.
func (t *task) authorized(call func() error) error {
	for {
		err := call()
		var refused *Refusal
		if !errors.As(err, &refused) || (refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden) {
			return err
		}
		if t.renewals == maxRenewals || !t.chart.Renew(t.ctx, refused.Status) {
			return err
		}
		t.renewals++
	}
}

// maxRenewals: from the clinician's grant to the server's own access, and once a new token of that.
const maxRenewals = 2
