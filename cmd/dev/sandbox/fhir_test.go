package sandbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func note(patient, identifier, text string) string {
	// White space, member order and a number that floats would spoil are deliberate.
	return `{ "resourceType":"DocumentReference","extension":[{"url":"https://example.org/weight","valueDecimal":1.50}],
 "identifier":[{"system":"urn:notes","value":"` + identifier + `"}],"status":"current","docStatus":"final",
 "type":{"coding":[{"system":"http://loinc.org","code":"11506-3"}]},"category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}],
 "subject":{"reference":"Patient/` + patient + `"},"date":"2026-01-02T03:04:05Z",
 "content":[{"attachment":{"contentType":"` + text + `","data":"SGVsbG8gw6k="}}] }`
}

func TestFHIRScopes(t *testing.T) {
	r := newRig(t)
	b := r.browser()
	read := b.launched("k.osei", "launch openid user/Patient.r user/DocumentReference.c?category=clinical-note")["access_token"].(string)
	tests := []struct {
		name   string
		req    fhirRequest
		status int
	}{
		{"no token", fhirRequest{path: "/Patient/pat-0001"}, 401},
		{"bad token", fhirRequest{path: "/Patient/pat-0001", token: "nonsense"}, 401},
		{"read", fhirRequest{path: "/Patient/pat-0001", token: read}, 200},
		{"history", fhirRequest{path: "/Patient/pat-0001/_history", token: read}, 200},
		{"search without s", fhirRequest{path: "/Patient?family=Ruiz", token: read}, 403},
		{"POST search without s", fhirRequest{method: "POST", path: "/Patient/_search", token: read, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 403},
		{"other type", fhirRequest{path: "/Practitioner/prac-osei", token: read}, 403},
		{"create in the narrowed scope", fhirRequest{method: "POST", path: "/DocumentReference", token: read, body: note("pat-0001", "a", "text/plain")}, 201},
		{"create outside the narrowed scope", fhirRequest{method: "POST", path: "/DocumentReference", token: read, body: strings.Replace(note("pat-0001", "b", "text/plain"), "clinical-note", "imaging", 1)}, 403},
		{"read what was created", fhirRequest{path: "/DocumentReference", token: read}, 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := r.fhir(test.req).want(t, test.status)
			if test.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("401 without a challenge")
			}
		})
	}
}

func TestCreateKeepsBytes(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	sent := note("pat-0002", "n-1", "text/plain; charset=utf-8")
	created := r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: sent}).want(t, http.StatusCreated)
	id := created.body["id"].(string)
	if created.header.Get("ETag") != `W/"1"` || created.header.Get("Location") != r.origin+"/fhir/DocumentReference/"+id+"/_history/1" || created.header.Get("Last-Modified") == "" {
		t.Errorf("headers: %v", created.header)
	}
	served := r.fhir(fhirRequest{path: "/DocumentReference/" + id, token: token}).want(t, http.StatusOK)
	if !bytes.HasSuffix(served.raw, []byte(strings.TrimPrefix(sent, "{"))) {
		t.Errorf("the served bytes are not the sent ones:\n%s", served.raw)
	}
	if meta := served.body["meta"].(map[string]any); meta["versionId"] != "1" || meta["lastUpdated"] == nil {
		t.Errorf("meta: %v", meta)
	}
	received := r.sandbox.Received("DocumentReference")
	if len(received) != 1 || string(received[0].BytesBase64) != sent || received[0].ID != id || received[0].Client != clientID {
		t.Fatalf("received: %+v", received)
	}
	minimal := r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0002", "n-2", "text/plain"), header: map[string]string{"Prefer": "return=minimal"}}).want(t, http.StatusCreated)
	if len(minimal.raw) != 0 || minimal.header.Get("Location") == "" {
		t.Errorf("minimal: %s", minimal.raw)
	}
}

