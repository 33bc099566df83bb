package fhirserver

import (
	"encoding/base64"
	"slices"
	"time"
)

// appointmentInvariants checks app-1 to app-4 of R4 Appointment.
func appointmentInvariants(resource map[string]any) *problem {
	for _, participant := range extract(resource, []string{"participant"}) {
		object, _ := participant.(map[string]any)
		if object["type"] == nil && object["actor"] == nil {
			return invalid("Appointment.participant", "app-1: a participant needs a type or an actor")
		}
	}
	start, hasStart := resource["start"]
	end, hasEnd := resource["end"]
	if hasStart != hasEnd {
		return invalid("Appointment", "app-2: start and end come together")
	}
	status := text(resource, "status")
	if !hasStart && !slices.Contains([]string{"proposed", "cancelled", "waitlist"}, status) {
		return invalid("Appointment", "app-3: only proposed, cancelled or waitlist appointments lack times")
	}
	if resource["cancelationReason"] != nil && status != "cancelled" && status != "noshow" {
		return invalid("Appointment", "app-4: a reason for cancelling needs the status cancelled or noshow")
	}
	if hasStart {
		return instants("Appointment", start, end)
	}
	return nil
}

func instants(typ string, start, end any) *problem {
	from, fromErr := parseInstant(start)
	to, toErr := parseInstant(end)
	if fromErr != nil || toErr != nil {
		return invalid(typ, "start and end are instants with an offset")
	}
	if to.Before(from) {
		return invalid(typ, "end is before start")
	}
	return nil
}

func parseInstant(value any) (time.Time, error) {
	text, _ := value.(string)
	return time.Parse(time.RFC3339Nano, text)
}

func encounterInvariants(resource map[string]any) *problem {
	class, _ := resource["class"].(map[string]any)
	if text(class, "code") == "" {
		return invalid("Encounter.class", "class needs a code")
	}
	for _, history := range extract(resource, []string{"statusHistory"}) {
		object, _ := history.(map[string]any)
		if text(object, "status") == "" || object["period"] == nil {
			return invalid("Encounter.statusHistory", "a past status needs its status and period")
		}
	}
	period, ok := resource["period"].(map[string]any)
	if ok && period["start"] != nil && period["end"] != nil {
		return instants("Encounter.period", period["start"], period["end"])
	}
	if text(resource, "status") == "finished" && (!ok || period["end"] == nil) {
		return invalid("Encounter.period", "a finished encounter needs an end")
	}
	return nil
}

// documentInvariants checks us-core-6 of US Core DocumentReference and the limits every vendor sets.
func documentInvariants(resource map[string]any) *problem {
	for _, attachment := range extract(resource, []string{"content", "attachment"}) {
		object, _ := attachment.(map[string]any)
		data, hasData := object["data"].(string)
		if !hasData && text(object, "url") == "" {
			return invalid("DocumentReference.content.attachment", "us-core-6: an attachment needs a url or data")
		}
		if hasData {
			if _, err := base64.StdEncoding.DecodeString(data); err != nil {
				return invalid("DocumentReference.content.attachment.data", "data is not base64")
			}
		}
	}
	if len(extract(resource, []string{"context", "encounter"})) > 1 {
		return invalid("DocumentReference.context.encounter", "a document belongs to one encounter at most")
	}
	if when := resource["date"]; when != nil {
		if _, err := parseInstant(when); err != nil {
			return invalid("DocumentReference.date", "date is an instant with an offset")
		}
	}
	return nil
}

func binaryInvariants(resource map[string]any) *problem {
	if _, err := base64.StdEncoding.DecodeString(text(resource, "data")); err != nil {
		return invalid("Binary.data", "data is not base64")
	}
	return nil
}
