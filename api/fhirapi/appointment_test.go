package fhirapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// slot is a time n half hours after ten tomorrow.
func slot(n int) (start, end string) {
	at := time.Now().UTC().Truncate(24 * time.Hour).Add(34 * time.Hour).Add(time.Duration(n) * 30 * time.Minute)
	return at.In(time.FixedZone("", -4*3600)).Format(time.RFC3339), at.Add(20 * time.Minute).In(time.FixedZone("", -4*3600)).Format(time.RFC3339)
}

func appointment(n int) string {
	start, end := slot(n)
	return fmt.Sprintf(`{"resourceType":"Appointment","contained":[{"resourceType":"Location","id":"l1","name":"Canary home"}],
		"extension":[{"url":"https://client.example/x","valueDecimal":1.50}],"identifier":[{"system":"https://client.example/ids","value":"A-1"}],
		"status":"proposed","_start":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/timezone","valueCode":"America/New_York"}]},"start":%q,"end":%q,
		"reasonCode":[{"text":"Canary cough"}],"comment":"as sent",
		"participant":[{"actor":{"reference":"%s/Patient/1"},"status":"needs-action"},{"actor":{"reference":"Practitioner/9"},"status":"accepted"}]}`, start, end, ehrBase)
}

func (h *house) book(n int) (id string, r *response) {
	h.t.Helper()
	r = h.do(request{method: http.MethodPost, path: "/fhir/Appointment", body: appointment(n), token: everything})
	if r.status != http.StatusCreated {
		h.t.Fatalf("book: %d %s", r.status, r.raw)
	}
	return r.json("Appointment")["id"].(string), r
}

func TestBookedAppointmentComesBackWithAllThatWasSent(t *testing.T) {
	h := newHouse(t)
	id, created := h.book(0)
	if got, want := created.header.Get("Location"), origin+"/fhir/Appointment/"+id+"/_history/1"; got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	if created.header.Get("ETag") != `W/"1"` || created.header.Get("Last-Modified") == "" {
		t.Errorf("ETag %q, Last-Modified %q", created.header.Get("ETag"), created.header.Get("Last-Modified"))
	}
	read := h.do(request{method: http.MethodGet, path: "/fhir/Appointment/" + id, token: "scopes:user/Appointment.read"})
	got := read.json("Appointment")
	start, _ := slot(0)
	if got["status"] != "booked" || got["start"] != start || got["comment"] != "as sent" || got["contained"] == nil || got["extension"] == nil || got["_start"] == nil {
		t.Errorf("served: %s", read.raw)
	}
	if !strings.Contains(string(read.raw), `"valueDecimal":1.50`) || !strings.Contains(string(read.raw), `"A-1"`) || !strings.Contains(string(read.raw), "urn:uuid:"+id) {
		t.Errorf("a decimal or an identifier was lost: %s", read.raw)
	}
	if again := h.do(request{method: http.MethodGet, path: "/fhir/Appointment/" + id, token: everything, header: map[string]string{"If-None-Match": `W/"1"`}}); again.status != http.StatusNotModified {
		t.Errorf("If-None-Match: %d", again.status)
	}
	if at := h.do(request{method: http.MethodGet, path: strings.TrimPrefix(created.header.Get("Location"), origin), token: everything}); at.status != http.StatusOK {
		t.Errorf("there is nothing at Location: %d", at.status)
	}
	h.do(request{method: http.MethodGet, path: "/fhir/Appointment/" + id + "/_history/7", token: everything}).refused(http.StatusNotFound)
	if strings.Contains(h.log.String(), "anary") || strings.Contains(h.log.String(), id) {
		t.Errorf("the log tells of the patient or the visit: %s", h.log)
	}
}

