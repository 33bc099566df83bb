package validate_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/cmd/dev/validate"
)

// TestMappingIsValidFHIR checks every golden output of package fhir, and that each broken variant of them is refused
// for the right reason: a validator that accepted those would prove nothing.
func TestMappingIsValidFHIR(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	defer cancel()
	golden, err := filepath.Glob("../../../fhir/testdata/*.txtar")
	if err != nil || len(golden) < 20 {
		t.Fatalf("golden files: %d, %v", len(golden), err)
	}
	good, err := validate.Load(golden...)
	if err != nil {
		t.Fatal(err)
	}
	broken := breakages(t, good)
	resources := append([]validate.Resource{}, good...)
	for _, b := range broken {
		resources = append(resources, b.resource)
	}
	report, err := validate.Run(ctx, resources...)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report[:len(good)] {
		for _, issue := range result.Errors() {
			t.Errorf("%s: %s: %s", filepath.Base(result.Name), issue.Location, issue.Message)
		}
	}
	for n, result := range report[len(good):] {
		if b := broken[n]; !mentions(result.Errors(), b.complaint) {
			t.Errorf("%s: want an error about %q, got %+v", b.resource.Name, b.complaint, result.Errors())
		}
	}
}

type breakage struct {
	resource  validate.Resource
	complaint string // what the validator must complain about
}

func breakages(t *testing.T, good []validate.Resource) []breakage {
	t.Helper()
	byName := map[string]string{}
	for _, r := range good {
		byName[strings.TrimSuffix(filepath.Base(r.Name), ".txtar")] = r.Body
	}
	var out []breakage
	for _, b := range []struct{ name, of, from, to, complaint string }{
		{"unknown status", "appointment-booked", `"status": "booked"`, `"status": "boooked"`, "boooked"},
		{"app-2", "appointment-booked", `"end": "2026-03-09T14:20:00.000Z",`, ``, "app-2"},
		{"app-4", "appointment-booked", `"status": "booked"`, `"status": "booked","cancelationReason":{"text":"x"}`, "app-4"},
		{"instant without offset", "appointment-booked", `14:20:00.000Z`, `14:20:00.000`, "end"},
		{"unknown field", "appointment-booked", `"status": "booked"`, `"status": "booked","statuss":"x"`, "statuss"},
		{"no class", "encounter-finished", `"class": {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "VR",
    "display": "virtual"
  },`, ``, "class"},
		{"unknown status of the past", "encounter-finished", `"status": "planned"`, `"status": "planed"`, "planed"},
		{"US Core: no type", "encounter-finished", `"type": [
    {
      "coding": [
        {
          "system": "http://snomed.info/sct",
          "code": "448337001",
          "display": "Telemedicine consultation with patient (procedure)"
        }
      ],
      "text": "Video visit"
    }
  ],`, ``, "type"},
		{"period out of order", "encounter-finished", `"start": "2026-03-01T09:12:30.000Z"`, `"start": "2027-03-01T09:12:30.000Z"`, "per-1"},
		{"US Core: no category", "note-original", `"code": "clinical-note"`, `"code": "other"`, "tv-clinical-note"},
		{"US Core: neither url nor data", "recording", `"url": "https://visits.hospital.example/recordings/c56a4180-65aa-42ec-a945-5fd21dec0538",`, ``, "contentType"},
		{"data not base64", "note-original", `"data": "`, `"data": "!!`, "base64"},
		{"BALP: roles the wrong way round", "audit-recording-viewed", `"110152"`, `"110150"`, "client"},
		{"BALP: no patient", "audit-recording-viewed", `"code": "1",
        "display": "Person"`, `"code": "3",
        "display": "Organization"`, "patient"},
		{"another resource type", "outcome", `"OperationOutcome"`, `"OperationOutcomes"`, "OperationOutcomes"},
	} {
		body := byName[b.of]
		changed := strings.Replace(body, b.from, b.to, 1)
		if b.name == "US Core: neither url nor data" {
			changed = strings.Replace(changed, `"status"`, `"meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-documentreference"]},"status"`, 1)
			b.complaint = "us-core-6"
		}
		if changed == body || body == "" {
			t.Fatalf("%s: the case changes nothing", b.name)
		}
		out = append(out, breakage{validate.Resource{Name: b.name, Body: changed}, b.complaint})
	}
	return out
}

func mentions(issues []validate.Issue, complaint string) bool {
	for _, i := range issues {
		if strings.Contains(i.Message+" "+i.Location, complaint) {
			return true
		}
	}
	return false
}

func TestLoadRefusesNothing(t *testing.T) {
	if _, err := validate.Load(); err == nil {
		t.Error("an empty list of files is no valid run")
	}
	if _, err := validate.Load("testdata/none.json"); err == nil {
		t.Error("a missing file is an error")
	}
}