func TestConditionalCreate(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	create := func(identifier, criteria string) fhirResponse {
		return r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0003", identifier, "text/plain"), header: map[string]string{"If-None-Exist": criteria}})
	}
	first := create("c-1", "identifier=urn:notes|c-1").want(t, http.StatusCreated)
	second := create("c-1", "identifier=urn:notes|c-1").want(t, http.StatusOK)
	if second.header.Get("Location") != first.header.Get("Location") || second.body["id"] != first.body["id"] {
		t.Errorf("the existing one was not returned: %v", second.header)
	}
	r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0003", "c-1", "text/plain")}).want(t, http.StatusCreated)
	create("c-1", "identifier=urn:notes|c-1").want(t, http.StatusPreconditionFailed)
	create("c-2", "nonsense=1").want(t, http.StatusBadRequest)
	create("c-2", "_count=1").want(t, http.StatusBadRequest)

	var wg sync.WaitGroup
	statuses := make([]int, 12)
	for i := range statuses {
		wg.Go(func() { statuses[i] = create("race", "identifier=urn:notes|race").status })
	}
	wg.Wait()
	made := 0
	for _, status := range statuses {
		switch status {
		case http.StatusCreated:
			made++
		case http.StatusOK:
		default:
			t.Errorf("status %d in the race", status)
		}
	}
	if made != 1 {
		t.Errorf("%d resources were created by one criterion", made)
	}
}

func TestUpdateAndPatch(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	appointment, _ := r.anyAppointment()
	path := "/Appointment/" + appointment
	patch := func(etag, body string) fhirResponse {
		header := map[string]string{"Content-Type": "application/json-patch+json"}
		if etag != "" {
			header["If-Match"] = etag
		}
		return r.fhir(fhirRequest{method: "PATCH", path: path, token: token, body: body, header: header})
	}
	arrive := `[{"op":"test","path":"/status","value":"booked"},{"op":"replace","path":"/status","value":"arrived"}]`
	patch("", arrive).want(t, http.StatusPreconditionRequired)
	patch(`W/"7"`, arrive).want(t, http.StatusPreconditionFailed)
	patch("nonsense", arrive).want(t, http.StatusBadRequest)
	patch(`W/"1"`, `{"status":"arrived"}`).want(t, http.StatusBadRequest)
	patch(`W/"1"`, `[{"op":"replace","path":"/status","value":"gone"}]`).want(t, http.StatusUnprocessableEntity)
	patch(`W/"1"`, `[{"op":"remove","path":"/participant"}]`).want(t, http.StatusUnprocessableEntity)
	patch(`W/"1"`, `[{"op":"replace","path":"/id","value":"other"}]`).want(t, http.StatusUnprocessableEntity)
	patched := patch(`W/"1"`, arrive).want(t, http.StatusOK)
	if patched.header.Get("ETag") != `W/"2"` || patched.body["status"] != "arrived" {
		t.Fatalf("patched: %s", patched.raw)
	}
	patch(`W/"2"`, arrive).want(t, http.StatusUnprocessableEntity)

	put := func(id, etag, body string) fhirResponse {
		return r.fhir(fhirRequest{method: "PUT", path: "/Appointment/" + id, token: token, body: body, header: map[string]string{"If-Match": etag}})
	}
	body := string(bytes.Replace(patched.raw, []byte(`"arrived"`), []byte(`"fulfilled"`), 1))
	put(appointment, `W/"1"`, body).want(t, http.StatusPreconditionFailed)
	put("of-my-own", `W/"1"`, body).want(t, http.StatusMethodNotAllowed)
	put(appointment, `W/"2"`, strings.Replace(body, appointment, "other", 1)).want(t, http.StatusBadRequest)
	put(appointment, `W/"2"`, body).want(t, http.StatusOK)

	history := r.fhir(fhirRequest{path: path + "/_history", token: token}).want(t, http.StatusOK).entries()
	if len(history) != 3 || history[0]["status"] != "fulfilled" || history[1]["status"] != "arrived" || history[2]["status"] != "booked" {
		t.Errorf("history: %v", history)
	}
	if old := r.fhir(fhirRequest{path: path + "/_history/1", token: token}).want(t, http.StatusOK); old.body["status"] != "booked" {
		t.Errorf("vread: %v", old.body["status"])
	}
	r.fhir(fhirRequest{path: path + "/_history/9", token: token}).want(t, http.StatusNotFound)
	r.fhir(fhirRequest{path: path, token: token, header: map[string]string{"If-None-Match": `W/"3"`}}).want(t, http.StatusNotModified)
}