func TestPreferReturn(t *testing.T) {
	h := newHouse(t)
	for n, tc := range []struct{ prefer, body string }{{"return=minimal", ""}, {"return=OperationOutcome", "OperationOutcome"}, {"respond-async; return=representation", "Appointment"}} {
		r := h.do(request{method: http.MethodPost, path: "/fhir/Appointment", body: appointment(n), token: everything, header: map[string]string{"Prefer": tc.prefer}})
		if r.status != http.StatusCreated || (tc.body == "") != (len(r.raw) == 0) || !strings.Contains(string(r.raw), tc.body) {
			t.Errorf("%s: %d %s", tc.prefer, r.status, r.raw)
		}
	}
}

func TestTwoCannotHaveOneTime(t *testing.T) {
	h := newHouse(t)
	h.book(0)
	r := h.do(request{method: http.MethodPost, path: "/fhir/Appointment", body: appointment(0), token: everything})
	r.refused(http.StatusConflict)
	if !strings.Contains(string(r.raw), "free: ") {
		t.Errorf("no other time is offered: %s", r.raw)
	}
}

func TestWhatIsWrongWithABooking(t *testing.T) {
	h := newHouse(t)
	good := appointment(0)
	for _, tc := range []struct {
		name   string
		body   string
		status int
	}{
		{"empty", "", 400}, {"not JSON", "{", 400}, {"XML", "<Appointment/>", 400}, {"array", "[]", 400}, {"two values", good + good, 400},
		{"property twice", strings.Replace(good, `"comment"`, `"status":"booked","comment"`, 1), 400}, {"null", strings.Replace(good, `"as sent"`, `null`, 1), 400},
		{"another type", strings.Replace(good, "Appointment", "Patient", 1), 400}, {"invalid UTF-8", strings.Replace(good, "as sent", "\xff", 1), 400}, {"too deep", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), 400},
		{"unknown status", strings.Replace(good, `"proposed"`, `"Canary"`, 1), 422}, {"fulfilled", strings.Replace(good, `"proposed"`, `"fulfilled"`, 1), 422},
		{"wrong JSON type", strings.Replace(good, `"proposed"`, `{"Canary":1}`, 1), 422}, {"wrong type deep inside", strings.Replace(good, `"reference":"Practitioner/9"`, `"reference":["Canary"]`, 1), 422},
		{"no times", strings.NewReplacer(`"start":`, `"x-start":`, `"end":`, `"x-end":`).Replace(good), 422},
		{"app-2", strings.Replace(good, `"end":`, `"x-end":`, 1), 422}, {"no patient", strings.Replace(good, ehrBase+"/Patient/1", "Location/1", 1), 422},
		{"unknown patient", strings.Replace(good, "Patient/1", "Patient/Canary", 1), 422}, {"another EHR's patient", strings.Replace(good, ehrBase, "https://elsewhere.example/Canary", 1), 422},
		{"unknown clinician", strings.Replace(good, "Practitioner/9", "Practitioner/"+uuid.NewString(), 1), 422},
		{"too large", strings.Replace(good, "as sent", strings.Repeat("x", 2<<20), 1), 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := h.do(request{method: http.MethodPost, path: "/fhir/Appointment", body: tc.body, token: everything})
			r.t = t
			r.refused(tc.status)
		})
	}
	if total := h.do(request{method: http.MethodGet, path: "/fhir/Appointment", token: everything}).json("Bundle")["total"]; total != 0.0 {
		t.Errorf("%v appointments exist after refusals", total)
	}
}

