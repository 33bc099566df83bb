package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// create makes sure that the EHR holds the resource exactly once.
func (t *task) create(resourceType string, body []byte) error {
	if t.delivery.Attempts > 0 && !t.offer.ConditionalCreate {
		// An earlier request may have arrived although its answer did not.
		if done, err := t.adopt(resourceType); done || err != nil {
			return err
		}
	}
	if err := t.markSent(); err != nil {
		return err
	}
	var condition url.Values
	if t.offer.ConditionalCreate {
		condition = t.identifier()
	}
	var answer Answer
	began := t.Now()
	err := t.authorized(func() (err error) {
		answer, err = t.chart.Create(t.ctx, resourceType, condition, body)
		return err
	})
	entry := t.entry(http.MethodPost, resourceType, body, began, answer, err)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusPreconditionFailed && condition != nil {
		return t.moreThanOne(resourceType, entry)
	}
	if err != nil {
		return t.failedWith(err, visit.DeliverySent, &entry)
	}
	if answer.Reference.IsZero() {
		// Created, but not told where (Oracle Health answers 201 without a body; others drop Location).
		if err := t.keepAttempt(entry, visit.DeliverySent, ""); err != nil {
			return err
		}
		if done, err := t.adopt(resourceType); done || err != nil {
			return err
		}
		return errNotFoundYet
	}
	return t.accept(answer.Reference, answer.ETag, &entry)
}

var errNotFoundYet = &waiting{"created-not-found"}

type waiting struct{ code string }

func (w *waiting) Error() string { return "the EHR took it and does not show it yet" }

// Code is what a job's log shows.
func (w *waiting) Code() string { return w.code }

func (t *task) identifier() url.Values {
	return url.Values{"identifier": {fhir.SystemURI + "|" + fhir.URN(t.delivery.ID)}}
}

// adopt looks for what an earlier request left in the chart, and accepts it when it is there.
func (t *task) adopt(resourceType string) (done bool, err error) {
	found, err := t.mine(resourceType)
	if err != nil {
		return true, t.failed(err, visit.DeliverySent)
	}
	switch len(found) {
	case 0:
		return false, nil
	case 1:
		return true, t.accept(found[0].Reference, found[0].ETag, nil)
	}
	return true, t.reject("The EHR holds this more than once. Please check the chart.")
}

// mine searches by our identifier and believes only what carries it: some servers ignore a parameter that they do not know.
func (t *task) mine(resourceType string) ([]Held, error) {
	query := t.identifier()
	if p := t.visit.Patient.Reference.Reveal(); p != "" {
		query.Set("patient", p)
	}
	var all []Held
	err := t.authorized(func() (err error) {
		all, err = t.chart.Search(t.ctx, resourceType, query)
		return err
	})
	var mine []Held
	for _, h := range all {
		if bytes.Contains(h.Raw, []byte(fhir.URN(t.delivery.ID))) {
			mine = append(mine, h)
		}
	}
	return mine, err
}

// moreThanOne sorts out a 412 to a conditional create: R4 means several matches by it, some servers a lost race.
func (t *task) moreThanOne(resourceType string, entry ledgerEntry) error {
	if err := t.keepAttempt(entry, visit.DeliverySent, ""); err != nil {
		return err
	}
	if done, err := t.adopt(resourceType); done || err != nil {
		return err
	}
	return t.later(&waiting{"precondition"}, visit.DeliverySent)
}

// updates of one attempt: each is on the newest version.
const maxUpdates = 4

// merge lays our fields over the EHR's own resource and writes it back on the version that was read.
func (t *task) merge(ref phi.Text, own []byte, over func(current, own []byte) ([]byte, error)) error {
	resourceType := typeOf(t.delivery.Kind)
	var last error
	for range maxUpdates {
		var current Held
		err := t.authorized(func() (err error) {
			current, err = t.chart.Read(t.ctx, ref)
			return err
		})
		if err != nil {
			return t.failed(err, t.delivery.State)
		}
		body, err := over(current.Raw, keepIdentity(own, current.Raw))
		if err != nil {
			return t.reject("The EHR's own resource cannot be read.")
		}
		if same(body, current.Raw) {
			return t.accept(ref, current.ETag, nil) // an earlier update has arrived
		}
		if err := t.markSent(); err != nil {
			return err
		}
		var answer Answer
		began := t.Now()
		err = t.authorized(func() (err error) {
			answer, err = t.chart.Update(t.ctx, ref, current.ETag, body)
			return err
		})
		entry := t.entry(http.MethodPut, resourceType, body, began, answer, err)
		if err == nil {
			return t.accept(ref, answer.ETag, &entry)
		}
		if !isConflict(err) {
			return t.failedWith(err, visit.DeliverySent, &entry)
		}
		if err := t.keepAttempt(entry, visit.DeliverySent, ""); err != nil {
			return err
		}
		last = err
		if err := pause(t.ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return t.later(last, visit.DeliverySent)
}

// keepIdentity gives our resource the id and meta of the EHR's, so that laying it over changes neither.
func keepIdentity(own, current []byte) []byte {
	var ours, theirs map[string]json.RawMessage
	if json.Unmarshal(own, &ours) != nil || json.Unmarshal(current, &theirs) != nil {
		return own
	}
	for _, field := range []string{"id", "meta"} {
		delete(ours, field)
		if value, ok := theirs[field]; ok {
			ours[field] = value
		}
	}
	out, err := json.Marshal(ours)
	if err != nil {
		return own
	}
	return out
}

// same tells whether two resources say the same but for the order of properties.
func same(a, b []byte) bool {
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func canonical(raw []byte) ([]byte, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func isConflict(err error) bool {
	var refused *Refusal
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Status {
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked:
		return true
	}
	return false
}
