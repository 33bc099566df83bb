package fhirserver

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestOverlayKeepsEveryOtherByte(t *testing.T) {
	const meta = `"meta":{"lastUpdated":"2026-01-01T00:00:00.000Z","versionId":"3"}`
	tests := []struct{ name, raw, want string }{
		{"neither", `{"resourceType":"X", "a" : 1.50}`, `{"id":"x-1",` + meta + `,"resourceType":"X", "a" : 1.50}`},
		{"id replaced", ` { "id" : "mine" ,"a":{"id":"inner"}}`, ` {` + meta + `, "id" : "x-1" ,"a":{"id":"inner"}}`},
		{"meta kept", `{"meta":{"profile":["p"],"versionId":"99"},"id":"x"}`, `{"meta":{"lastUpdated":"2026-01-01T00:00:00.000Z","profile":["p"],"versionId":"3"},"id":"x-1"}`},
		{"escapes and braces in strings", `{"t":"}\"{ \u00e9 é","id":"x"}`, `{` + meta + `,"t":"}\"{ \u00e9 é","id":"x-1"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := overlay([]byte(test.raw), "x-1", 3, "2026-01-01T00:00:00.000Z")
			if err != nil || string(got) != test.want {
				t.Errorf("overlay = %s, %v\nwant      %s", got, err, test.want)
			}
		})
	}
}

func TestDecodeStrict(t *testing.T) {
	for _, bad := range []string{"", "1", "[]", "{}", `{"a":null}`, `{"a":""}`, `{"a":[]}`, `{"a":{}}`, `{"a":1,"a":2}`, `{"a":1} x`, `{"a":1`, "{\"a\":\"\xff\"}",
		strings.Repeat(`{"a":`, 80) + "1" + strings.Repeat("}", 80), "\ufeff{\"a\":1}"} {
		if got, err := decodeStrict([]byte(bad)); err == nil {
			t.Errorf("decodeStrict(%.40q) = %v", bad, got)
		}
	}
}

func FuzzOverlay(f *testing.F) {
	f.Add([]byte(`{"resourceType":"X","id":"a","meta":{"tag":[{"code":"t"}]},"n":1.00}`))
	f.Add([]byte(` {"a":"\u0000","b":[1,2,{"id":"i"}]} `))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before, err := decodeStrict(raw)
		if err != nil {
			return
		}
		if _, ok := before["meta"].(map[string]any); before["meta"] != nil && !ok {
			return // validation refuses this before anything is stored
		}
		served, err := overlay(raw, "new-id", 2, "2026-01-01T00:00:00.000Z")
		if err != nil {
			t.Fatalf("overlay: %v", err)
		}
		after, err := decodeStrict(served)
		if err != nil {
			t.Fatalf("the served bytes are not valid: %v\n%s", err, served)
		}
		if after["id"] != "new-id" {
			t.Fatalf("id = %v", after["id"])
		}
		for _, m := range []map[string]any{before, after} {
			delete(m, "id")
			delete(m, "meta")
		}
		was, _ := json.Marshal(before)
		is, _ := json.Marshal(after)
		if !bytes.Equal(was, is) {
			t.Fatalf("members changed:\n%s\n%s", was, is)
		}
	})
}

func TestDateComparison(t *testing.T) {
	tests := []struct {
		element, search string
		want            bool
	}{
		{"2026-03-01T10:00:00-05:00", "2026-03-01", true},
		{"2026-03-01T10:00:00-05:00", "eq2026-03-01T15:00:00Z", true},
		{"2026-03-01T23:00:00-05:00", "2026-03-01", false}, // the second of March in UTC
		{"2026-03-01", "ge2026-03-01", true},
		{"2026-03-01", "gt2026-03-01", false},
		{"2026-03-02", "gt2026-03-01", true},
		{"2026-03-01", "lt2026-03-01", false},
		{"2026-02-28", "lt2026-03-01", true},
		{"2026-03-01", "le2026-03-01", true},
		{"2026-03-02", "le2026-03-01", false},
		{"2026", "2026-03", false},
		{"2026-03", "2026", true},
		{"2026-03-02", "sa2026-03-01", true},
		{"2026-03-01", "sa2026-03-01", false},
		{"2026-02-28", "eb2026-03-01", true},
		{"2026-03-01", "ne2026-03-01", false},
		{"2026-03-02", "ap2026-03-01", true},
		{"2026-05-02", "ap2026-03-01", false},
		{"2026-03-01T10:00:00Z", "ge2026-03-01T05:00:00-05:00", true},
		{"2026-03-01T10:00:00Z", "ge2026-03-01T05:00:00 01:00", true}, // a plus that arrived as a space
	}
	for _, test := range tests {
		element, ok := periodOf(test.element)
		prefix, search, okSearch := splitPrefix(test.search)
		if !ok || !okSearch {
			t.Fatalf("%v does not parse", test)
		}
		if got := element.compare(prefix, search); got != test.want {
			t.Errorf("%s %s = %v", test.element, test.search, got)
		}
	}
	open, _ := periodOf(map[string]any{"start": "2026-03-01"})
	if !open.compare("gt", mustPeriod(t, "2030")) || open.compare("eb", mustPeriod(t, "2030")) || open.compare("lt", mustPeriod(t, "2026-03-01")) {
		t.Error("a period without an end is not open")
	}
	for _, bad := range []string{"", "yesterday", "2026-3-1", "2026-03-01T10", "20260301"} {
		if _, ok := parsePeriod(bad); ok {
			t.Errorf("%q is taken for a date", bad)
		}
	}
}

func mustPeriod(t *testing.T, text string) period {
	t.Helper()
	p, ok := parsePeriod(text)
	if !ok {
		t.Fatalf("%q does not parse", text)
	}
	return p
}

func TestFold(t *testing.T) {
	if Fold("Peña") != "pena" || Fold("Ní Dhomhnaill") != "ni dhomhnaill" || Fold("Волков") != "волков" {
		t.Error("Fold does not remove case and accents")
	}
}

func TestSplitEscaped(t *testing.T) {
	got := splitEscaped(`a,b\,c,d\\e`)
	if len(got) != 3 || got[1] != "b,c" || got[2] != `d\e` {
		t.Errorf("splitEscaped = %q", got)
	}
}