func TestMoveAndCancel(t *testing.T) {
	h := newHouse(t)
	id, created := h.book(0)
	put := func(body, version string) *response {
		return h.do(request{method: http.MethodPut, path: "/fhir/Appointment/" + id, body: body, token: everything, header: map[string]string{"If-Match": version}})
	}
	body := string(created.raw)
	put(body, "").refused(http.StatusBadRequest)
	put(body, `W/"9"`).refused(http.StatusPreconditionFailed)
	put(body, `"x"`).refused(http.StatusPreconditionFailed)
	put(strings.Replace(body, id, uuid.NewString(), 1), `W/"1"`).refused(http.StatusBadRequest)
	put(strings.Replace(body, "Patient/1", "Patient/2", 1), `W/"1"`).refused(http.StatusUnprocessableEntity)
	put(strings.Replace(body, `"booked"`, `"arrived"`, 1), `W/"1"`).refused(http.StatusUnprocessableEntity)

	oldStart, oldEnd := slot(0)
	start, end := slot(4)
	moved := put(strings.NewReplacer(oldStart, start, oldEnd, end, "as sent", "changed").Replace(body), `W/"1"`)
	got := moved.json("Appointment")
	if moved.status != 200 || got["start"] != start || got["comment"] != "changed" || got["contained"] == nil {
		t.Fatalf("moved: %d %s", moved.status, moved.raw)
	}
	put(body, `W/"1"`).refused(http.StatusPreconditionFailed)

	patch := func(body, version string) *response {
		return h.do(request{method: http.MethodPatch, path: "/fhir/Appointment/" + id, body: body, token: everything, header: map[string]string{"If-Match": version}})
	}
	version := moved.header.Get("ETag")
	patch(`{}`, version).refused(http.StatusBadRequest)
	patch(`[{"op":"replace","path":"/nowhere/0","value":1}]`, version).refused(http.StatusUnprocessableEntity)
	patch(`[{"op":"replace","path":"/status","value":"Canary"}]`, version).refused(http.StatusUnprocessableEntity)
	cancelled := patch(`[{"op":"replace","path":"/status","value":"cancelled"},{"op":"add","path":"/cancelationReason","value":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason","code":"pat"}],"text":"own words"}}]`, version)
	got = cancelled.json("Appointment")
	if cancelled.status != 200 || got["status"] != "cancelled" || !strings.Contains(string(cancelled.raw), "own words") {
		t.Fatalf("cancelled: %d %s", cancelled.status, cancelled.raw)
	}
	patch(`[{"op":"replace","path":"/status","value":"booked"},{"op":"remove","path":"/cancelationReason"}]`, cancelled.header.Get("ETag")).refused(http.StatusUnprocessableEntity)
	if _, r := h.book(4); r.status != http.StatusCreated {
		t.Error("the time of a cancelled visit is not free again")
	}
}

