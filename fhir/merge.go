package fhir

import (
	"bytes"
	"encoding/json"
	"time"
)

// object is a resource whose fields are kept as the bytes that somebody wrote.
type object map[string]json.RawMessage

func parse(body []byte, resourceType string) (object, error) {
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		return nil, ErrNotJSON
	}
	if kind := o.text("resourceType"); kind != resourceType {
		return nil, ErrOtherType
	}
	return o, nil
}

func (o object) text(name string) string {
	var s string
	_ = json.Unmarshal(o[name], &s)
	return s
}

func (o object) bytes() []byte {
	out, err := json.Marshal(map[string]json.RawMessage(o))
	if err != nil {
		return []byte("{}")
	}
	return out
}

// OverlayAppointment gives the Appointment that a client sent with the fields that we own laid over it: id, meta, status,
// times, our identifier, the reason for cancelling. Everything else comes back as it was sent, also what we do not know.
func OverlayAppointment(sent, own []byte) ([]byte, error) {
	theirs, err := parse(sent, "Appointment")
	if err != nil {
		return nil, err
	}
	ours, err := parse(own, "Appointment")
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"id", "status", "start", "end"} {
		theirs.take(ours, field)
	}
	if _, sent := theirs["minutesDuration"]; sent {
		theirs.take(ours, "minutesDuration")
	}
	if _, sent := theirs["cancelationReason"]; !sent || !cancelled(ours.text("status")) { // app-4
		theirs.take(ours, "cancelationReason")
	}
	if _, sent := theirs["created"]; !sent {
		theirs.take(ours, "created")
	}
	if meta := overMeta(theirs["meta"], ours["meta"]); meta != nil {
		theirs["meta"] = meta
	}
	theirs.union(ours, "identifier")
	return theirs.bytes(), nil
}

// MergeEncounter gives the EHR's Encounter with what happened in the visit laid over it: status, class, period, length,
// and, added where they are missing, our identifier, participants, status history, reason and appointment.
func MergeEncounter(current, own []byte) ([]byte, error) {
	theirs, err := parse(current, "Encounter")
	if err != nil {
		return nil, err
	}
	ours, err := parse(own, "Encounter")
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"status", "class", "period", "length"} {
		if _, given := ours[field]; given {
			theirs.take(ours, field)
		}
	}
	for _, field := range []string{"type", "reasonCode", "serviceProvider", "subject"} {
		if _, there := theirs[field]; !there {
			theirs.take(ours, field)
		}
	}
	for _, field := range []string{"identifier", "statusHistory", "appointment"} {
		theirs.union(ours, field)
	}
	theirs.addParticipants(ours)
	return theirs.bytes(), nil
}

func cancelled(status string) bool { return status == "cancelled" || status == "noshow" }

// take replaces a field. Extensions of a primitive (_field) stay: they are the sender's, such as the time zone of a
// start. An instant that is the same moment stays as it was written, with its offset.
func (o object) take(from object, field string) {
	value, ok := from[field]
	if !ok {
		delete(o, field)
		return
	}
	if !sameInstant(o.text(field), from.text(field)) {
		o[field] = value
	}
}

func sameInstant(a, b string) bool {
	at, errA := time.Parse(time.RFC3339Nano, a)
	bt, errB := time.Parse(time.RFC3339Nano, b)
	return errA == nil && errB == nil && at.Equal(bt)
}

// union adds those elements of an array that are not there yet.
func (o object) union(from object, field string) {
	var have, more []json.RawMessage
	_ = json.Unmarshal(o[field], &have)
	_ = json.Unmarshal(from[field], &more)
	for _, element := range more {
		if !containsJSON(have, element) {
			have = append(have, element)
		}
	}
	if len(have) > 0 {
		o[field] = encode(have)
	}
}

func containsJSON(set []json.RawMessage, element json.RawMessage) bool {
	want := canonical(element)
	for _, x := range set {
		if bytes.Equal(canonical(x), want) {
			return true
		}
	}
	return false
}

// canonical is the value with sorted keys and without white space.
func canonical(raw json.RawMessage) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return raw
	}
	return encode(v)
}

// addParticipants gives our clinician's presence to the participant that the EHR already lists, or adds it.
func (o object) addParticipants(from object) {
	var have, more []object
	if _, there := o["participant"]; there && json.Unmarshal(o["participant"], &have) != nil {
		return
	}
	_ = json.Unmarshal(from["participant"], &more)
	for _, p := range more {
		known := find(have, p)
		switch {
		case known == nil:
			have = append(have, p)
		default:
			known.complete(p)
		}
	}
	if len(have) > 0 {
		o["participant"] = encode(have)
	}
}

// complete gives a participant that the EHR lists our period, and a type where it has none.
func (o object) complete(from object) {
	if from["period"] != nil {
		o["period"] = from["period"]
	}
	if o["type"] == nil && from["type"] != nil {
		o["type"] = from["type"]
	}
}

func find(participants []object, wanted object) object {
	for _, p := range participants {
		if wanted["individual"] == nil {
			if containsJSON([]json.RawMessage{encode(p)}, encode(wanted)) {
				return p
			}
			continue
		}
		if individual(p) != "" && individual(p) == individual(wanted) {
			return p
		}
	}
	return nil
}

func individual(participant object) string {
	var ref struct {
		Reference string `json:"reference"`
	}
	_ = json.Unmarshal(participant["individual"], &ref)
	return ref.Reference
}

func overMeta(sent, own json.RawMessage) json.RawMessage {
	var theirs, ours object
	_ = json.Unmarshal(sent, &theirs)
	_ = json.Unmarshal(own, &ours)
	if theirs == nil {
		theirs = object{}
	}
	for _, field := range []string{"versionId", "lastUpdated"} {
		theirs.take(ours, field)
	}
	if len(theirs) == 0 {
		return nil
	}
	return theirs.bytes()
}
