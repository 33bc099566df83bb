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

func TestFailuresAreSorted(t *testing.T) {
	ctx := context.Background()
	kind := func(err error) (string, ehr.Problem) {
		var transient *ehr.Transient
		var permanent *ehr.Permanent
		var missing *ehr.NotFound
		var conflict *ehr.Conflict
		var unauthorized *ehr.Unauthorized
		var forbidden *ehr.Forbidden
		switch {
		case errors.As(err, &transient):
			if transient.MayHaveHappened {
				return "transient, may have happened", transient.Problem
			}
			return "transient", transient.Problem
		case errors.As(err, &permanent):
			return "permanent", permanent.Problem
		case errors.As(err, &missing):
			return "not found", missing.Problem
		case errors.As(err, &conflict):
			return "conflict", conflict.Problem
		case errors.As(err, &unauthorized):
			return "unauthorized", unauthorized.Problem
		case errors.As(err, &forbidden):
			return "forbidden", forbidden.Problem
		}
		return fmt.Sprint(err), ehr.Problem{}
	}
	for _, tc := range []struct {
		status       int
		code, vendor string
		want         string
	}{
		{400, "invalid", "", "permanent"}, {401, "login", "", "unauthorized"}, {403, "forbidden", "", "forbidden"}, {403, "security", "4118", "forbidden"},
		{400, "business-rule", "4130", "forbidden"}, {500, "exception", "4131", "forbidden"}, {404, "not-found", "", "not found"}, {410, "deleted", "", "not found"},
		{405, "not-supported", "", "permanent"}, {406, "not-supported", "", "permanent"}, {408, "timeout", "", "transient"}, {409, "conflict", "", "conflict"},
		{412, "conflict", "", "conflict"}, {413, "too-long", "", "permanent"}, {415, "not-supported", "", "permanent"}, {422, "invariant", "59100", "permanent"},
		{423, "lock-error", "", "conflict"}, {425, "transient", "", "transient"}, {429, "throttled", "4135", "transient"}, {500, "exception", "", "transient, may have happened"},
		{501, "not-supported", "", "permanent"}, {502, "", "", "transient, may have happened"}, {503, "transient", "", "transient, may have happened"},
		{504, "timeout", "", "transient, may have happened"}, {302, "", "", "permanent"},
	} {
		c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "req-7")
			answer(tc.status, fmt.Sprintf(outcome, tc.code, tc.vendor))(w, r)
		})
		_, err := c.CreateConditional(ctx, "Encounter", nil, []byte(`{}`))
		got, problem := kind(err)
		if got != tc.want || problem.Status != tc.status || problem.RequestID != "req-7" {
			t.Errorf("%d %s %s: %s %+v", tc.status, tc.code, tc.vendor, got, problem)
		}
		if tc.code != "" && !slices.Equal(problem.Codes, []string{tc.code}) || tc.vendor != "" && !slices.Equal(problem.Vendor, []string{tc.vendor}) {
			t.Errorf("%d: codes %v and %v", tc.status, problem.Codes, problem.Vendor)
		}
		var safe interface{ Safe() string }
		if !errors.As(err, &safe) || strings.Contains(err.Error()+safe.Safe()+c.log.String(), "CANARY") {
			t.Errorf("%d: the error or the log repeats the EHR's words: %v", tc.status, err)
		}
	}
	for name, body := range map[string]string{"free text as code": fmt.Sprintf(outcome, "CANARY Rossi", "123456789"), "HTML": "<h1>CANARY</h1>", "nothing": "",
		"another resource": `{"resourceType":"Patient","issue":[{"code":"invalid"}]}`, "deep": strings.Repeat("[", 100000)} {
		c := newChart(t, answer(http.StatusBadRequest, body))
		_, err := c.Read(ctx, "Patient/1")
		if got, problem := kind(err); got != "permanent" || len(problem.Codes)+len(problem.Vendor) != 0 || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{"7": 7 * time.Second, "-1": 0, "999999999": time.Hour, "": 0, "soon": 0,
		"Sat, 21 Nov 2026 10:02:00 GMT": 2 * time.Minute, "Sat, 21 Nov 2026 09:00:00 GMT": 0, "Sat, 28 Nov 2026 10:02:00 GMT": time.Hour} {
		c := newChart(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := c.Read(context.Background(), "Patient/1")
		var transient *ehr.Transient
		if !errors.As(err, &transient) || transient.RetryAfter != want {
			t.Errorf("%q: %v, want %v", value, err, want)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	c := newChart(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	_, err := c.CreateConditional(context.Background(), "Encounter", nil, []byte(`{}`))
	var transient *ehr.Transient
	if !errors.As(err, &transient) || !transient.MayHaveHappened || transient.RequestID == "" {
		t.Errorf("a create cut off: %v", err)
	}
	_, err = c.Read(context.Background(), "Patient/1")
	if !errors.As(err, &transient) || transient.MayHaveHappened {
		t.Errorf("a read cut off: %v", err)
	}
	c.server.Close()
	_, err = c.Search(context.Background(), "Patient", url.Values{"name": {"CANARY"}})
	if !errors.As(err, &transient) || strings.Contains(err.Error()+c.log.String(), "CANARY") {
		t.Errorf("nobody there: %v", err)
	}
}

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
		var c *chart
		c = newChart(t, func(w http.ResponseWriter, r *http.Request) {
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

func TestSearch(t *testing.T) {
	ctx := context.Background()
	posts, gets := 0, 0
	var c *chart
	c = newChart(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts++
			body, _ := io.ReadAll(r.Body)
			if r.URL.Path != "/fhir/Patient/_search" || r.URL.RawQuery != "" || string(body) != "name=CANARY" {
				t.Errorf("search: %s %s", r.URL, body)
			}
		} else {
			gets++
		}
		link := `[{"relation":"self","url":"x"},{"relation":"next","url":"` + c.server.URL + `/fhir?_getpages=abc&page=2"}]`
		if r.URL.Query().Get("page") == "2" {
			link = `[]`
			if r.URL.Path != "/fhir" || r.URL.Query().Get("_getpages") != "abc" {
				t.Errorf("second page: %s", r.URL)
			}
		}
		_, _ = fmt.Fprintf(w, `{"resourceType":"Bundle","type":"searchset","link":%s,"entry":[{"resource":{"resourceType":"Patient","id":"p%d","x":1.0},"search":{"mode":"match"}},
			{"resource":{"resourceType":"OperationOutcome"},"search":{"mode":"outcome"}}]}`, link, gets)
	})
	found, err := c.Search(ctx, "Patient", url.Values{"name": {"CANARY"}})
	if err != nil || len(found) != 2 || found[0].ID != "p0" || found[1].ID != "p1" || string(found[0].Raw) != `{"resourceType":"Patient","id":"p0","x":1.0}` {
		t.Errorf("%+v, %v", found, err)
	}
	if strings.Contains(c.log.String(), "CANARY") {
		t.Error("the log holds the search")
	}
	if posts != 1 || gets != 1 {
		t.Errorf("%d posts, %d gets", posts, gets)
	}
}

func TestSearchByGetWhereThereIsNoOtherWay(t *testing.T) {
	posts := 0
	c := newChart(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts++
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path != "/fhir/Slot" || r.URL.Query().Get("status") != "free" {
			t.Errorf("search: %s", r.URL)
		}
		_, _ = io.WriteString(w, `{"resourceType":"Bundle","type":"searchset"}`)
	})
	for range 3 {
		if found, err := c.Search(context.Background(), "Slot", url.Values{"status": {"free"}}); err != nil || len(found) != 0 {
			t.Errorf("%v, %v", found, err)
		}
	}
	if posts != 1 {
		t.Errorf("asked %d times by POST", posts)
	}
}

func TestSearchThatNeverEnds(t *testing.T) {
	pages := 0
	c := newChart(t, func(w http.ResponseWriter, _ *http.Request) {
		pages++
		_, _ = io.WriteString(w, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"/fhir?page=again"}]}`)
	})
	var permanent *ehr.Permanent
	if _, err := c.Search(context.Background(), "Patient", nil); !errors.As(err, &permanent) || pages != 20 {
		t.Errorf("after %d pages: %v", pages, err)
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
