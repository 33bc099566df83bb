package delivertest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/validate"
	"github.com/televisit/televisit/fhir/deliver"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
	"github.com/televisit/televisit/scheduling/visit"
)

// TestVisitReachesTheChart follows one visit into the EHR, and checks what arrived with the independent validator.
func TestVisitReachesTheChart(t *testing.T) {
	c := openClinic(t)
	v := c.signed(true)
	if err := c.worker.Work(t.Context(), c.org, delivery(t, v, scheduling.DeliverRecording).ID, job.Attempt{Number: 1}); err == nil {
		t.Error("the recording's reference did not wait for the recording")
	}
	c.stored(v)
	v = c.settle(c.worker, v.ID)
	if v.State.Delivery != visit.DeliveryAccepted {
		t.Fatalf("the visit's delivery is %s: %+v", v.State.Delivery, v.Deliveries)
	}
	encounters, documents, appointments := c.hospital.chart("Encounter"), c.hospital.chart("DocumentReference"), c.hospital.chart("Appointment")
	if len(encounters) != 1 || len(documents) != 2 || len(appointments) != 1 {
		t.Fatalf("the chart has %d encounters, %d documents, %d appointments", len(encounters), len(documents), len(appointments))
	}
	for _, d := range documents {
		got, _ := json.Marshal(d["context"])
		if !strings.Contains(string(got), v.Encounter.Reveal()) {
			t.Errorf("a document does not name the Encounter: %s", got)
		}
	}
	c.noteIsReadable(documents)
	c.ledgerHolds(v)
	var resources []validate.Resource
	for _, resourceType := range []string{"Appointment", "Encounter", "DocumentReference"} {
		for _, r := range c.hospital.store.Received(resourceType) {
			resources = append(resources, validate.Resource{Name: resourceType, Body: string(r.Sent)})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	report, err := validate.Run(ctx, resources...)
	must(t, err)
	for _, r := range report {
		for _, issue := range r.Errors() {
			t.Errorf("%s: %s: %s", r.Name, issue.Location, issue.Message)
		}
	}
	if found, err := c.visits.VisitByAppointment(t.Context(), c.clinician, "sandbox", v.Appointment); err != nil || found.ID != v.ID {
		t.Errorf("a launch from the EHR's appointment does not find the visit: %v", err)
	}
}

func (c *clinic) noteIsReadable(documents []map[string]any) {
	c.t.Helper()
	raw, _ := json.Marshal(documents)
	var parsed []struct {
		Content []struct {
			Attachment struct {
				ContentType, Data, URL string
			}
		}
	}
	must(c.t, json.Unmarshal(raw, &parsed))
	seen := map[string]bool{}
	for _, d := range parsed {
		for _, content := range d.Content {
			text, err := base64.StdEncoding.DecodeString(content.Attachment.Data)
			must(c.t, err)
			kind, _, _ := strings.Cut(content.Attachment.ContentType, ";")
			seen[kind] = true
			if strings.HasPrefix(kind, "text/") && (!strings.Contains(string(text), "Cough since Monday.") || !strings.Contains(string(text), "/recordings/")) {
				c.t.Errorf("the %s rendering lacks the note or where the recording is", kind)
			}
		}
	}
	if !seen["text/plain"] || !seen["text/html"] || !seen["video/webm"] {
		c.t.Errorf("contents %v", seen)
	}
}

// ledgerHolds compares the ledger with what the chart received, byte for byte.
func (c *clinic) ledgerHolds(v scheduling.VisitView) {
	c.t.Helper()
	sealer, err := c.ring.Sealer(c.t.Context(), c.org)
	must(c.t, err)
	sent := map[string]bool{}
	err = c.db.Read(c.t.Context(), c.org, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select a.delivery_id, a.body_sealed from delivery_attempt a join delivery d on d.id = a.delivery_id where d.visit_id = $1 and a.outcome = 'accepted'", v.ID)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			var sealed []byte
			if err := rows.Scan(&id, &sealed); err != nil {
				return err
			}
			body, err := phi.OpenText(sealer, sealed, phi.Row{Table: "delivery_attempt", Column: "body", ID: id})
			if err != nil {
				return err
			}
			sent[body.Reveal()] = true
		}
		return rows.Err()
	})
	must(c.t, err)
	for _, resourceType := range []string{"Appointment", "Encounter", "DocumentReference"} {
		for _, r := range c.hospital.store.Received(resourceType) {
			if !sent[string(r.Sent)] {
				c.t.Errorf("the ledger does not hold a %s that the chart received", resourceType)
			}
		}
	}
}

