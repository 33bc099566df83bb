package fhir

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/televisit/televisit/identity/phi"
)

// AppointmentRequest is what a client asks for with an Appointment. The client's bytes are kept beside it.
type AppointmentRequest struct {
	ID           string // as sent; a create ignores it
	Status       string
	Start, End   time.Time // UTC
	Patient      phi.Text  // reference as sent
	Practitioner phi.Text  // reference as sent
	Reason       phi.Text
	CancelReason string // code of appointment-cancellation-reason, or ""
	VisitType    string
}

// Invalid is a resource that can be read but breaks a rule: 422 over HTTP. Its issues repeat no value.
type Invalid struct{ Issues []Issue }

func (i *Invalid) Error() string {
	texts := make([]string, len(i.Issues))
	for n, x := range i.Issues {
		texts[n] = x.Text
	}
	return strings.Join(texts, "; ")
}

func (i *Invalid) add(code, element, text string) {
	i.Issues = append(i.Issues, Issue{Code: code, Text: text, Expression: []string{element}})
}

type appointmentJSON struct {
	ID                string          `json:"id"`
	Status            string          `json:"status"`
	Start             string          `json:"start"`
	End               string          `json:"end"`
	CancelationReason *conceptJSON    `json:"cancelationReason"`
	ReasonCode        []conceptJSON   `json:"reasonCode"`
	ServiceType       []conceptJSON   `json:"serviceType"`
	Participant       []actorJSON     `json:"participant"`
	Description       json.RawMessage `json:"description"`
}

type conceptJSON struct {
	Text   string `json:"text"`
	Coding []struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display"`
	} `json:"coding"`
}

type actorJSON struct {
	Type  []conceptJSON `json:"type"`
	Actor *struct {
		Reference string `json:"reference"`
	} `json:"actor"`
	Status string `json:"status"`
}

// ReadAppointment reads an Appointment that a client sent. A body that is no FHIR JSON gives one of the errors of
// Strict (400); a rule that is broken gives *Invalid with every issue found (422).
func ReadAppointment(body []byte) (AppointmentRequest, error) {
	if err := Strict(body); err != nil {
		return AppointmentRequest{}, err
	}
	raw, err := parse(body, "Appointment")
	if err != nil {
		return AppointmentRequest{}, err
	}
	var in appointmentJSON
	if err := json.Unmarshal(exactCase(raw), &in); err != nil {
		bad := &Invalid{}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			bad.add("structure", "Appointment."+wrong.Field, "this element has another JSON type than FHIR gives it")
		} else {
			bad.add("structure", "Appointment", "the resource cannot be read")
		}
		return AppointmentRequest{}, bad
	}
	return in.check()
}

// exactCase drops top-level keys that only differ in case from FHIR's: encoding/json would accept them.
func exactCase(raw object) []byte {
	exact := object{}
	for _, name := range []string{"id", "status", "start", "end", "cancelationReason", "reasonCode", "serviceType", "participant", "description"} {
		if value, ok := raw[name]; ok {
			exact[name] = value
		}
	}
	return exact.bytes()
}

func (in appointmentJSON) check() (AppointmentRequest, error) {
	var bad Invalid
	out := AppointmentRequest{ID: in.ID, Status: in.Status, VisitType: in.visitType(), Reason: phi.NewText(in.reason())}
	if !oneOf(in.Status, "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error", "checked-in", "waitlist") {
		bad.add("code-invalid", "Appointment.status", "status is required and is one of R4's appointmentstatus codes")
	}
	out.Start, out.End = in.times(&bad)
	in.actors(&out, &bad)
	if in.CancelationReason != nil {
		out.CancelReason = in.CancelationReason.code(systemCancelReason)
		if !cancelled(in.Status) {
			bad.add("invariant", "Appointment.cancelationReason", "app-4: a reason for cancelling needs the status cancelled or noshow")
		}
	}
	if len(bad.Issues) > 0 {
		return AppointmentRequest{}, &bad
	}
	return out, nil
}

var instantPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$`)

func (in appointmentJSON) times(bad *Invalid) (start, end time.Time) {
	if (in.Start == "") != (in.End == "") {
		bad.add("invariant", "Appointment", "app-2: start and end come together")
	}
	if in.Start == "" && in.End == "" && !oneOf(in.Status, "proposed", "cancelled", "waitlist") {
		bad.add("invariant", "Appointment", "app-3: only proposed, cancelled or waitlist appointments lack times")
	}
	start, end = in.instant("start", in.Start, bad), in.instant("end", in.End, bad)
	if !start.IsZero() && !end.IsZero() && !end.After(start) {
		bad.add("invariant", "Appointment.end", "end must be after start")
	}
	return start, end
}

func (in appointmentJSON) instant(name, value string, bad *Invalid) time.Time {
	if value == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || !instantPattern.MatchString(value) {
		bad.add("value", "Appointment."+name, name+" must be an instant with seconds and an offset")
		return time.Time{}
	}
	return at.UTC()
}

func (in appointmentJSON) actors(out *AppointmentRequest, bad *Invalid) {
	if len(in.Participant) == 0 {
		bad.add("required", "Appointment.participant", "a participant is required")
	}
	for _, p := range in.Participant {
		if len(p.Type) == 0 && p.Actor == nil {
			bad.add("invariant", "Appointment.participant", "app-1: a participant needs a type or an actor")
		}
		if !oneOf(p.Status, "accepted", "declined", "tentative", "needs-action") {
			bad.add("code-invalid", "Appointment.participant.status", "participant.status is required and is one of R4's participationstatus codes")
		}
		if p.Actor == nil {
			continue
		}
		switch typeOf(p.Actor.Reference) {
		case "Patient":
			one(&out.Patient, p.Actor.Reference, "Patient", bad)
		case "Practitioner":
			one(&out.Practitioner, p.Actor.Reference, "Practitioner", bad)
		}
	}
}

func one(to *phi.Text, ref, kind string, bad *Invalid) {
	if !to.IsZero() {
		bad.add("business-rule", "Appointment.participant.actor", "a visit has one "+kind)
		return
	}
	*to = phi.NewText(ref)
}

// typeOf is the resource type of a literal reference, relative or absolute, with or without a version.
func typeOf(ref string) string {
	parts := strings.Split(ref, "/")
	if n := len(parts); n >= 4 && parts[n-2] == "_history" {
		parts = parts[:n-2]
	}
	if len(parts) < 2 || parts[len(parts)-1] == "" {
		return ""
	}
	return parts[len(parts)-2]
}

func (in appointmentJSON) reason() string {
	for _, c := range in.ReasonCode {
		if w := c.words(); w != "" {
			return w
		}
	}
	return ""
}

func (in appointmentJSON) visitType() string {
	for _, c := range in.ServiceType {
		if code := c.code(systemVisitType); code != "" {
			return code
		}
	}
	return ""
}

func (c conceptJSON) code(system string) string {
	for _, code := range c.Coding {
		if code.System == system {
			return code.Code
		}
	}
	return ""
}

func (c conceptJSON) words() string {
	if c.Text != "" {
		return c.Text
	}
	for _, code := range c.Coding {
		if code.Display != "" {
			return code.Display
		}
		if code.Code != "" {
			return code.Code
		}
	}
	return ""
}