func TestWritesThatAreRefused(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	good := note("pat-0001", "v", "text/plain")
	encounter := `{"resourceType":"Encounter","status":"planned","class":{"code":"VR"},"subject":{"reference":"Patient/pat-0001"}}`
	appointment := `{"resourceType":"Appointment","status":"booked","start":"2026-01-01T10:00:00Z","end":"2026-01-01T10:20:00Z","participant":[{"actor":{"reference":"Patient/pat-0001"},"status":"accepted"}]}`
	change := func(in, old, new string) string {
		out := strings.Replace(in, old, new, 1)
		if out == in {
			t.Fatalf("%q is not in the resource", old)
		}
		return out
	}
	tests := []struct {
		name, typ, body string
		status          int
	}{
		{"good note", "DocumentReference", good, 201},
		{"good encounter", "Encounter", encounter, 201},
		{"good appointment", "Appointment", appointment, 201},
		{"not JSON", "DocumentReference", "{", 400},
		{"an array", "DocumentReference", "[1]", 400},
		{"two objects", "DocumentReference", good + "{}", 400},
		{"member twice", "DocumentReference", change(good, `"status"`, `"status":"current","status"`), 400},
		{"null", "DocumentReference", change(good, `"docStatus":"final"`, `"docStatus":null`), 400},
		{"empty array", "DocumentReference", change(good, `"docStatus":"final"`, `"author":[]`), 400},
		{"not UTF-8", "DocumentReference", change(good, "final", "fin\xff"), 400},
		{"other type", "DocumentReference", encounter, 400},
		{"unknown element", "DocumentReference", change(good, `"docStatus"`, `"docstatus"`), 422},
		{"one where a list belongs", "DocumentReference", change(good, `"category":[{"coding":[{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category","code":"clinical-note"}]}]`, `"category":{"text":"x"}`), 422},
		{"a list where one belongs", "DocumentReference", change(good, `"status":"current"`, `"status":["current"]`), 422},
		{"meta is a word", "DocumentReference", change(good, `"status"`, `"meta":"x","status"`), 422},
		{"unknown code", "DocumentReference", change(good, `"current"`, `"Current"`), 422},
		{"no type", "DocumentReference", change(good, `"type":{"coding":[{"system":"http://loinc.org","code":"11506-3"}]},`, ""), 422},
		{"no content type", "DocumentReference", change(good, `"contentType":"text/plain",`, ""), 422},
		{"no data and no url", "DocumentReference", change(good, `,"data":"SGVsbG8gw6k="`, ""), 422},
		{"bad base64", "DocumentReference", change(good, "SGVsbG8gw6k=", "%%%"), 422},
		{"date without offset", "DocumentReference", change(good, "05Z", "05"), 422},
		{"dangling reference", "DocumentReference", change(good, "Patient/pat-0001", "Patient/nobody"), 422},
		{"foreign reference", "DocumentReference", change(good, "Patient/pat-0001", "https://elsewhere.example/fhir/Patient/1"), 422},
		{"dangling contained", "DocumentReference", change(good, `"docStatus"`, `"author":[{"reference":"#a"}],"docStatus"`), 422},
		{"modifier extension", "DocumentReference", change(good, `"docStatus"`, `"modifierExtension":[{"url":"urn:x","valueBoolean":true}],"docStatus"`), 422},
		{"encounter without class", "Encounter", change(encounter, `"class":{"code":"VR"},`, ""), 422},
		{"finished without end", "Encounter", change(encounter, "planned", "finished"), 422},
		{"app-1", "Appointment", change(appointment, `"actor":{"reference":"Patient/pat-0001"},`, ""), 422},
		{"app-2", "Appointment", change(appointment, `"end":"2026-01-01T10:20:00Z",`, ""), 422},
		{"app-3", "Appointment", change(appointment, `"start":"2026-01-01T10:00:00Z","end":"2026-01-01T10:20:00Z",`, ""), 422},
		{"app-4", "Appointment", change(appointment, `"start"`, `"cancelationReason":{"text":"x"},"start"`), 422},
		{"end before start", "Appointment", change(appointment, "10:20", "09:20"), 422},
		{"read-only type", "Patient", `{"resourceType":"Patient","active":true}`, 405},
		{"unknown type", "Observation", `{"resourceType":"Observation"}`, 404},
		{"too large", "DocumentReference", change(good, "SGVsbG8gw6k=", strings.Repeat("AAAA", 5<<20)), 413},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.fhir(fhirRequest{method: "POST", path: "/" + test.typ, token: token, body: test.body}).want(t, test.status)
		})
	}
	t.Run("content type", func(t *testing.T) {
		r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: good, header: map[string]string{"Content-Type": "application/fhir+xml"}}).want(t, http.StatusUnsupportedMediaType)
	})
	t.Run("accept", func(t *testing.T) {
		r.fhir(fhirRequest{path: "/Patient/pat-0001", token: token, header: map[string]string{"Accept": "application/fhir+xml"}}).want(t, http.StatusNotAcceptable)
		r.fhir(fhirRequest{path: "/Patient/pat-0001?_format=xml", token: token}).want(t, http.StatusNotAcceptable)
		r.fhir(fhirRequest{path: "/Patient/pat-0001", token: token, header: map[string]string{"Accept": "application/fhir+json; fhirVersion=4.0, */*;q=0.1"}}).want(t, http.StatusOK)
	})
	t.Run("delete", func(t *testing.T) {
		r.fhir(fhirRequest{method: "DELETE", path: "/Appointment/x", token: token}).want(t, http.StatusMethodNotAllowed)
	})
}