// withoutConditions is an EHR like Epic: it knows no conditional create.
type withoutConditions struct{ deliver.Charts }

func (w withoutConditions) Open(ctx context.Context, v scheduling.VisitView) (deliver.Chart, deliver.Profile, error) {
	chart, profile, err := w.Charts.Open(ctx, v)
	return unconditional{chart}, profile, err
}

type unconditional struct{ deliver.Chart }

func (u unconditional) Offers(ctx context.Context, resourceType string) (deliver.Offer, error) {
	offer, err := u.Chart.Offers(ctx, resourceType)
	offer.ConditionalCreate = false
	return offer, err
}

func (u unconditional) Create(ctx context.Context, resourceType string, condition url.Values, body []byte) (deliver.Answer, error) {
	if condition != nil {
		return deliver.Answer{}, fmt.Errorf("a condition was sent to an EHR that has none")
	}
	return u.Chart.Create(ctx, resourceType, nil, body)
}

// TestEveryFailureEndsWithExactlyOne arms each fault for every resource type, with and without conditional create: in the
// end the chart holds each resource once.
func TestEveryFailureEndsWithExactlyOne(t *testing.T) {
	for _, conditional := range []bool{true, false} {
		for _, kind := range []faults.Kind{faults.ServerError, faults.CommitThenTimeout, faults.Conflict, faults.Precondition, faults.Locked, faults.RevokedToken, faults.Slow} {
			t.Run(fmt.Sprintf("%s/conditional=%t", kind, conditional), func(t *testing.T) {
				t.Parallel()
				c := openClinic(t)
				v := c.signed(true)
				c.stored(v)
				worker := c.worker
				if !conditional {
					worker = deliver.New(c.config(withoutConditions{c.worker.Charts}))
				}
				for _, match := range []string{"Appointment", "Encounter", "DocumentReference"} {
					_, err := c.hospital.faults.Add(faults.Fault{Kind: kind, Match: match, Times: 2, DelayMS: 10})
					must(t, err)
				}
				v = c.settle(worker, v.ID)
				if v.State.Delivery != visit.DeliveryAccepted {
					t.Errorf("delivery %s: %+v", v.State.Delivery, v.Deliveries)
				}
				if e, d, a := len(c.hospital.chart("Encounter")), len(c.hospital.chart("DocumentReference")), len(c.hospital.chart("Appointment")); e != 1 || d != 2 || a != 1 {
					t.Errorf("the chart has %d encounters, %d documents, %d appointments", e, d, a)
				}
				for _, left := range c.hospital.faults.List() {
					if left.Times == 2 {
						t.Errorf("a fault never happened: %+v", left)
					}
				}
			})
		}
	}
}

