package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// stream opens /events and gives the data of each "visit" event.
func (h *hospital) stream(ctx context.Context, server *httptest.Server, p person) <-chan string {
	h.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/events", nil)
	h.check(err)
	r.AddCookie(&http.Cookie{Name: "__Host-televisit", Value: p.cookie})
	answer, err := server.Client().Do(r)
	h.check(err)
	h.t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		h.t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	told := make(chan string, 16)
	lines := bufio.NewScanner(answer.Body)
	go func() {
		defer close(told)
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				told <- id
			}
		}
	}()
	return told
}

func TestEventsTellWhichVisitsChanged(t *testing.T) {
	h := openHospital(t)
	server := httptest.NewServer(h.engine)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	told := h.stream(ctx, server, h.clinician)
	v := h.booked(h.clinician, h.admit("Patient/ana"), time.Hour)
	for id := range told {
		if id == v.ID.String() {
			return
		}
		if strings.Trim(id, "0-") != "" {
			t.Fatalf("a page hears of %s", id)
		}
	}
	t.Fatal("the stream ended without the visit")
}

func TestEventsAreForThoseWhoMayFollow(t *testing.T) {
	h := openHospital(t)
	if got := h.get(h.compliance, "/events"); got.Code != http.StatusForbidden {
		t.Fatalf("compliance: %d", got.Code)
	}
	if got := h.get(person{}, "/events"); got.Code != http.StatusUnauthorized {
		t.Fatalf("nobody: %d", got.Code)
	}
}
