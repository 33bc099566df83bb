package fhir_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
)

var update = flag.Bool("update", false, "write the expected outputs in testdata")

// TestGolden runs the function named in the first line of each archive over its inputs and compares what it gives
// with want.json. The outputs are also what the independent validator checks.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("golden files: %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string][]byte{}
			for _, f := range archive.Files {
				parts[f.Name] = f.Data
			}
			got := apply(t, strings.TrimSpace(string(archive.Comment)), parts)
			var indented bytes.Buffer
			if err := json.Indent(&indented, got, "", "  "); err != nil {
				t.Fatalf("the output does not parse: %v", err)
			}
			indented.WriteByte('\n')
			if *update {
				write(t, file, archive, indented.Bytes())
				return
			}
			if diff := cmp.Diff(string(parts["want.json"]), indented.String()); diff != "" {
				t.Errorf("differs from want.json (-want +got):\n%s", diff)
			}
		})
	}
}

func apply(t *testing.T, function string, parts map[string][]byte) []byte {
	t.Helper()
	in := parts["input.json"]
	switch function {
	case "Appointment":
		return fhir.Appointment(decode[fhir.Visit](t, in))
	case "Encounter":
		return fhir.Encounter(decode[fhir.Visit](t, in))
	case "NoteDocument":
		return fhir.NoteDocument(decode[fhir.Note](t, in))
	case "RecordingDocument":
		return fhir.RecordingDocument(decode[fhir.Recording](t, in))
	case "AuditEvent":
		return fhir.AuditEvent(decode[audit.Row](t, in), "https://visits.hospital.example")
	case "Patient":
		return fhir.Patient(decode[fhir.Person](t, in))
	case "Practitioner":
		return fhir.Practitioner(decode[fhir.Person](t, in))
	case "Capability":
		return fhir.Capability(decode[fhir.Server](t, in))
	case "OperationOutcome":
		return fhir.OperationOutcome(decode[[]fhir.Issue](t, in)...)
	case "Searchset":
		return searchset(t, decode[[]json.RawMessage](t, in))
	case "OverlayAppointment":
		return must(t)(fhir.OverlayAppointment(parts["sent.json"], parts["own.json"]))
	case "MergeEncounter":
		return must(t)(fhir.MergeEncounter(parts["current.json"], parts["own.json"]))
	}
	t.Fatalf("no function %q", function)
	return nil
}

func searchset(t *testing.T, resources []json.RawMessage) []byte {
	t.Helper()
	var entries []fhir.Entry
	for _, r := range resources {
		id := decode[struct{ ID string }](t, r).ID
		entries = append(entries, fhir.Entry{FullURL: "https://visits.hospital.example/fhir/Patient/" + id, Resource: r})
	}
	total := len(entries)
	return must(t)(fhir.Searchset("https://visits.hospital.example/fhir/Patient?_count=2", "https://visits.hospital.example/fhir/Patient?page=x", &total, entries))
}

func decode[T any](t *testing.T, raw []byte) T {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("input: %v", err)
	}
	return v
}

func must(t *testing.T) func([]byte, error) []byte {
	t.Helper()
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func write(t *testing.T, file string, archive *txtar.Archive, want []byte) {
	t.Helper()
	kept := archive.Files[:0:0]
	for _, f := range archive.Files {
		if f.Name != "want.json" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "want.json", Data: want})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