func TestSearch(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.rs")
	appointment, patient := r.anyAppointment()
	day := appointment[5:9] + "-" + appointment[9:11] + "-" + appointment[11:13]
	patientID := r.fhir(fhirRequest{path: "/Patient/" + patient, token: token}).body["identifier"].([]any)[0].(map[string]any)["value"].(string)
	tests := []struct {
		query string
		want  int // -1: at least one
	}{
		{"Patient?_id=pat-0001,pat-0002", 2},
		{"Patient?identifier=https://sandbox-hospital.example/mrn|" + patientID, 1},
		{"Patient?identifier=" + patientID, 1},
		{"Patient?identifier=https://elsewhere.example|" + patientID, 0},
		{"Patient?family=ruiz&birthdate=1992-03-12", 1},
		{"Patient?family=pena", 1},
		{"Patient?family:exact=pena", 0},
		{"Patient?name:contains=ustr", 0},
		{"Patient?birthdate=lt1936-01-01", 2},
		{"Patient?birthdate=ge2019&birthdate=lt2020", 1},
		{"Patient?gender:not=male&birthdate=lt1945-01-01", 2},
		{"Patient?birthdate:missing=true", 0},
		{"Appointment?patient=" + patient, 1},
		{"Appointment?patient=Patient/" + patient, 1},
		{"Appointment?actor=Patient/" + patient + "&status=booked,arrived", 1},
		{"Appointment?patient.identifier=https://sandbox-hospital.example/mrn|" + patientID, 1},
		{"Appointment?practitioner=Practitioner/prac-osei&status=booked", 5},
		{"Appointment?practitioner=prac-osei&date=ge" + day, -1},
		{"Appointment?practitioner=prac-osei&date=lt2000-01-01", 0},
		{"Appointment?actor:Practitioner=prac-osei", 5},
		{"Slot?schedule=Schedule/schedule-osei&status=free", 45},
		{"Condition?patient=pat-0002&clinical-status=active", 3},
		{"PractitionerRole?practitioner=prac-haddad", 1},
		{"Schedule?actor=Practitioner/prac-osei", 1},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			path, query, _ := strings.Cut(test.query, "?")
			got := r.fhir(fhirRequest{path: "/" + path + "?" + query, token: token, header: map[string]string{"Prefer": "handling=strict"}}).want(t, http.StatusOK)
			posted := r.fhir(fhirRequest{method: "POST", path: "/" + path + "/_search", token: token, body: query, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).want(t, http.StatusOK)
			if got.body["total"] != posted.body["total"] {
				t.Errorf("GET finds %v, POST %v", got.body["total"], posted.body["total"])
			}
			if total := int(got.body["total"].(float64)); total != test.want && (test.want != -1 || total == 0) {
				t.Errorf("total = %d; want %d", total, test.want)
			}
		})
	}
	t.Run("unknown parameter", func(t *testing.T) {
		r.fhir(fhirRequest{path: "/Patient?nonsense=1", token: token, header: map[string]string{"Prefer": "handling=strict"}}).want(t, http.StatusBadRequest)
		lenient := r.fhir(fhirRequest{path: "/Patient?nonsense=1&family=Ruiz", token: token}).want(t, http.StatusOK)
		if self := lenient.link("self"); !strings.HasSuffix(self, "/fhir/Patient?family=Ruiz") {
			t.Errorf("self = %s", self)
		}
		for _, bad := range []string{"/Patient?birthdate=yesterday", "/Patient?_count=x", "/Patient?family:near=x", "/Patient?family="} {
			r.fhir(fhirRequest{path: bad, token: token}).want(t, http.StatusBadRequest)
		}
	})
	t.Run("sort", func(t *testing.T) {
		entries := r.fhir(fhirRequest{path: "/Patient?_sort=-birthdate&_count=3", token: token}).want(t, http.StatusOK).entries()
		if len(entries) != 3 || entries[0]["birthDate"] != "2022-04-26" || entries[1]["birthDate"] != "2019-02-14" {
			t.Errorf("sorted: %v", entries)
		}
	})
	t.Run("include", func(t *testing.T) {
		got := r.fhir(fhirRequest{path: "/Appointment?_id=" + appointment + "&_include=Appointment:patient&_include=Appointment:practitioner", token: token}).want(t, http.StatusOK)
		var types []string
		for _, entry := range got.entries() {
			types = append(types, entry["resourceType"].(string))
		}
		if fmt.Sprint(types) != "[Appointment Patient Practitioner]" || got.body["total"] != 1.0 {
			t.Errorf("types = %v, total = %v", types, got.body["total"])
		}
	})
	t.Run("revinclude", func(t *testing.T) {
		all := r.system("system/*.cruds")
		id := r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: all, body: note("pat-0001", "signed", "text/plain")}).want(t, http.StatusCreated).body["id"].(string)
		provenance := `{"resourceType":"Provenance","target":[{"reference":"DocumentReference/` + id + `"}],"recorded":"2026-01-02T03:04:05Z","agent":[{"who":{"reference":"Practitioner/prac-osei"}}]}`
		r.fhir(fhirRequest{method: "POST", path: "/Provenance", token: all, body: provenance}).want(t, http.StatusCreated)
		got := r.fhir(fhirRequest{path: "/DocumentReference?patient=pat-0001&category=clinical-note&_lastUpdated=gt2020&_revinclude=Provenance:target", token: token}).want(t, http.StatusOK).entries()
		if len(got) != 2 || got[1]["resourceType"] != "Provenance" {
			t.Errorf("entries: %v", got)
		}
	})
	t.Run("count only", func(t *testing.T) {
		got := r.fhir(fhirRequest{path: "/Patient?_summary=count", token: token}).want(t, http.StatusOK)
		if got.body["total"] != 40.0 || got.body["entry"] != nil {
			t.Errorf("%s", got.raw)
		}
	})
}

