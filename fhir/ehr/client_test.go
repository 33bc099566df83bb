package ehr_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/fhir/ehr"
)

const token = "SECRET-TOKEN"

// chart is an EHR over TLS that answers as the test says, and a client of it.
type chart struct {
	*ehr.Client
	server *httptest.Server
	log    *bytes.Buffer
	now    time.Time
}

func newChart(t *testing.T, handler http.HandlerFunc) *chart {
	t.Helper()
	c := &chart{server: httptest.NewTLSServer(handler), log: &bytes.Buffer{}, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	t.Cleanup(c.server.Close)
	var err error
	c.Client, err = ehr.New(ehr.Config{Base: c.server.URL + "/fhir", HTTP: c.server.Client(), Profile: "generic", Now: func() time.Time { return c.now },
		Log: slog.New(slog.NewTextHandler(c.log, nil)), Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const outcome = `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"%s","diagnostics":"CANARY","details":{"text":"CANARY","coding":[{"code":"%s","display":"CANARY"}]}}]}`

func TestReadKeepsTheBytes(t *testing.T) {
	const raw = `{"resourceType":"Patient", "id":"1","meta":{"versionId":"7"},"_birthDate":{"extension":[]},"unknown":1.50, "contained":[]}`
	c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/fhir/Patient/1" || r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("Accept") != "application/fhir+json" || r.Header.Get("X-Request-Id") == "" {
			t.Errorf("request: %s %v", r.URL, r.Header)
		}
		w.Header().Set("ETag", `W/"8"`)
		_, _ = io.WriteString(w, raw)
	})
	for _, ref := range []string{"Patient/1", c.Base() + "/Patient/1", "Patient/1/_history/7"} {
		r, err := c.Read(context.Background(), ref)
		if err != nil || string(r.Raw) != raw || r.Reference() != "Patient/1" || r.VersionID != "7" || r.ETag != `W/"8"` || !r.FetchedAt.Equal(c.now) {
			t.Errorf("%s: %+v, %v", ref, r, err)
		}
	}
	if strings.Contains(c.log.String(), token) || strings.Contains(c.log.String(), "Patient/1") {
		t.Errorf("the log tells too much: %s", c.log.String())
	}
}

func TestReadRefusesWhatIsNotAskedFor(t *testing.T) {
	asked := 0
	var body string
	c := newChart(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = io.WriteString(w, body)
	})
	for _, ref := range []string{"", "Patient", "Patient/", "/Patient/1", "Patient/1/x", "patient/1", "Patient/../x", "Patient/1?x=1", "https://evil.example/fhir/Patient/1",
		c.Base() + "-evil/Patient/1", "Patient/%2e%2e", "metadata", "Patient/1 2"} {
		if _, err := c.Read(context.Background(), ref); !errors.Is(err, ehr.ErrForeign) {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if asked != 0 {
		t.Errorf("%d requests were made", asked)
	}
	for name, b := range map[string]string{"another id": `{"resourceType":"Patient","id":"2"}`, "another type": `{"resourceType":"Person","id":"1"}`, "an outcome": `{"resourceType":"OperationOutcome"}`,
		"a list": `[]`, "null": `null`, "nothing": ``, "another case": `{"ResourceType":"Patient","ID":"1"}`, "two values": `{"resourceType":"Patient","id":"1"}{}`,
		"a number": `{"resourceType":1}`, "deep": `{"resourceType":"Patient","id":"1","x":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`} {
		body = b
		var permanent *ehr.Permanent
		if _, err := c.Read(context.Background(), "Patient/1"); !errors.As(err, &permanent) || !errors.Is(err, ehr.ErrNotFHIR) {
			t.Errorf("%s: %v", name, err)
		}
	}
	body = `{"resourceType":"Patient","id":"1","x":"` + strings.Repeat("x", 10<<20) + `"}`
	if _, err := c.Read(context.Background(), "Patient/1"); !errors.Is(err, ehr.ErrNotFHIR) {
		t.Errorf("huge: %v", err)
	}
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	ctx := context.Background()
	reached := false
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	var permanent *ehr.Permanent
	if _, err := c.Read(ctx, "Patient/1"); !errors.As(err, &permanent) {
		t.Errorf("redirect: %v", err)
	}
	for name, next := range map[string]string{"another host": elsewhere.URL + "/fhir?page=2", "beside the base": "/fhir-evil?page=2", "above the base": "../other?page=2",
		"with a user": "https://user@%s/fhir?page=2", "plain http": "http://%s/fhir?page=2", "escaped": "/fhir/%2e%2e/x"} {
		c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
			to := strings.ReplaceAll(next, "%s", r.Host)
			_, _ = fmt.Fprintf(w, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":%q}],"entry":[]}`, to)
		})
		if _, err := c.Search(ctx, "Patient", url.Values{"_id": {"1"}}); !errors.Is(err, ehr.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reached {
		t.Error("the other host was reached")
	}
	for _, base := range []string{"http://ehr.example/fhir", "https://u@ehr.example", "https://ehr.example/?q", "ehr.example", ""} {
		if _, err := ehr.New(ehr.Config{Base: base, HTTP: http.DefaultClient, Now: time.Now, Log: slog.Default(), Token: func(context.Context) (string, error) { return "", nil }}); err == nil {
			t.Errorf("base %q was taken", base)
		}
	}
}

func TestWrites(t *testing.T) {
	ctx := context.Background()
	var got *http.Request
	var body []byte
	reply := func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated) }
	c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		reply(w)
	})
	reply = func(w http.ResponseWriter) {
		w.Header().Set("Location", c.Base()+"/DocumentReference/d1/_history/3")
		w.Header().Set("X-Correlation-Id", "corr-1")
		w.WriteHeader(http.StatusCreated)
	}
	o, err := c.CreateConditional(ctx, "DocumentReference", url.Values{"identifier": {"urn:ietf:rfc:3986|urn:uuid:1"}}, []byte(`{"exact":  "bytes"}`))
	if err != nil || !o.Created || o.Location != "DocumentReference/d1" || o.VersionID != "3" || o.ETag != `W/"3"` || o.RequestID != "corr-1" || o.Status != 201 {
		t.Errorf("%+v, %v", o, err)
	}
	if string(body) != `{"exact":  "bytes"}` || got.Header.Get("If-None-Exist") != "identifier=urn%3Aietf%3Arfc%3A3986%7Curn%3Auuid%3A1" ||
		got.Header.Get("Content-Type") != "application/fhir+json" || got.Method != "POST" {
		t.Errorf("sent %s %v", body, got.Header)
	}
	reply = func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"resourceType":"DocumentReference","id":"d0","meta":{"versionId":"9"}}`)
	}
	if o, err = c.CreateConditional(ctx, "DocumentReference", url.Values{"identifier": {"x"}}, []byte(`{}`)); err != nil || o.Created || o.Location != "DocumentReference/d0" || o.ETag != `W/"9"` {
		t.Errorf("there already: %+v, %v", o, err)
	}
	reply = func(w http.ResponseWriter) {
		w.Header().Set("Location", "https://evil.example/fhir/DocumentReference/d2")
		w.WriteHeader(http.StatusCreated)
	}
	if o, err = c.CreateConditional(ctx, "DocumentReference", nil, []byte(`{}`)); err != nil || o.Location != "" {
		t.Errorf("a foreign location: %+v, %v", o, err)
	}
	if got.Header.Get("If-None-Exist") != "" {
		t.Error("a condition was sent that nobody set")
	}
	reply = func(w http.ResponseWriter) { w.Header().Set("ETag", `W/"10"`) }
	if o, err = c.Update(ctx, "Encounter/e1", `W/"9"`, []byte(`{}`)); err != nil || o.ETag != `W/"10"` || got.Method != "PUT" || got.Header.Get("If-Match") != `W/"9"` {
		t.Errorf("update: %+v, %v", o, err)
	}
	if o, err = c.Patch(ctx, "Encounter/e1", `W/"10"`, []byte(`[]`)); err != nil || got.Method != "PATCH" || got.Header.Get("Content-Type") != "application/json-patch+json" {
		t.Errorf("patch: %+v, %v", o, err)
	}
	got = nil
	for name, try := range map[string]func() error{
		"no version":   func() error { _, err := c.Update(ctx, "Encounter/e1", "", []byte(`{}`)); return err },
		"split header": func() error { _, err := c.Patch(ctx, "Encounter/e1", "W/\"1\r\nX: y\"", []byte(`[]`)); return err },
		"no id":        func() error { _, err := c.Patch(ctx, "Encounter", `W/"1"`, []byte(`[]`)); return err },
		"not a type":   func() error { _, err := c.CreateConditional(ctx, "../x", nil, []byte(`{}`)); return err },
		"another place": func() error {
			_, err := c.Update(ctx, "https://evil.example/fhir/Encounter/1", `W/"1"`, nil)
			return err
		},
	} {
		var permanent *ehr.Permanent
		if err := try(); !errors.As(err, &permanent) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCapability(t *testing.T) {
	ctx, asked := context.Background(), 0
	c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/fhir/metadata" || r.Header.Get("Authorization") != "" {
			t.Errorf("request: %s %v", r.URL, r.Header)
		}
		_, _ = io.WriteString(w, `{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":{"name":"Chart","version":"2"},"patchFormat":["application/json-patch+json"],
			"rest":[{"mode":"client","resource":[{"type":"Person","interaction":[{"code":"create"}]}]},
			{"mode":"server","resource":[{"type":"Encounter","interaction":[{"code":"read"}]},{"type":"DocumentReference","conditionalCreate":true,"interaction":[{"code":"create"}],"searchParam":[{"name":"identifier"}]}]}]}`)
	})
	got, err := c.Capability(ctx)
	if err != nil || got.FHIRVersion != "4.0.1" || got.Software != "Chart 2" || !got.Can("DocumentReference", "create") || got.Can("Encounter", "create") || got.Can("Person", "create") ||
		!got.Types["DocumentReference"].ConditionalCreate || !slices.Equal(got.Types["DocumentReference"].SearchParams, []string{"identifier"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Capability(ctx); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	c.now = c.now.Add(time.Hour)
	if _, err := c.Capability(ctx); err != nil || asked != 2 {
		t.Errorf("after an hour asked %d times, %v", asked, err)
	}
}

func TestTokenThatCannotBeHad(t *testing.T) {
	c := newChart(t, answer(http.StatusOK, `{}`))
	gone := errors.New("the grant is over")
	client, err := ehr.New(ehr.Config{Base: c.Base(), HTTP: c.server.Client(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Token: func(context.Context) (string, error) { return "", gone }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(context.Background(), "Patient/1"); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}