// TestRefusedForGood: what no repetition changes stops, and says so to the clinician.
func TestRefusedForGood(t *testing.T) {
	t.Run("no Encounters", func(t *testing.T) {
		c := openClinic(t)
		_, err := c.hospital.faults.Add(faults.Fault{Kind: faults.NoEncounterWrite})
		must(t, err)
		v := c.settle(c.worker, c.signed(false).ID)
		if d := delivery(t, v, scheduling.DeliverEncounter); d.State != visit.DeliveryRejected || !strings.Contains(d.Problem, "Encounters") {
			t.Errorf("encounter: %s %q", d.State, d.Problem)
		}
		if d := delivery(t, v, scheduling.DeliverNote); d.State != visit.DeliveryAccepted {
			t.Errorf("note: %s %q", d.State, d.Problem)
		}
		if v.State.Delivery != visit.DeliveryRejected {
			t.Errorf("the visit's delivery is %s", v.State.Delivery)
		}
		if document := c.hospital.chart("DocumentReference")[0]; strings.Contains(fmt.Sprint(document["context"]), "Encounter") {
			t.Error("the note names an Encounter that the chart does not have")
		}
	})
	t.Run("plain text only", func(t *testing.T) {
		c := openClinic(t)
		_, err := c.hospital.faults.Add(faults.Fault{Kind: faults.PlainTextOnly})
		must(t, err)
		v := c.signed(false)
		v = c.settle(c.worker, v.ID)
		d := delivery(t, v, scheduling.DeliverNote)
		if d.State != visit.DeliveryRejected || d.Problem == "" || v.State.Delivery != visit.DeliveryRejected {
			t.Fatalf("note: %s %q, visit %s", d.State, d.Problem, v.State.Delivery)
		}
		plain := deliver.New(c.config(c.charts(c.hospital.Client(), c.hospital.URL+"/fhir", deliver.VendorProfile("epic"))))
		must(t, c.visits.RetryDelivery(t.Context(), c.clinician, d.ID))
		if v = c.settle(plain, v.ID); v.State.Delivery != visit.DeliveryAccepted {
			t.Errorf("after a retry in the EHR's own form: %s", v.State.Delivery)
		}
		if document := c.hospital.chart("DocumentReference")[0]; document["author"] != nil || len(document["content"].([]any)) != 1 {
			t.Error("the note is not in the EHR's own form")
		}
	})
	t.Run("down for three days", func(t *testing.T) {
		c := openClinic(t)
		v := c.signed(false)
		must(t, c.worker.Work(t.Context(), c.org, delivery(t, v, scheduling.DeliverAppointment).ID, job.Attempt{Number: 1}))
		_, err := c.hospital.faults.Add(faults.Fault{Kind: faults.ServerError, Times: faults.Forever})
		must(t, err)
		d := delivery(t, v, scheduling.DeliverEncounter)
		if err := c.worker.Work(t.Context(), c.org, d.ID, job.Attempt{Number: 1}); err == nil {
			t.Error("a failure is not told to the queue")
		}
		if d = delivery(t, c.load(v.ID), scheduling.DeliverEncounter); d.State != visit.DeliverySent || !strings.Contains(d.Problem, "Not yet in the EHR") {
			t.Errorf("after a failure: %s %q", d.State, d.Problem)
		}
		must(t, c.worker.Work(t.Context(), c.org, d.ID, job.Attempt{Number: 200, Last: true}))
		if d = delivery(t, c.load(v.ID), scheduling.DeliverEncounter); d.State != visit.DeliveryRejected {
			t.Errorf("after three days: %s", d.State)
		}
	})
}

// TestEncounterOfTheLaunchIsCompleted: the EHR's own Encounter keeps all that it held.
func TestEncounterOfTheLaunchIsCompleted(t *testing.T) {
	c := openClinic(t)
	const theirs = `{"resourceType":"Encounter","status":"planned","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"type":[{"text":"Kept"}],
		"subject":{"reference":"Patient/` + firstPatient + `"},"participant":[{"individual":{"reference":"Practitioner/prac-osei"}}],"_status":{"extension":[{"url":"https://ehr.example/x","valueString":"kept"}]}}`
	must(t, c.hospital.store.Seed("Encounter", "of-the-launch", []byte(theirs)))
	v := c.signed(false)
	must(t, c.visits.SetEncounter(t.Context(), c.clinician, v.ID, phi.NewText("Encounter/of-the-launch")))
	for _, kind := range []faults.Kind{faults.Precondition, faults.Conflict, faults.Locked, faults.CommitThenTimeout} {
		_, err := c.hospital.faults.Add(faults.Fault{Kind: kind, Match: "Encounter", Times: 1})
		must(t, err)
	}
	v = c.settle(c.worker, v.ID)
	if v.State.Delivery != visit.DeliveryAccepted {
		t.Fatalf("delivery %s: %+v", v.State.Delivery, v.Deliveries)
	}
	received := c.hospital.store.Received("Encounter")
	if len(received) != 1 || received[0].Method != "PUT" || received[0].Version != 2 {
		t.Fatalf("the chart received %d writes of Encounters", len(received))
	}
	got := string(received[0].Raw)
	for _, want := range []string{`"finished"`, `"VR"`, `"Kept"`, `"valueString":"kept"`, `Practitioner/prac-osei`, `"statusHistory"`} {
		if !strings.Contains(strings.ReplaceAll(got, " ", ""), want) {
			t.Errorf("the Encounter lacks %s: %s", want, got)
		}
	}
	if strings.Count(got, "prac-osei") != 1 {
		t.Errorf("the clinician is listed twice: %s", got)
	}
}