func TestPagingIsStable(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	for i := range 7 {
		r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0005", fmt.Sprint("p-", i), "text/plain")}).want(t, http.StatusCreated)
	}
	seen := map[any]bool{}
	next, pages := "/DocumentReference?patient=pat-0005&_count=3", 0
	for next != "" {
		got := r.fhir(fhirRequest{path: next, token: token}).want(t, http.StatusOK)
		for _, entry := range got.entries() {
			if seen[entry["id"]] {
				t.Error("a resource came twice")
			}
			seen[entry["id"]] = true
		}
		pages++
		if pages == 1 {
			r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0005", "between", "text/plain")}).want(t, http.StatusCreated)
		}
		next = strings.TrimPrefix(got.link("next"), r.origin+"/fhir")
		if next != "" && pages == 1 {
			other := r.browser().launched("k.osei", "launch openid user/*.rs")["access_token"].(string)
			r.fhir(fhirRequest{path: next, token: other}).want(t, http.StatusGone)
		}
	}
	if len(seen) != 7 || pages != 3 {
		t.Errorf("%d resources on %d pages; want 7 on 3", len(seen), pages)
	}
	if u, _ := url.Parse(next); u.RawQuery != "" {
		t.Error("a next link after the last page")
	}
}

func TestRestartKeepsState(t *testing.T) {
	dir := t.TempDir()
	var sent, id, password string
	t.Run("before", func(t *testing.T) {
		r := newRigIn(t, dir)
		sent = note("pat-0006", "kept", "text/plain")
		id = r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: r.system("system/*.cruds"), body: sent}).want(t, http.StatusCreated).body["id"].(string)
		password = r.password("k.osei")
	})
	// A crash in the middle of a write leaves a torn last line.
	journal, err := os.OpenFile(filepath.Join(dir, "fhir.journal"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.WriteString(`{"type":"DocumentReference","id":"torn","sent":"` + strings.Repeat("A", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		t.Run("after", func(t *testing.T) {
			r := newRigIn(t, dir)
			token := r.system("system/*.cruds")
			served := r.fhir(fhirRequest{path: "/DocumentReference/" + id, token: token}).want(t, http.StatusOK)
			received := r.sandbox.Received("DocumentReference")
			if !bytes.HasSuffix(served.raw, []byte(sent[1:])) || string(received[0].BytesBase64) != sent {
				t.Errorf("the bytes changed: %s", served.raw)
			}
			if r.password("k.osei") != password {
				t.Error("the passwords changed over a restart")
			}
			if total := r.fhir(fhirRequest{path: "/Patient?_summary=count", token: token}).body["total"]; total != 40.0 {
				t.Errorf("%v patients after a restart", total)
			}
			r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0006", "more", "text/plain")}).want(t, http.StatusCreated)
		})
	}
	info, err := os.Stat(filepath.Join(dir, "passwords.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("passwords.json: %v %v", info.Mode(), err)
	}
	users, err := os.ReadFile(filepath.Join(dir, "users.json"))
	if err != nil || bytes.Contains(users, []byte(password)) {
		t.Error("users.json holds a password in the clear")
	}
}

func TestEveryDeclaredTypeAnswers(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	statement := r.fhir(fhirRequest{path: "/metadata"}).want(t, http.StatusOK).body
	resources := statement["rest"].([]any)[0].(map[string]any)["resource"].([]any)
	if statement["fhirVersion"] != "4.0.1" || len(resources) != 16 {
		t.Fatalf("%v resources", len(resources))
	}
	for _, item := range resources {
		resource := item.(map[string]any)
		typ := resource["type"].(string)
		creates := false
		for _, interaction := range resource["interaction"].([]any) {
			creates = creates || interaction.(map[string]any)["code"] == "create"
		}
		empty := r.fhir(fhirRequest{method: "POST", path: "/" + typ, token: token, body: "{"})
		if (empty.status == http.StatusMethodNotAllowed) == creates {
			t.Errorf("%s declares create %v and answers %d", typ, creates, empty.status)
		}
		for _, param := range resource["searchParam"].([]any) {
			name, kind := param.(map[string]any)["name"].(string), param.(map[string]any)["type"].(string)
			value := map[string]string{"date": "2026", "reference": "Patient/x", "token": "x", "string": "x"}[kind]
			r.fhir(fhirRequest{path: "/" + typ + "?" + url.Values{name: {value}}.Encode(), token: token, header: map[string]string{"Prefer": "handling=strict"}}).want(t, http.StatusOK)
		}
	}
}
