package ehr_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/fhir/ehr"
)

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
