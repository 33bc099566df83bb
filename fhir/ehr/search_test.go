package ehr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/televisit/televisit/fhir/ehr"
)

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
