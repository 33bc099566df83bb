package fhirserver

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestJournal(t *testing.T) {
	const whole = `{"type":"Binary","id":"a","version":1,"at":"2026-01-01T00:00:00Z","method":"POST","sent":"eyJhIjoxfQ=="}` + "\n"
	tests := []struct {
		name, content string
		resources     int
		ok            bool
	}{
		{"empty", "", 0, true},
		{"whole lines", whole + whole, 2, true},
		{"a torn last line", whole + whole[:40], 1, true},
		{"damage in the middle", whole + "damage\n" + whole, 0, false},
		{"a line whose resource is not JSON", `{"type":"Binary","id":"a","version":1,"sent":"eyJh"}` + "\n", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			store, err := OpenStore(path, time.Now)
			if (err == nil) != test.ok {
				t.Fatalf("OpenStore: %v", err)
			}
			if err != nil {
				if kept, readErr := os.ReadFile(path); readErr != nil || string(kept) != test.content {
					t.Error("a damaged journal was changed")
				}
				return
			}
			if got := len(store.Received("")); got != test.resources {
				t.Errorf("%d versions; want %d", got, test.resources)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	store, err := OpenStore(filepath.Join(t.TempDir(), "journal"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.journal.file.Close(); err != nil {
		t.Fatal(err)
	}
	v := &Version{Type: "Binary", ID: "a", Method: "POST", Sent: []byte(`{"a":1}`), Raw: []byte(`{"a":1}`)}
	if _, _, err := store.Create(v, nil); err == nil {
		t.Fatal("a write that did not reach the disk was acknowledged")
	}
	if _, found := store.Get("Binary", "a"); found {
		t.Error("a write that did not reach the disk is served")
	}
}
