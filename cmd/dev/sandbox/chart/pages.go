package chart

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
)

type homeData struct {
	Day    time.Time
	Mine   bool
	Visits []visit
	Apps   []App
}

// home is the day: the clinician's own visits, or everybody's for other staff.
func (u *UI) home(w http.ResponseWriter, r *http.Request) {
	u.config.OpenDay()
	user, _ := u.user(r)
	from, to := u.today()
	params := url.Values{}
	if user.Practitioner != "" {
		params.Set("practitioner", user.Practitioner)
	}
	u.render(w, r, http.StatusOK, "home", "Today", homeData{Day: u.config.Now(), Mine: user.Practitioner != "", Visits: u.visitsBetween(from, to, params), Apps: u.config.Apps})
}

type patientsData struct {
	Query    string
	Patients []patientView
}

func (u *UI) patients(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query().Get("q")
	u.render(w, r, http.StatusOK, "patients", "Patients", patientsData{Query: q, Patients: u.findPatients(q)})
}

type chartData struct {
	Patient                          patientView
	Today, Other                     []visit
	Apps                             []App
	Problems, Medications, Allergies []line
	Encounters                       []line
	Documents                        []documentView
}

func (u *UI) patient(w http.ResponseWriter, r *http.Request) {
	u.config.OpenDay()
	v, ok := u.config.Store.Get("Patient", r.PathValue("id"))
	if !ok {
		u.fail(w, r, http.StatusNotFound, "There is no such patient.")
		return
	}
	of := func() url.Values { return url.Values{"patient": {v.ID}} }
	data := chartData{Patient: u.patientOf(v), Apps: u.config.Apps}
	from, to := u.today()
	for _, found := range u.visitsBetween(time.Time{}, to.AddDate(10, 0, 0), of()) {
		if found.Start.Before(to) && !found.Start.Before(from) {
			data.Today = append(data.Today, found)
		} else {
			data.Other = append(data.Other, found)
		}
	}
	data.Problems = u.lines("Condition", of(), func(c map[string]any) line {
		return line{label(c, "code"), "since " + first(c, "onsetDateTime"), label(c, "clinicalStatus")}
	})
	data.Medications = u.lines("MedicationRequest", of(), func(m map[string]any) line {
		return line{label(m, "medicationCodeableConcept"), first(m, "dosageInstruction", "text"), first(m, "status")}
	})
	data.Allergies = u.lines("AllergyIntolerance", of(), func(a map[string]any) line {
		return line{label(a, "code"), label(a, "reaction", "manifestation"), first(a, "criticality") + " criticality"}
	})
	data.Encounters = u.lines("Encounter", of(), u.encounterLine)
	for _, document := range u.query("DocumentReference", of()) {
		data.Documents = append(data.Documents, documentOf(document))
	}
	u.render(w, r, http.StatusOK, "chart", data.Patient.Name, data)
}

func (u *UI) encounterLine(e map[string]any) line {
	title := label(e, "type")
	if title == "" {
		title = "Encounter, class " + first(e, "class", "code")
	}
	detail := u.moment(first(e, "period", "start"))
	if end := first(e, "period", "end"); end != "" {
		detail += " to " + u.moment(end)
	}
	return line{title, detail, first(e, "status")}
}

// moment shows an instant in the hospital's time; what is not an instant stays as it is.
func (u *UI) moment(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.In(u.config.Zone).Format("2 Jan 2006, 15:04")
}

type documentData struct {
	Document documentView
	Patient  patientView
	Source   string
}

func (u *UI) document(w http.ResponseWriter, r *http.Request) {
	v, ok := u.config.Store.Get("DocumentReference", r.PathValue("id"))
	if !ok {
		u.fail(w, r, http.StatusNotFound, "There is no such document.")
		return
	}
	data := documentData{Document: documentOf(v), Source: pretty(v.Raw)}
	if patient, ok := u.config.Store.Get("Patient", strings.TrimPrefix(first(v.Parsed(), "subject", "reference"), "Patient/")); ok {
		data.Patient = u.patientOf(patient)
	}
	u.render(w, r, http.StatusOK, "document", data.Document.Title, data)
}

// documentContent gives the bytes of an attachment. HTML comes from outside, so it is shut
// into a sandbox without scripts, forms, network or an origin.
func (u *UI) documentContent(w http.ResponseWriter, r *http.Request) {
	v, ok := u.config.Store.Get("DocumentReference", r.PathValue("id"))
	n, err := strconv.Atoi(r.PathValue("n"))
	if !ok || err != nil {
		u.fail(w, r, http.StatusNotFound, "There is no such document.")
		return
	}
	contents := walk(v.Parsed(), "content")
	if n < 0 || n >= len(contents) {
		u.fail(w, r, http.StatusNotFound, "There is no such attachment.")
		return
	}
	contentType := first(contents[n], "attachment", "contentType")
	switch base, _, _ := strings.Cut(contentType, ";"); base {
	case "application/pdf":
		// The browser's PDF viewer does not run inside a CSP sandbox.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'")
	case "text/html", "application/xhtml+xml", "text/plain":
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'")
	default:
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
		w.Header().Set("Content-Disposition", "attachment")
		contentType = "application/octet-stream"
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(decode(first(contents[n], "attachment", "data")))
}

// decode reads base64 that the server has checked on arrival.
func decode(data string) []byte {
	out, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil
	}
	return out
}

type faultsData struct {
	Faults []faults.Fault
	Kinds  []kindView
	Types  []string
	Error  string
}

type kindView struct {
	Kind faults.Kind
	Text string
}

func kinds() []kindView {
	return []kindView{
		{faults.ServerError, "answer 503"}, {faults.Slow, "answer late"}, {faults.CommitThenTimeout, "commit, then time out"},
		{faults.Conflict, "refuse a write with 409"}, {faults.Precondition, "refuse a write with 412"}, {faults.Locked, "refuse a write with 423 (chart locked)"},
		{faults.RevokedToken, "revoke the access token (401)"}, {faults.PlainTextOnly, "take plain text documents only"}, {faults.NoEncounterWrite, "encounters are read only"},
	}
}

func (u *UI) showFaults(w http.ResponseWriter, r *http.Request, status int, text string) {
	u.render(w, r, status, "faults", "Faults", faultsData{Faults: u.config.Faults.List(), Kinds: kinds(),
		Types: append([]string{"*"}, fhirserver.Types()...), Error: text})
}

func (u *UI) faultsPage(w http.ResponseWriter, r *http.Request) {
	u.showFaults(w, r, http.StatusOK, "")
}

func (u *UI) addFault(w http.ResponseWriter, r *http.Request) {
	times, timesErr := strconv.Atoi(r.PostFormValue("times"))
	delay, delayErr := strconv.Atoi(r.PostFormValue("delay_ms"))
	if timesErr != nil || delayErr != nil {
		u.showFaults(w, r, http.StatusBadRequest, "Times and delay are whole numbers.")
		return
	}
	fault := faults.Fault{Kind: faults.Kind(r.PostFormValue("kind")), Match: r.PostFormValue("match"), Times: times, DelayMS: delay}
	if _, err := u.config.Faults.Add(fault); err != nil {
		u.showFaults(w, r, http.StatusBadRequest, "Not armed: "+err.Error()+".")
		return
	}
	http.Redirect(w, r, "/faults", http.StatusSeeOther)
}

func (u *UI) clearFaults(w http.ResponseWriter, r *http.Request) {
	u.config.Faults.Clear(r.PostFormValue("id"))
	http.Redirect(w, r, "/faults", http.StatusSeeOther)
}
