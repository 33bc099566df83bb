package fhir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/uuid"
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// TestMappingIsTotal gives every mapping arbitrary values: the output always parses as its own type and by our own
// strict rules (nothing empty, no null), whatever went in.
func TestMappingIsTotal(t *testing.T) {
	config := &quick.Config{MaxCount: 2000, Rand: rand.New(rand.NewSource(1))}
	check := func(name string, f any) {
		t.Helper()
		if err := quick.Check(f, config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("Appointment", func(v anyVisit) bool {
		var a r4.Appointment
		return sound(t, fhir.Appointment(v.Visit), &a) && len(a.Participant) == 2 && (a.CancelationReason == nil || a.Status == r4.AppointmentStatusCancelled || a.Status == r4.AppointmentStatusNoshow)
	})
	check("Encounter", func(v anyVisit) bool {
		var e r4.Encounter
		return sound(t, fhir.Encounter(v.Visit), &e) && *e.Class.Code == "VR" && e.Subject != nil && ordered(e.Period)
	})
	check("NoteDocument", func(text, kind string, digest []byte, at int64) bool {
		n := fhir.Note{SHA256: digest, Kind: fhir.NoteKind(kind), SignedAt: time.Unix(at, 0), Patient: phi.NewText(text), Author: phi.NewText(text),
			Follows: phi.NewText(kind), Type: fhir.Code{System: kind, Code: text, Display: kind}, Contents: []fhir.Content{{Type: kind, Body: phi.NewText(text)}}}
		var d r4.DocumentReference
		return sound(t, fhir.NoteDocument(n), &d) && len(d.Content) == 1
	})
	check("RecordingDocument", func(url, kind string, size int64) bool {
		var d r4.DocumentReference
		return sound(t, fhir.RecordingDocument(fhir.Recording{URL: url, ContentType: kind, Bytes: size, StoredAt: time.Unix(size, 0)}), &d)
	})
	check("AuditEvent", func(row anyRow, origin string) bool {
		var e r4.AuditEvent
		return sound(t, fhir.AuditEvent(row.Row, origin), &e)
	})
	check("OperationOutcome", func(i []fhir.Issue) bool {
		var o r4.OperationOutcome
		return sound(t, fhir.OperationOutcome(i...), &o) && len(o.Issue) > 0
	})
	check("Patient", func(name, lang string) bool {
		var p r4.Patient
		return sound(t, fhir.Patient(fhir.Person{Name: phi.NewText(name), Language: lang, Serve: &fhir.Serve{ID: lang}}), &p)
	})
	check("Capability", func(url, version string, types []string, at int64) bool {
		s := fhir.Server{URL: url, Version: version, Date: time.Unix(at, 0)}
		for _, typ := range types {
			s.Resources = append(s.Resources, fhir.ServedResource{Type: typ, Interactions: types, Search: []fhir.SearchParam{{Name: typ, Type: typ}}})
		}
		var c r4.CapabilityStatement
		return sound(t, fhir.Capability(s), &c)
	})
}

func sound(t *testing.T, body []byte, into any) bool {
	t.Helper()
	if err := fhir.Strict(body); err != nil {
		t.Logf("not strict FHIR JSON: %v in %s", err, body)
		return false
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Logf("does not parse: %v", err)
		return false
	}
	return strings.Contains(string(body), `"resourceType":"`+reflect.TypeOf(into).Elem().Name()+`"`)
}

func ordered(p *r4.Period) bool {
	return p == nil || p.Start == nil || p.End == nil || *p.Start <= *p.End
}

type anyVisit struct{ fhir.Visit }

func (anyVisit) Generate(r *rand.Rand, size int) reflect.Value {
	text := func() phi.Text {
		v, _ := quick.Value(reflect.TypeOf(""), r)
		return phi.NewText(v.String())
	}
	stages := []visit.Stage{visit.Booked, visit.Arrived, visit.InCall, visit.Ended, visit.Cancelled, visit.NoShow, "", "x\x00"}
	at := func() time.Time { return time.Unix(r.Int63n(1<<40)-1<<39, r.Int63n(1e9)) }
	v := fhir.Visit{
		Identifiers: []uuid.UUID{uuid.New()}, Stage: stages[r.Intn(len(stages))], Type: text().Reveal(), Reason: text(), EndReason: text().Reveal(),
		Patient: text(), Clinician: text(), Organization: text(), Appointment: text(), StartsAt: at(), EndsAt: at(), StartedAt: at(), EndedAt: at(), CreatedAt: at(),
	}
	for range r.Intn(6) {
		v.History = append(v.History, fhir.StageAt{Stage: stages[r.Intn(len(stages))], At: at()})
		v.Participants = append(v.Participants, fhir.Participant{Role: []string{"clinician", "guest", "patient"}[r.Intn(3)], Reference: text(), JoinedAt: at(), LeftAt: at()})
	}
	return reflect.ValueOf(anyVisit{v})
}

type anyRow struct{ audit.Row }

func (anyRow) Generate(r *rand.Rand, size int) reflect.Value {
	text := func() string {
		v, _ := quick.Value(reflect.TypeOf(""), r)
		return v.String()
	}
	id := uuid.New()
	actions := []string{"visit.booked", "recording.viewed", "login.refused", "audit.searched", "room.joined", "breakglass.began", text(), ""}
	row := audit.Row{ID: r.Int63(), Recorded: time.Unix(r.Int63n(1<<40), 0), Action: actions[r.Intn(len(actions))], Outcome: text(), ActorKind: text(), ActorRoles: []string{text()},
		Purpose: text(), Reason: text(), RequestID: text(), ObjectKind: text(), ObjectID: text()}
	if r.Intn(2) == 0 {
		row.Visit, row.Patient, row.Room, row.ActorID = &id, &id, &id, &id
	}
	return reflect.ValueOf(anyRow{row})
}

func TestReadAppointment(t *testing.T) {
	const good = `{"resourceType":"Appointment","status":"booked","start":"2026-03-09T10:00:00-04:00","end":"2026-03-09T10:20:00-04:00","reasonCode":[{"coding":[{"display":"Cough"}]}],
		"participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"},{"actor":{"reference":"https://ehr.example/fhir/Practitioner/2/_history/3"},"status":"accepted"}]}`
	got, err := fhir.ReadAppointment([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got.Start != time.Date(2026, 3, 9, 14, 0, 0, 0, time.UTC) || got.Patient.Reveal() != "Patient/1" ||
		got.Practitioner.Reveal() != "https://ehr.example/fhir/Practitioner/2/_history/3" || got.Reason.Reveal() != "Cough" {
		t.Errorf("read: %s %s %q %q", got.Start, got.Status, got.Practitioner.Reveal(), got.Reason.Reveal())
	}
	for _, tc := range []struct{ name, from, to, element string }{
		{"no status", `"status":"booked",`, ``, "Appointment.status"},
		{"unknown status", `"booked"`, `"Booked"`, "Appointment.status"},
		{"status of wrong type", `"booked"`, `7`, "Appointment.status"},
		{"key in the wrong case", `"status":"booked"`, `"Status":"booked"`, "Appointment.status"},
		{"app-1", `"actor":{"reference":"Patient/1"},`, ``, "Appointment.participant"},
		{"app-2", `"end":"2026-03-09T10:20:00-04:00",`, ``, "Appointment"},
		{"app-3", `"start":"2026-03-09T10:00:00-04:00","end":"2026-03-09T10:20:00-04:00",`, ``, "Appointment"},
		{"app-4", `"reasonCode"`, `"cancelationReason":{"text":"x"},"reasonCode"`, "Appointment.cancelationReason"},
		{"no offset", `10:00:00-04:00`, `10:00:00`, "Appointment.start"},
		{"no seconds", `10:00:00-04:00`, `10:00-04:00`, "Appointment.start"},
		{"no such day", `2026-03-09T10:00`, `2026-02-30T10:00`, "Appointment.start"},
		{"end first", `10:20:00`, `09:20:00`, "Appointment.end"},
		{"two patients", `{"actor":{"reference":"https://ehr.example/fhir/Practitioner/2/_history/3"},"status":"accepted"}`, `{"actor":{"reference":"Patient/9"},"status":"accepted"}`, "Appointment.participant.actor"},
		{"participant status", `"Patient/1"},"status":"accepted"`, `"Patient/1"},"status":"yes"`, "Appointment.participant.status"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := strings.Replace(good, tc.from, tc.to, 1)
			if body == good {
				t.Fatal("the case changes nothing")
			}
			_, err := fhir.ReadAppointment([]byte(body))
			var invalid *fhir.Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v, want *Invalid", err)
			}
			if invalid.Issues[0].Expression[0] != tc.element {
				t.Errorf("first issue is about %s: %s", invalid.Issues[0].Expression, invalid.Issues[0].Text)
			}
		})
	}
}

func TestStrict(t *testing.T) {
	for body, want := range map[string]error{
		`{"resourceType":"Appointment"}`: nil, `{"a":[null,"x"],"_a":[{"id":"1"},null],"b":{"c":1.50}}`: nil, `{"a":[null],"_a":[{"id":"1"}]}`: nil,
		`{"a":[null,"x"]}`: fhir.ErrEmptyValue, `{"a":[{"b":1},null]}`: fhir.ErrEmptyValue, `{"a":[{"b":1},null],"_a":[null,{"id":"1"}]}`: fhir.ErrEmptyValue, `{"a":["x"],"_a":null}`: fhir.ErrEmptyValue,
		``: fhir.ErrNotJSON, `[]`: fhir.ErrNotJSON, `{`: fhir.ErrNotJSON, `{"a":1}x`: fhir.ErrNotJSON, `{"a":1}{}`: fhir.ErrNotJSON, "{\"a\":\"\xff\"}": fhir.ErrNotJSON, `<Patient/>`: fhir.ErrNotJSON, "\ufeff{}": fhir.ErrNotJSON, `{"a":01}`: fhir.ErrNotJSON,
		`{"a":1,"a":2}`: fhir.ErrDuplicate, `{"x":{"a":1,"\u0061":2}}`: fhir.ErrDuplicate,
		`{}`: fhir.ErrEmptyValue, `{"a":{}}`: fhir.ErrEmptyValue, `{"a":[]}`: fhir.ErrEmptyValue, `{"a":""}`: fhir.ErrEmptyValue, `{"a":null}`: fhir.ErrEmptyValue,
		strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65):             fhir.ErrTooDeep,
		`{"a":` + strings.Repeat(`[`, 65) + `1` + strings.Repeat(`]`, 65) + `}`: fhir.ErrTooDeep,
	} {
		if err := fhir.Strict([]byte(body)); !errors.Is(err, want) {
			t.Errorf("Strict(%.40q) = %v, want %v", body, err, want)
		}
	}
}

// TestOverlayKeepsEverything adds arbitrary unknown fields: they come back byte for byte.
func TestOverlayKeepsEverything(t *testing.T) {
	own := fhir.Appointment(fhir.Visit{Stage: visit.Booked, Serve: &fhir.Serve{ID: "1", Version: 1}})
	err := quick.Check(func(names []string, value float64) bool {
		sent := map[string]json.RawMessage{"resourceType": json.RawMessage(`"Appointment"`)}
		number, _ := json.Marshal(value)
		for _, n := range names {
			sent["x-"+n] = number
		}
		body, _ := json.Marshal(sent)
		out, err := fhir.OverlayAppointment(body, own)
		var got map[string]json.RawMessage
		if err != nil || json.Unmarshal(out, &got) != nil {
			return false
		}
		for name, raw := range sent {
			var reread string
			_ = json.Unmarshal(encoded(name), &reread)
			if !bytes.Equal(got[reread], raw) {
				return false
			}
		}
		return true
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func encoded(s string) []byte {
	b, _ := json.Marshal(s)
	return b
}

func FuzzReadAppointment(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Appointment","status":"booked","start":"2026-03-09T10:00:00-04:00","end":"2026-03-09T10:20:00-04:00","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`))
	f.Add([]byte(`{"resourceType":"Appointment","status":"cancelled","cancelationReason":{"text":"x"},"participant":[{"type":[{"text":"t"}],"status":"declined"}]}`))
	f.Add([]byte(`{"resourceType":"Appointment","resourceType":"Patient"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := fhir.ReadAppointment(body)
		if err != nil {
			var invalid *fhir.Invalid
			if errors.As(err, &invalid) && len(invalid.Issues) == 0 {
				t.Error("invalid without an issue")
			}
			return
		}
		if !read.End.IsZero() && !read.End.After(read.Start) {
			t.Error("accepted an end before the start")
		}
		own := fhir.Appointment(fhir.Visit{Stage: visit.Booked, Serve: &fhir.Serve{ID: "1", Version: 1}, StartsAt: read.Start, EndsAt: read.End})
		out, err := fhir.OverlayAppointment(body, own)
		if err != nil || fhir.Strict(out) != nil {
			t.Errorf("what was read cannot be served: %v", err)
		}
	})
}