// TestAppointmentFollows: a booked, then moved, then cancelled visit is one Appointment in the EHR.
func TestAppointmentFollows(t *testing.T) {
	c := openClinic(t)
	v := c.book(48 * time.Hour)
	d := delivery(t, v, scheduling.DeliverAppointment)
	work := func() {
		t.Helper()
		must(t, c.worker.Work(t.Context(), c.org, d.ID, job.Attempt{Number: 1}))
	}
	work()
	work() // the same job once more changes nothing
	moved, err := c.visits.Move(t.Context(), c.clinician, v.ID, 0, v.StartsAt.Add(time.Hour), v.EndsAt.Add(time.Hour))
	must(t, err)
	work()
	_, err = c.visits.Cancel(t.Context(), c.clinician, v.ID, 0, "pat")
	must(t, err)
	work()
	received := c.hospital.store.Received("Appointment")
	if len(received) != 3 || len(c.hospital.chart("Appointment")) != 1 {
		t.Fatalf("%d writes of %d appointments", len(received), len(c.hospital.chart("Appointment")))
	}
	if last := c.hospital.chart("Appointment")[0]; last["status"] != "cancelled" || last["start"] != moved.StartsAt.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("the EHR's appointment: %v", last)
	}
}

// TestAmendmentRefersToItsNote: a correction replaces the very document that the chart holds.
func TestAmendmentRefersToItsNote(t *testing.T) {
	c := openClinic(t)
	v := c.signed(false)
	body := note.Body{Subjective: phi.NewText("Cough since Sunday.")}
	review, err := c.notes.ReviewAmendment(t.Context(), c.clinician, v.ID, note.Correction, body)
	must(t, err)
	_, err = c.notes.Amend(t.Context(), c.clinician, v.ID, note.Correction, body, review.SHA256)
	must(t, err)
	v = c.settle(c.worker, v.ID)
	documents := c.hospital.chart("DocumentReference")
	if len(documents) != 2 || v.State.Delivery != visit.DeliveryAccepted {
		t.Fatalf("%d documents, delivery %s", len(documents), v.State.Delivery)
	}
	original := c.hospital.store.Received("DocumentReference")[0].Reference()
	if got := fmt.Sprint(documents[1]["relatesTo"]); !strings.Contains(got, original) || !strings.Contains(got, "replaces") {
		t.Errorf("relatesTo %s, want %s replaced", got, original)
	}
}

// TestTrailOfADelivery: each step is in the trail, none with a name in it.
func TestTrailOfADelivery(t *testing.T) {
	c := openClinic(t)
	v := c.settle(c.worker, c.signed(false).ID)
	rows, err := c.db.Search(t.Context(), audit.SystemActor(c.org), audit.Filter{Visit: v.ID, Limit: 500})
	must(t, err)
	seen := map[string]int{}
	for _, r := range rows {
		seen[r.Action]++
		if strings.Contains(string(r.Detail)+r.Reason+r.ObjectID, "Ana") {
			t.Errorf("a name is in the trail: %s %s", r.Action, r.Detail)
		}
	}
	if seen["delivery.sent"] == 0 || seen["delivery.accepted"] == 0 {
		t.Errorf("the trail has %v", seen)
	}
}

// TestQueueCarriesItThrough leaves everything to the queue: from the signature to the chart nobody does anything.
func TestQueueCarriesItThrough(t *testing.T) {
	c := openClinic(t)
	c.queue.Handle(job.Deliver, c.worker.Work)
	must(t, c.queue.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = c.queue.Stop(ctx)
	})
	v := c.signed(false)
	c.await(func() bool { return c.load(v.ID).State.Delivery == visit.DeliveryAccepted })
	if e, d, a := len(c.hospital.chart("Encounter")), len(c.hospital.chart("DocumentReference")), len(c.hospital.chart("Appointment")); e != 1 || d != 1 || a != 1 {
		t.Errorf("the chart has %d encounters, %d documents, %d appointments", e, d, a)
	}
}

// TestAcceptedStaysAccepted: a late job for an appointment that the EHR has taken, while the EHR is down, spoils nothing.
func TestAcceptedStaysAccepted(t *testing.T) {
	c := openClinic(t)
	v := c.book(48 * time.Hour)
	d := delivery(t, v, scheduling.DeliverAppointment)
	must(t, c.worker.Work(t.Context(), c.org, d.ID, job.Attempt{Number: 1}))
	_, err := c.hospital.faults.Add(faults.Fault{Kind: faults.ServerError, Times: faults.Forever})
	must(t, err)
	if err := c.worker.Work(t.Context(), c.org, d.ID, job.Attempt{Number: 1}); err == nil {
		t.Error("the failure to compare is not told to the queue")
	}
	must(t, c.worker.Work(t.Context(), c.org, d.ID, job.Attempt{Number: 9, Last: true}))
	if d = delivery(t, c.load(v.ID), scheduling.DeliverAppointment); d.State != visit.DeliveryAccepted || d.Reference.IsZero() {
		t.Errorf("the delivery is now %s", d.State)
	}
}
