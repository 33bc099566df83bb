package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// admin calls the administration interface.
func (r *rig) admin(method, path, body, token string) (int, []byte) {
	r.t.Helper()
	request, err := http.NewRequest(method, r.origin+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("X-Sandbox-Admin", token)
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, raw
}

func (r *rig) arm(fault string) {
	r.t.Helper()
	if status, body := r.admin("POST", "/sandbox/faults", fault, r.sandbox.Ready().AdminToken); status != http.StatusCreated {
		r.t.Fatalf("arm %s: %d %s", fault, status, body)
	}
}

func TestFaults(t *testing.T) {
	r := newRig(t)
	token := r.system("system/*.cruds")
	create := func(identifier string) fhirResponse {
		return r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0001", identifier, "text/plain"),
			header: map[string]string{"If-None-Exist": "identifier=urn:notes|" + identifier}})
	}
	read := func() fhirResponse { return r.fhir(fhirRequest{path: "/Patient/pat-0001", token: token}) }

	t.Run("statuses, only on what they match, only as often as asked", func(t *testing.T) {
		for kind, status := range map[string]int{"5xx": 503, "409": 409, "412": 412, "423": 423} {
			r.arm(`{"kind":"` + kind + `","match":"DocumentReference","times":2}`)
			read().want(t, http.StatusOK)
			create(kind).want(t, status)
			create(kind).want(t, status)
			create(kind).want(t, http.StatusCreated)
		}
		if received := r.sandbox.Received("DocumentReference"); len(received) != 4 {
			t.Errorf("%d documents; want 4", len(received))
		}
	})
	t.Run("5xx on a read", func(t *testing.T) {
		r.arm(`{"kind":"5xx","match":"*"}`)
		read().want(t, http.StatusServiceUnavailable)
		read().want(t, http.StatusOK)
	})
	t.Run("write faults leave reads alone", func(t *testing.T) {
		r.arm(`{"kind":"409","match":"*"}`)
		read().want(t, http.StatusOK)
		create("w").want(t, http.StatusConflict)
	})
	t.Run("commit then time out", func(t *testing.T) {
		r.arm(`{"kind":"commit_then_timeout","match":"DocumentReference","times":1,"delay_ms":10}`)
		before := len(r.sandbox.Received("DocumentReference"))
		request, err := http.NewRequest(http.MethodPost, r.origin+"/fhir/DocumentReference", strings.NewReader(note("pat-0001", "lost", "text/plain")))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/fhir+json")
		if response, err := r.http.Do(request); err == nil {
			response.Body.Close()
			t.Fatalf("an answer came: %d", response.StatusCode)
		}
		if after := len(r.sandbox.Received("DocumentReference")); after != before+1 {
			t.Fatalf("%d documents were committed; want 1", after-before)
		}
		create("lost").want(t, http.StatusOK)
	})
	t.Run("slow", func(t *testing.T) {
		r.arm(`{"kind":"slow","match":"Patient","delay_ms":60}`)
		read().want(t, http.StatusOK)
		if _, log := r.admin("GET", "/sandbox/requests", "", r.sandbox.Ready().AdminToken); !bytes.Contains(log, []byte(`"fault":"slow"`)) {
			t.Error("the request was not slowed down")
		}
	})
	t.Run("revoked token", func(t *testing.T) {
		r.arm(`{"kind":"revoked_token","match":"Patient"}`)
		read().want(t, http.StatusUnauthorized)
		read().want(t, http.StatusUnauthorized)
		token = r.system("system/*.cruds")
		read().want(t, http.StatusOK)
	})
	t.Run("plain text only", func(t *testing.T) {
		r.arm(`{"kind":"plain_text_only"}`)
		html := fhirRequest{method: "POST", path: "/DocumentReference", token: token, body: note("pat-0001", "html", "text/html")}
		r.fhir(html).want(t, http.StatusUnprocessableEntity)
		r.fhir(html).want(t, http.StatusUnprocessableEntity)
		create("plain").want(t, http.StatusCreated)
		r.admin("DELETE", "/sandbox/faults", "", r.sandbox.Ready().AdminToken)
		r.fhir(html).want(t, http.StatusCreated)
	})
	t.Run("no encounter write", func(t *testing.T) {
		offered := func() bool {
			declared := r.fhir(fhirRequest{path: "/metadata"})
			return bytes.Contains(between(declared.raw, `"type":"Encounter"`), []byte(`"create"`))
		}
		if !offered() {
			t.Error("the capability statement does not offer to create encounters")
		}
		r.arm(`{"kind":"no_encounter_write"}`)
		encounter := `{"resourceType":"Encounter","status":"planned","class":{"code":"VR"},"subject":{"reference":"Patient/pat-0001"}}`
		post := fhirRequest{method: "POST", path: "/Encounter", token: token, body: encounter}
		r.fhir(post).want(t, http.StatusMethodNotAllowed)
		if offered() {
			t.Error("the capability statement still offers to create encounters")
		}
		r.admin("DELETE", "/sandbox/faults", "", r.sandbox.Ready().AdminToken)
		r.fhir(post).want(t, http.StatusCreated)
	})
}

// between returns the resource of a capability statement that ends with the mark; members are sorted by name.
func between(raw []byte, mark string) []byte {
	end := bytes.Index(raw, []byte(mark))
	start := bytes.LastIndex(raw[:end], []byte(`"conditionalCreate"`))
	return raw[start:end]
}

func TestAdminInterface(t *testing.T) {
	r := newRig(t)
	token := r.sandbox.Ready().AdminToken
	for _, path := range []string{"/sandbox/faults", "/sandbox/received", "/sandbox/requests"} {
		if status, _ := r.admin("GET", path, "", "wrong"); status != http.StatusForbidden {
			t.Errorf("%s without the token: %d", path, status)
		}
	}
	for _, bad := range []string{"", "{", `{"kind":"meteor"}`, `{"kind":"5xx","delay_ms":-1}`, `{"kind":"5xx","often":3}`} {
		if status, _ := r.admin("POST", "/sandbox/faults", bad, token); status != http.StatusBadRequest {
			t.Errorf("fault %q: %d", bad, status)
		}
	}
	system := r.system("system/*.cruds")
	sent := note("pat-0001", "admin", "text/plain")
	r.fhir(fhirRequest{method: "POST", path: "/DocumentReference", token: system, body: sent}).want(t, http.StatusCreated)
	r.fhir(fhirRequest{path: "/Patient/pat-0001", token: system}).want(t, http.StatusOK)
	var received []struct {
		Type       string `json:"type"`
		Bytes      []byte `json:"bytes_base64"`
		Identifier []struct {
			Value string `json:"value"`
		} `json:"identifier"`
	}
	_, raw := r.admin("GET", "/sandbox/received?type=DocumentReference", "", token)
	if err := json.Unmarshal(raw, &received); err != nil || len(received) != 1 || string(received[0].Bytes) != sent || received[0].Identifier[0].Value != "admin" {
		t.Errorf("received: %v %s", err, raw)
	}
	_, raw = r.admin("GET", "/sandbox/requests", "", token)
	for _, want := range []string{`"path":"/fhir/Patient/{id}"`, `"path":"/auth/token"`, `"client":"televisit"`, `"grant":"client_credentials"`} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("the request log lacks %s", want)
		}
	}
	if bytes.Contains(raw, []byte("pat-0001")) {
		t.Error("the request log holds an identifier")
	}
}
