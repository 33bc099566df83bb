package deliver

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

// ledgerEntry is one request that went out.
type ledgerEntry struct {
	method, resource string
	body             []byte
	status           int // 0: no answer came
	etag             string
	location         phi.Text
	requestID        string
	outcome          string
	began, ended     time.Time
}

func (t *task) entry(method, resource string, body []byte, began time.Time, a Answer, err error) ledgerEntry {
	e := ledgerEntry{method: method, resource: resource, body: body, status: a.Status, etag: a.ETag, location: a.Reference, requestID: a.RequestID,
		outcome: "accepted", began: began, ended: t.Now()}
	var refused *Refusal
	switch {
	case errors.As(err, &refused):
		e.status, e.requestID, e.outcome = refused.Status, refused.RequestID, strings.Join(append([]string{"refused"}, refused.Codes...), " ")
	case err != nil:
		e.outcome = "no answer"
	}
	return e
}

// write keeps the entry, in the transaction that keeps what it means.
func (e *ledgerEntry) write(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, d scheduling.DeliveryView, who audit.Actor) error {
	row := phi.Row{Table: "delivery_attempt", Column: "body", ID: d.ID}
	body, err := phi.SealText(sealer, phi.NewText(string(e.body)), row)
	if err != nil {
		return err
	}
	row.Column = "location"
	location, err := phi.SealText(sealer, e.location, row)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(e.body)
	_, err = tx.Exec(ctx, `
		insert into delivery_attempt (org_id, delivery_id, method, resource, body_sealed, body_sha256, status, etag, location_sealed, request_id, outcome, started_at, ended_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		who.Org, d.ID, e.method, e.resource, body, digest[:], e.status, e.etag, location, e.requestID, e.outcome, e.began.UTC(), e.ended.UTC())
	return err
}

// record commits the result of a step, with its ledger entry when a request went out. It is committed even when the
// attempt's own time has run out: what an EHR answered must not be forgotten.
func (t *task) record(result scheduling.DeliveryResult, entry *ledgerEntry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 20*time.Second)
	defer cancel()
	if t.delivery.State == visit.DeliveryAccepted && result.State != visit.DeliveryAccepted {
		// What the EHR has once taken stays taken; only the request itself is kept.
		if entry == nil {
			return nil
		}
		result = scheduling.DeliveryResult{State: visit.DeliveryAccepted, Reference: t.delivery.Reference}
	}
	var ledger Ledger
	if entry != nil {
		sealer, err := t.Sealers.Sealer(ctx, t.who.Org)
		if err != nil {
			return err
		}
		ledger = func(ctx context.Context, tx *audit.Tx) error { return entry.write(ctx, tx, sealer, t.delivery, t.who) }
	}
	if err := t.Visits.RecordDelivery(ctx, t.who, t.delivery.ID, result, ledger); err != nil {
		return err
	}
	t.delivery.State, t.delivery.Problem = result.State, result.Problem
	return nil
}

// markSent commits that a request is about to go out. Whoever finds this state later knows to look for its effect.
func (t *task) markSent() error {
	if t.delivery.State == visit.DeliverySent {
		return nil
	}
	return t.record(scheduling.DeliveryResult{State: visit.DeliverySent}, nil)
}

// keepAttempt keeps a request whose result is not settled yet.
func (t *task) keepAttempt(entry ledgerEntry, state visit.Delivery, problem string) error {
	return t.record(scheduling.DeliveryResult{State: state, Problem: problem}, &entry)
}

func (t *task) accept(ref phi.Text, etag string, entry *ledgerEntry) error {
	return t.record(scheduling.DeliveryResult{State: visit.DeliveryAccepted, Reference: ref, ETag: etag}, entry)
}

// reject ends the delivery: only a person can do something about it. The job itself has done its work.
func (t *task) reject(problem string) error { return t.rejectWith(problem, nil) }

func (t *task) rejectWith(problem string, entry *ledgerEntry) error {
	t.Log.Warn("an EHR does not take a delivery", "id", t.delivery.ID, "kind", t.delivery.Kind)
	return t.record(scheduling.DeliveryResult{State: visit.DeliveryRejected, Problem: problem}, entry)
}

// failed settles an error outside a write; state is what is known of the delivery then.
func (t *task) failed(err error, state visit.Delivery) error { return t.failedWith(err, state, nil) }

func (t *task) failedWith(err error, state visit.Delivery, entry *ledgerEntry) error {
	var refused *Refusal
	if errors.As(err, &refused) {
		if problem, permanent := permanentProblem(refused.Status); permanent {
			return t.rejectWith(problem, entry)
		}
	}
	if entry != nil {
		if err := t.keepAttempt(*entry, state, notYet); err != nil {
			return err
		}
	}
	return t.later(err, state)
}

const notYet = "Not yet in the EHR. It did not answer as it should; this is tried again by itself."

// later leaves the delivery for another attempt, or gives up when there will be none.
func (t *task) later(err error, state visit.Delivery) error {
	if t.last {
		return t.reject("The EHR could not be reached for three days. Try again when it is back.")
	}
	if t.delivery.Problem != notYet {
		if err := t.record(scheduling.DeliveryResult{State: state, Problem: notYet}, nil); err != nil {
			return err
		}
	}
	if isConflict(err) {
		return job.RetryAfter(waitForOther)
	}
	return err
}

func (t *task) waitFor(*scheduling.DeliveryView) error {
	if t.last {
		return t.reject("What has to be in the EHR before this did not get there in time.")
	}
	return job.RetryAfter(waitForOther)
}

// permanentProblem tells which refusals no repetition will change, and what to tell the clinician.
func permanentProblem(status int) (string, bool) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "The EHR does not allow this server to write here. Please tell your IT team.", true
	case http.StatusNotFound, http.StatusGone:
		return "The EHR does not find what this belongs to. Please check the chart.", true
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return "The EHR does not take this in its present form. Please tell your IT team.", true
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "The EHR does not offer this kind of entry.", true
	case http.StatusRequestEntityTooLarge:
		return "This is larger than the EHR takes.", true
	}
	return "", false
}

func statusText(status int) string { return strconv.Itoa(status) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
