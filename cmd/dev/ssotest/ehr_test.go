package ssotest

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/fhir/ehr"
)

// chart is the EHR's client with the server's own token.
func (w *world) chart() *ehr.Client {
	w.t.Helper()
	c, err := ehr.New(ehr.Config{Base: w.origin + "/fhir", HTTP: w.http, Profile: "generic", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Token: func(ctx context.Context) (string, error) {
			token, _, err := w.BackendToken(ctx, "sandbox")
			return token, err
		}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) arm(kind faults.Kind, match string) {
	w.t.Helper()
	if _, err := w.sandbox.Faults().Add(faults.Fault{Kind: kind, Match: match, Times: 1}); err != nil {
		w.t.Fatal(err)
	}
}

func document(id string) (url.Values, []byte) {
	return url.Values{"identifier": {"urn:ietf:rfc:3986|urn:uuid:" + id}}, []byte(`{ "resourceType":"DocumentReference","identifier":[{"system":"urn:ietf:rfc:3986","value":"urn:uuid:` + id + `"}],
		"status":"current","docStatus":"final","type":{"coding":[{"system":"http://loinc.org","code":"11506-3"}]},
		"category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}],
		"subject":{"reference":"Patient/pat-0001"},"date":"2026-01-02T03:04:05Z","content":[{"attachment":{"contentType":"text/plain","data":"SGVsbG8="}}] }`)
}

func TestReadingTheChart(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	c := w.chart()
	can, err := c.Capability(ctx)
	if err != nil || can.FHIRVersion != "4.0.1" || !can.Can("DocumentReference", "create") || !can.Types["DocumentReference"].ConditionalCreate {
		t.Errorf("%+v, %v", can, err)
	}
	raw, err := c.Read(ctx, "Patient/pat-0001")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ehr.Demographics(raw.Raw)
	if err != nil || p.Name.IsZero() || p.BirthDate.IsZero() || p.MRN.IsZero() || p.Gender == "" || raw.ETag == "" {
		t.Errorf("demographics: %v, %+v", err, p)
	}
	appointment, err := c.Read(ctx, "Appointment/"+w.appointment())
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.AppointmentFacts(appointment.Raw)
	if err != nil || a.Patient.Reveal() != "Patient/pat-0001" || a.Practitioner.Reveal() != "Practitioner/prac-osei" || !a.End.After(a.Start) {
		t.Errorf("appointment: %v, %v to %v", err, a.Start, a.End)
	}
	found, err := c.Search(ctx, "Patient", url.Values{"_count": {"7"}})
	if err != nil || len(found) < w.sandbox.Ready().Patients {
		t.Errorf("%d of %d patients over all pages, %v", len(found), w.sandbox.Ready().Patients, err)
	}
	seen := map[string]bool{}
	for _, r := range found {
		if r.Type != "Patient" || seen[r.ID] {
			t.Errorf("%s came twice or is no patient", r.Reference())
		}
		seen[r.ID] = true
	}
	var missing *ehr.NotFound
	if _, err := c.Read(ctx, "Patient/nobody"); !errors.As(err, &missing) || len(missing.Codes) == 0 {
		t.Errorf("nobody: %v", err)
	}
	var forbidden *ehr.Forbidden
	if _, err := c.Search(ctx, "Condition", url.Values{"patient": {"pat-0001"}}); !errors.As(err, &forbidden) {
		t.Errorf("without a scope: %v", err)
	}
}

func TestWritingOnceWhateverHappens(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	c := w.chart()
	once, body := document("3f0c0000-0000-4000-8000-000000000001")
	first, err := c.CreateConditional(ctx, "DocumentReference", once, body)
	if err != nil || !first.Created || !strings.HasPrefix(first.Location, "DocumentReference/") || first.ETag == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := c.CreateConditional(ctx, "DocumentReference", once, body)
	if err != nil || again.Created || again.Location != first.Location {
		t.Errorf("again: %+v, %v", again, err)
	}
	received := w.sandbox.Received("DocumentReference")
	if len(received) != 1 || string(received[0].BytesBase64) != string(body) {
		t.Errorf("the chart has %d, or other bytes", len(received))
	}

	once, body = document("3f0c0000-0000-4000-8000-000000000002")
	w.arm(faults.CommitThenTimeout, "DocumentReference")
	var transient *ehr.Transient
	if _, err := c.CreateConditional(ctx, "DocumentReference", once, body); !errors.As(err, &transient) || !transient.MayHaveHappened {
		t.Errorf("committed without an answer: %v", err)
	}
	if after, err := c.CreateConditional(ctx, "DocumentReference", once, body); err != nil || after.Created || after.Location == "" {
		t.Errorf("tried again: %+v, %v", after, err)
	}
	found, err := c.Search(ctx, "DocumentReference", once)
	if err != nil || len(found) != 1 {
		t.Errorf("%d in the chart, %v", len(found), err)
	}

	once, body = document("3f0c0000-0000-4000-8000-000000000003")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := c.CreateConditional(ctx, "DocumentReference", once, body); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if received := w.sandbox.Received("DocumentReference"); len(received) != 3 {
		t.Errorf("%d in the chart, want 3", len(received))
	}
}

func TestFailuresOfTheChart(t *testing.T) {
	ctx, w := context.Background(), newWorld(t)
	c := w.chart()
	once, body := document("3f0c0000-0000-4000-8000-000000000004")
	create := func() error { _, err := c.CreateConditional(ctx, "DocumentReference", once, body); return err }
	var transient *ehr.Transient
	w.arm(faults.ServerError, "DocumentReference")
	if err := create(); !errors.As(err, &transient) {
		t.Errorf("5xx: %v", err)
	}
	for _, kind := range []faults.Kind{"409", "412", "423"} {
		w.arm(kind, "DocumentReference")
		var conflict *ehr.Conflict
		if err := create(); !errors.As(err, &conflict) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	w.arm("revoked_token", "DocumentReference")
	var unauthorized *ehr.Unauthorized
	if err := create(); !errors.As(err, &unauthorized) {
		t.Errorf("revoked: %v", err)
	}
	w.ForgetBackendToken("sandbox")
	if err := create(); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	var permanent *ehr.Permanent
	if _, err := c.CreateConditional(ctx, "DocumentReference", nil, []byte(`{"resourceType":"DocumentReference"}`)); !errors.As(err, &permanent) || len(permanent.Codes) == 0 {
		t.Errorf("not acceptable: %v", err)
	}
	appointment, err := c.Read(ctx, "Appointment/"+w.appointment())
	if err != nil {
		t.Fatal(err)
	}
	patch := []byte(`[{"op":"add","path":"/comment","value":"x"}]`)
	changed, err := c.Patch(ctx, appointment.Reference(), appointment.ETag, patch)
	if err != nil || changed.ETag == appointment.ETag || changed.ETag == "" {
		t.Errorf("patch: %+v, %v", changed, err)
	}
	var conflict *ehr.Conflict
	if _, err := c.Patch(ctx, appointment.Reference(), appointment.ETag, patch); !errors.As(err, &conflict) {
		t.Errorf("a version that is gone: %v", err)
	}
}
