package chart

import (
	"encoding/json"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
)

// walk returns every value at a path, through arrays.
func walk(value any, path ...string) []any {
	if array, ok := value.([]any); ok {
		var out []any
		for _, item := range array {
			out = append(out, walk(item, path...)...)
		}
		return out
	}
	if len(path) == 0 {
		return []any{value}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	child, ok := object[path[0]]
	if !ok {
		return nil
	}
	return walk(child, path[1:]...)
}

// first returns the first string at a path.
func first(value any, path ...string) string {
	for _, found := range walk(value, path...) {
		if text, ok := found.(string); ok {
			return text
		}
	}
	return ""
}

func references(value any, path ...string) []string {
	var out []string
	for _, found := range walk(value, append(path, "reference")...) {
		if text, ok := found.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// label is the words of a CodeableConcept.
func label(value any, path ...string) string {
	for _, end := range [][]string{{"text"}, {"coding", "display"}, {"coding", "code"}} {
		if text := first(value, append(path, end...)...); text != "" {
			return text
		}
	}
	return ""
}

type patientView struct {
	ID, Name, MRN, Gender, Pronouns, Born, Language, Phone, Email, Address string
	Age                                                                    int
	Interpreter                                                            bool
}

func (u *UI) patientOf(v *fhirserver.Version) patientView {
	p := v.Parsed()
	out := patientView{ID: v.ID, Name: first(p, "name", "text"), MRN: first(p, "identifier", "value"), Gender: first(p, "gender"), Born: first(p, "birthDate"),
		Language: label(p, "communication", "language")}
	for _, telecom := range walk(p, "telecom") {
		switch first(telecom, "system") {
		case "phone":
			out.Phone = first(telecom, "value")
		case "email":
			out.Email = first(telecom, "value")
		}
	}
	for _, extension := range walk(p, "extension") {
		switch {
		case strings.HasSuffix(first(extension, "url"), "individual-pronouns"):
			pronouns := strings.Split(label(extension, "extension", "valueCodeableConcept"), "/")
			out.Pronouns = strings.Join(pronouns[:min(2, len(pronouns))], "/")
		case strings.HasSuffix(first(extension, "url"), "patient-interpreterRequired"):
			out.Interpreter = true
		}
	}
	out.Address = strings.Join([]string{first(p, "address", "line"), first(p, "address", "city"), first(p, "address", "state") + " " + first(p, "address", "postalCode")}, ", ")
	if born, err := time.Parse(time.DateOnly, out.Born); err == nil {
		out.Age = years(born, u.config.Now().In(u.config.Zone))
	}
	return out
}

func years(born, now time.Time) int {
	age := now.Year() - born.Year()
	if now.Month() < born.Month() || (now.Month() == born.Month() && now.Day() < born.Day()) {
		age--
	}
	return age
}

type visit struct {
	ID, Status, Reason, Patient, PatientID, Clinician, ClinicianID, Type string
	Start, End                                                           time.Time
}

// Launchable reports whether a video visit still makes sense.
func (v visit) Launchable() bool {
	switch v.Status {
	case "cancelled", "noshow", "entered-in-error":
		return false
	}
	return true
}

func visitOf(v *fhirserver.Version) visit {
	a := v.Parsed()
	out := visit{ID: v.ID, Status: first(a, "status"), Reason: label(a, "reasonCode"), Type: label(a, "serviceType"),
		PatientID: participantID(v, "Patient/"), ClinicianID: participantID(v, "Practitioner/")}
	if out.Reason == "" {
		out.Reason = first(a, "description")
	}
	for _, actor := range walk(a, "participant", "actor") {
		switch reference := first(actor, "reference"); {
		case strings.HasPrefix(reference, "Patient/"):
			out.Patient = first(actor, "display")
		case strings.HasPrefix(reference, "Practitioner/"):
			out.Clinician = first(actor, "display")
		}
	}
	out.Start, _ = time.Parse(time.RFC3339, first(a, "start")) // an absent time shows as a dash
	out.End, _ = time.Parse(time.RFC3339, first(a, "end"))
	return out
}

// query finds resources; a query of the chart's own making cannot be refused, so an error is an empty list.
func (u *UI) query(typ string, params url.Values) []*fhirserver.Version {
	found, err := u.config.Store.Query(typ, params)
	if err != nil {
		u.config.Log.Error("query failed", "type", typ, "error", err)
		return nil
	}
	return found
}

func (u *UI) findPatients(text string) []patientView {
	var out []patientView
	for _, v := range u.query("Patient", url.Values{"_sort": {"family,given"}}) {
		p := u.patientOf(v)
		if matchesPatient(p, text) {
			out = append(out, p)
		}
	}
	return out
}

func matchesPatient(p patientView, text string) bool {
	all := fhirserver.Fold(p.Name + " " + p.MRN + " " + p.Born)
	for _, word := range strings.Fields(fhirserver.Fold(text)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

// visitsBetween lists appointments by start; params narrows them further.
func (u *UI) visitsBetween(from, to time.Time, params url.Values) []visit {
	params.Set("_sort", "date")
	var out []visit
	for _, v := range u.query("Appointment", params) {
		found := visitOf(v)
		if !found.Start.Before(from) && found.Start.Before(to) {
			out = append(out, found)
		}
	}
	return out
}

// today is the hospital's day, stretched so that a visit around midnight is not lost from sight.
func (u *UI) today() (from, to time.Time) {
	now := u.config.Now().In(u.config.Zone)
	from = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, u.config.Zone)
	to = from.AddDate(0, 0, 1)
	const reach = 6 * time.Hour
	if early := now.Add(-reach); early.Before(from) {
		from = early
	}
	if late := now.Add(reach); late.After(to) {
		to = late
	}
	return from, to
}

type documentView struct {
	ID, Title, Status, Author string
	Version                   int
	Received                  time.Time
	Client                    string
	Attachments               []attachment
}

type attachment struct {
	Index              int
	ContentType, Title string
	URL                string
	Size               int
	// Text is set for plain text, which is shown in the page itself.
	Text   string
	Inline bool // HTML or PDF held here
}

func documentOf(v *fhirserver.Version) documentView {
	d := v.Parsed()
	out := documentView{ID: v.ID, Version: v.Version, Status: first(d, "status"), Title: label(d, "type"), Received: v.At, Client: v.Client, Author: first(d, "author", "display")}
	if description := first(d, "description"); description != "" {
		out.Title = description
	}
	if docStatus := first(d, "docStatus"); docStatus != "" {
		out.Status += ", " + docStatus
	}
	for i, content := range walk(d, "content") {
		out.Attachments = append(out.Attachments, attachmentOf(i, content))
	}
	return out
}

func attachmentOf(i int, content any) attachment {
	a := attachment{Index: i, ContentType: first(content, "attachment", "contentType"), Title: first(content, "attachment", "title"), URL: first(content, "attachment", "url")}
	data := decode(first(content, "attachment", "data"))
	a.Size = len(data)
	switch base, _, _ := strings.Cut(a.ContentType, ";"); base {
	case "text/plain":
		a.Text = string(data)
	case "text/html", "application/pdf", "application/xhtml+xml":
		a.Inline = len(data) > 0
	}
	return a
}

type line struct{ Title, Detail, State string }

func (u *UI) lines(typ string, params url.Values, of func(map[string]any) line) []line {
	var out []line
	for _, v := range u.query(typ, params) {
		out = append(out, of(v.Parsed()))
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Title < out[j].Title })
	return out
}

func pretty(raw []byte) string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return string(raw)
	}
	out, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return string(raw)
	}
	return string(out)
}
