package media_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// reports collects what a node reports.
type reports struct {
	mu      sync.Mutex
	changed chan struct{}
	list    []string
}

func newReports() *reports { return &reports{changed: make(chan struct{})} }

func (r *reports) add(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, what)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *reports) Joined(_, p uuid.UUID, _ time.Time)  { r.add("joined " + p.String()) }
func (r *reports) Lost(_, p uuid.UUID, _ time.Time)    { r.add("lost " + p.String()) }
func (r *reports) Resumed(_, p uuid.UUID, _ time.Time) { r.add("resumed " + p.String()) }
func (r *reports) Left(_, p uuid.UUID, why string, _ time.Time) {
	r.add("left " + p.String() + " " + why)
}
func (r *reports) Empty(_ uuid.UUID, why string, _ time.Time) { r.add("empty " + why) }
func (r *reports) StreamStarted(_, p, _ uuid.UUID, kind string, _ time.Time) {
	r.add("stream " + p.String() + " " + kind)
}

// wait returns when a report has come.
func (r *reports) wait(t *testing.T, what string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		found, changed, list := slices.Contains(r.list, what), r.changed, slices.Clone(r.list)
		r.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no report %q among %q", what, list)
		}
	}
}

// without lists the reports that do not begin with a word.
func (r *reports) without(word string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, what := range r.list {
		if !strings.HasPrefix(what, word) {
			list = append(list, what)
		}
	}
	return list
}

func equal(a, b []string) bool { return slices.Equal(a, b) }