func TestSearch(t *testing.T) {
	h := newHouse(t)
	var ids []string
	for n := range 5 {
		id, _ := h.book(n)
		ids = append(ids, id)
	}
	start, _ := slot(2)
	day := start[:10]
	count := func(query string) int {
		t.Helper()
		r := h.do(request{method: http.MethodGet, path: "/fhir/Appointment?" + query, token: everything})
		entries, _ := r.json("Bundle")["entry"].([]any)
		return len(entries)
	}
	utc, err := time.Parse(time.RFC3339, start)
	if err != nil {
		t.Fatal(err)
	}
	at := utc.UTC().Format("2006-01-02T15:04:05Z")
	for query, want := range map[string]int{
		"": 5, "_id=" + ids[0]: 1, "_id=" + ids[0] + "," + ids[1]: 2, "_id=" + ids[0] + "&_id=" + ids[1]: 0, "_id=x": 0, "status=booked": 5, "status=cancelled": 0, "status=booked,cancelled": 5,
		"patient=Patient/" + h.patient.String(): 5, "patient=" + h.patient.String(): 5, "patient=" + ehrBase + "/Patient/1": 5, "patient=Patient/" + h.otherPatient.String(): 0, "patient=Patient/77": 0,
		"practitioner=Practitioner/9": 5, "practitioner=" + h.clinician.String(): 5, "actor=Practitioner/9": 5, "actor=" + ehrBase + "/Patient/2": 0,
		"date=" + day: 5, "date=gt" + at: 2, "date=ge" + at: 3, "date=lt" + at: 2, "date=le" + at: 3, "date=" + at: 1, "date=ne" + at: 4, "date=ge" + at + "&date=le" + at: 1, "date=1999": 0, "date=sa1999": 5,
		"identifier=urn:ietf:rfc:3986|urn:uuid:" + ids[3]: 1, "identifier=urn:uuid:" + ids[3]: 1, "_count=2": 2, "_count=0": 0,
	} {
		if got := count(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	for _, query := range []string{"nonsense=1", "status:not=booked", "date=Canary", "date=xx2026", "_count=x", "identifier=https://client.example/ids|Canary", "_cursor=Canary"} {
		h.do(request{method: http.MethodGet, path: "/fhir/Appointment?" + query, token: everything}).refused(http.StatusBadRequest)
	}
	if r := h.do(request{method: http.MethodGet, path: "/fhir/Appointment?nonsense=1", token: everything, header: map[string]string{"Prefer": "handling=lenient"}}); r.status != 200 || strings.Contains(string(r.raw), "nonsense") {
		t.Errorf("lenient: %d, the self link shows what was ignored", r.status)
	}
	r := h.do(request{method: http.MethodPost, path: "/fhir/Appointment/_search", body: "patient=Patient/" + h.patient.String() + "&_count=1", token: everything, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
	if r.json("Bundle")["total"] != 5.0 {
		t.Errorf("POST _search: %s", r.raw)
	}
	h.pages(ids)
}

// pages follows the next links and meets each visit once.
func (h *house) pages(ids []string) {
	h.t.Helper()
	seen := map[string]int{}
	for url := origin + "/fhir/Appointment?_count=2"; url != ""; {
		page := h.do(request{method: http.MethodGet, path: strings.TrimPrefix(url, origin), token: everything}).json("Bundle")
		url = ""
		for _, link := range page["link"].([]any) {
			if l := link.(map[string]any); l["relation"] == "next" {
				url = l["url"].(string)
			}
		}
		for _, e := range page["entry"].([]any) {
			seen[e.(map[string]any)["resource"].(map[string]any)["id"].(string)]++
		}
	}
	for _, id := range ids {
		if seen[id] != 1 {
			h.t.Errorf("visit %s came %d times over all pages", id, seen[id])
		}
	}
}

func TestReferencesOfAnAppointmentResolve(t *testing.T) {
	h := newHouse(t)
	patient := h.do(request{method: http.MethodGet, path: "/fhir/Patient/" + h.patient.String(), token: everything}).json("Patient")
	if patient["birthDate"] != "1988-02-29" || !strings.Contains(fmt.Sprint(patient["name"]), fullName) {
		t.Errorf("patient: %v", patient)
	}
	practitioner := h.do(request{method: http.MethodGet, path: "/fhir/Practitioner/" + h.clinician.String(), token: everything}).json("Practitioner")
	if !strings.Contains(fmt.Sprint(practitioner["name"]), "Rosa Vega") {
		t.Errorf("practitioner: %v", practitioner)
	}
	for _, path := range []string{"/fhir/Patient/" + uuid.NewString(), "/fhir/Practitioner/" + uuid.NewString(), "/fhir/Appointment/1", "/fhir/Appointment/" + uuid.NewString(), "/fhir/AuditEvent/0", "/fhir/AuditEvent/999999", "/fhir/Observation/1", "/fhir/"} {
		h.do(request{method: http.MethodGet, path: path, token: everything}).refused(http.StatusNotFound)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	h := newHouse(t)
	id, _ := h.book(0)
	for _, tc := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/fhir/Appointment/" + id, "", 401}, {"GET", "/fhir/Appointment/" + id, "nonsense", 401}, {"GET", "/fhir/Appointment/" + id, "issuer-down", 503}, {"GET", "/fhir/AuditEvent", "", 401},
		{"GET", "/fhir/Appointment/" + id, "scopes:", 403}, {"GET", "/fhir/Appointment/" + id, "scopes:system/Patient.rs", 403}, {"GET", "/fhir/Appointment/" + id, "scopes:system/Appointment.s", 403},
		{"GET", "/fhir/Appointment/" + id, "scopes:patient/Appointment.rs", 403}, {"GET", "/fhir/Appointment/" + id, "scopes:system/Appointment.rs?status=booked", 403}, {"GET", "/fhir/Appointment/" + id, "scopes:system/Appointment.sr", 403},
		{"GET", "/fhir/Appointment", "scopes:system/Appointment.r", 403}, {"POST", "/fhir/Appointment", "scopes:system/Appointment.read", 403}, {"PUT", "/fhir/Appointment/" + id, "scopes:system/Appointment.cr", 403}, {"GET", "/fhir/AuditEvent", "scopes:system/Appointment.*", 403},
		{"GET", "/fhir/Appointment/" + id, "foreign:system/*.cruds", 404}, {"GET", "/fhir/Patient/" + h.patient.String(), "foreign:system/*.cruds", 404}, {"GET", "/fhir/Practitioner/" + h.clinician.String(), "foreign:system/*.cruds", 404},
		{"DELETE", "/fhir/Appointment/" + id, everything, 405},
	} {
		r := h.do(request{method: tc.method, path: tc.path, token: tc.token, body: appointment(1)})
		r.refused(tc.status)
		if (tc.status == 401 || tc.status == 403) && r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s with %q: no challenge", tc.method, tc.path, tc.token)
		}
	}
	foreign := h.do(request{method: "GET", path: "/fhir/Appointment", token: "foreign:system/*.cruds"}).json("Bundle")
	if foreign["total"] != 0.0 {
		t.Errorf("another organisation sees %v visits", foreign["total"])
	}
	for _, scope := range []string{"system/Appointment.rs", "user/Appointment.read", "system/*.*", "system/Appointment.cruds", "openid user/*.r"} {
		if r := h.do(request{method: "GET", path: "/fhir/Appointment/" + id, token: "scopes:" + scope}); r.status != 200 {
			t.Errorf("%s: %d %s", scope, r.status, r.raw)
		}
	}
}

func TestNegotiation(t *testing.T) {
	h := newHouse(t)
	for _, tc := range []struct {
		method, path, header, value string
		status                      int
	}{
		{"GET", "/fhir/metadata", "Accept", "application/fhir+xml", 406}, {"GET", "/fhir/metadata", "Accept", "application/fhir+json; fhirVersion=5.0", 406}, {"GET", "/fhir/metadata?_format=xml", "Accept", "*/*", 406},
		{"POST", "/fhir/Appointment", "Content-Type", "application/fhir+xml", 415}, {"POST", "/fhir/Appointment", "Content-Type", "", 415}, {"POST", "/fhir/Appointment", "Content-Type", "application/fhir+json; charset=latin1", 415},
		{"PATCH", "/fhir/Appointment/1", "Content-Type", "application/fhir+json", 415}, {"POST", "/fhir/Appointment", "If-None-Exist", "identifier=x", 412},
	} {
		h.do(request{method: tc.method, path: tc.path, token: everything, body: appointment(0), header: map[string]string{tc.header: tc.value}}).refused(tc.status)
	}
	for _, accept := range []string{"", "application/fhir+json; fhirVersion=4.0", "text/html, application/json;q=0.9", "*/*"} {
		if r := h.do(request{method: "GET", path: "/fhir/metadata", header: map[string]string{"Accept": accept}}); r.status != 200 {
			t.Errorf("Accept %q: %d", accept, r.status)
		}
	}
}

// TestMetadataPromisesWhatThereIs calls each declared interaction: none may be missing.
func TestMetadataPromisesWhatThereIs(t *testing.T) {
	h := newHouse(t)
	statement := h.do(request{method: "GET", path: "/fhir/metadata"}).json("CapabilityStatement")
	if statement["fhirVersion"] != "4.0.1" {
		t.Errorf("fhirVersion %v", statement["fhirVersion"])
	}
	methods := map[string]request{"read": {method: "GET", path: "/1"}, "create": {method: "POST"}, "update": {method: "PUT", path: "/1"}, "patch": {method: "PATCH", path: "/1"}, "search-type": {method: "GET"}}
	checked := 0
	for _, r := range statement["rest"].([]any)[0].(map[string]any)["resource"].([]any) {
		resource := r.(map[string]any)
		for _, i := range resource["interaction"].([]any) {
			call, known := methods[i.(map[string]any)["code"].(string)]
			if !known {
				t.Fatalf("interaction %v has no test", i)
			}
			call.path = "/fhir/" + resource["type"].(string) + call.path
			if got := h.do(call); got.status != http.StatusUnauthorized {
				t.Errorf("%s %s: %d, want to be asked for a token", call.method, call.path, got.status)
			}
			checked++
		}
	}
	if checked != 9 {
		t.Errorf("%d interactions are declared", checked)
	}
}

func TestTrail(t *testing.T) {
	h := newHouse(t)
	id, _ := h.book(0)
	h.sessions["officer"] = identity.Principal{Org: h.org, Kind: audit.Staff, Staff: uuid.New(), Roles: []identity.Role{identity.Compliance}}
	h.sessions["scheduler"] = identity.Principal{Org: h.org, Kind: audit.Staff, Staff: uuid.New(), Roles: []identity.Role{identity.Scheduler}}
	h.do(request{method: "GET", path: "/fhir/AuditEvent", cookie: "scheduler"}).refused(http.StatusForbidden)
	h.do(request{method: "GET", path: "/fhir/Appointment/" + id, cookie: "officer"}).refused(http.StatusUnauthorized)
	found := h.do(request{method: "GET", path: "/fhir/AuditEvent?_count=3&patient=Patient/" + h.patient.String(), cookie: "officer"})
	entries := found.json("Bundle")["entry"].([]any)
	var booked map[string]any
	for _, e := range entries {
		if r := e.(map[string]any)["resource"].(map[string]any); strings.Contains(fmt.Sprint(r["subtype"]), "visit.booked") {
			booked = r
		}
	}
	if booked == nil {
		t.Fatalf("the booking is not in the trail: %s", found.raw)
	}
	one := h.do(request{method: "GET", path: "/fhir/AuditEvent/" + booked["id"].(string), token: "scopes:system/AuditEvent.rs"}).json("AuditEvent")
	if one["action"] != "C" || !strings.Contains(fmt.Sprint(one["agent"]), "192.0.2.1") {
		t.Errorf("the booking: %v", one)
	}
	if refusals := h.do(request{method: "GET", path: "/fhir/AuditEvent?outcome=4", cookie: "officer"}).json("Bundle"); len(refusals["entry"].([]any)) == 0 {
		t.Error("the refusal of the scheduler is not in the trail")
	}
	for _, query := range []string{"outcome=1", "patient=x", "date=x", "_cursor=x", "agent=x"} {
		h.do(request{method: "GET", path: "/fhir/AuditEvent?" + query, cookie: "officer"}).refused(http.StatusBadRequest)
	}
}

// FuzzInbound sends arbitrary bodies through the whole door: the answer is always FHIR, never a 5xx.
func FuzzInbound(f *testing.F) {
	f.Add([]byte(appointment(0)))
	f.Add([]byte(`{"resourceType":"Appointment","status":"booked"}`))
	f.Add([]byte(`{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"reference":"Patient/"},"status":"accepted"},{"actor":{"reference":"//Practitioner//"},"status":"accepted"}],"start":"2026-03-09T10:00:00Z","end":"2026-03-09T10:20:00Z"}`))
	f.Add([]byte(`[{"op":"remove","path":""}]`))
	var h *house
	f.Fuzz(func(t *testing.T, body []byte) {
		if h == nil {
			h = newHouse(t)
		}
		h.t = t
		for _, r := range []*response{
			h.do(request{method: "POST", path: "/fhir/Appointment", body: string(body), token: everything}),
		} {
			if r.status >= 500 || (r.status != 201 && !strings.Contains(string(r.raw), "OperationOutcome")) {
				t.Errorf("status %d: %s", r.status, r.raw)
			}
		}
	})
}
