package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/identity/phi"
)

// TestRefusalsAreSorted sends a read to a server that answers with each status: what is for good stops with a sentence
// for the clinician, what may pass is tried again, and nothing of the answer's text comes through.
func TestRefusalsAreSorted(t *testing.T) {
	for _, tc := range []struct {
		status    int
		body      string
		permanent bool
		want      int
	}{
		{400, "", true, 400}, {401, "", true, 401}, {403, "", true, 403}, {404, "", true, 404}, {405, "", true, 405}, {410, "", true, 410}, {413, "", true, 413}, {415, "", true, 415}, {422, "", true, 422}, {501, "", true, 501},
		{409, "", false, 409}, {412, "", false, 412}, {423, "", false, 423}, {429, "", false, 429}, {500, "", false, 500}, {502, "", false, 502}, {503, "", false, 503}, {504, "", false, 504},
		{400, `{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"processing","diagnostics":"Canary","details":{"coding":[{"code":"4130"}]}}]}`, true, 403},
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.status)
			_, _ = w.Write([]byte(tc.body))
		}))
		client, err := ehr.New(ehr.Config{Base: server.URL, HTTP: server.Client(), Token: func(context.Context) (string, error) { return "t", nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&openChart{client: client}).Read(t.Context(), phi.NewText("Encounter/1"))
		server.Close()
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Status != tc.want {
			t.Errorf("%d: %v, want a refusal with %d", tc.status, err, tc.want)
			continue
		}
		problem, permanent := permanentProblem(refused.Status)
		if permanent != tc.permanent || permanent != (problem != "") || strings.Contains(err.Error()+problem, "Canary") {
			t.Errorf("%d: permanent %t, %q", tc.status, permanent, problem)
		}
	}
}

func TestNoAnswerIsNoRefusal(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	client, err := ehr.New(ehr.Config{Base: server.URL, HTTP: server.Client(), Token: func(context.Context) (string, error) { return "t", nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&openChart{client: client}).Create(t.Context(), "Encounter", nil, []byte("{}"))
	var refused *Refusal
	if err == nil || errors.As(err, &refused) {
		t.Errorf("a lost answer was taken for %v", err)
	}
}
