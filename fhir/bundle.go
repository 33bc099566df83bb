package fhir

import (
	"encoding/json"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// Entry is a resource in a searchset: its absolute URL and its bytes, carried as they are.
type Entry struct {
	FullURL  string
	Resource []byte
	Outcome  bool // an OperationOutcome about the search itself
}

// Searchset is the answer to a search. self is the URL with the parameters that were understood; next is "" on the
// last page; total is nil when it was not counted. An entry whose resource is no JSON object is an error.
func Searchset(self, next string, total *int, entries []Entry) ([]byte, error) {
	b := r4.Bundle{Type: r4.BundleTypeSearchset, Total: total, Link: []r4.BundleLink{{Relation: "self", Url: self}}}
	if next != "" {
		b.Link = append(b.Link, r4.BundleLink{Relation: "next", Url: next})
	}
	for _, e := range entries {
		mode := r4.SearchEntryModeMatch
		if e.Outcome {
			mode = r4.SearchEntryModeOutcome
		}
		b.Entry = append(b.Entry, r4.BundleEntry{FullUrl: token(e.FullURL), Resource: json.RawMessage(e.Resource), Search: &r4.BundleEntrySearch{Mode: &mode}})
	}
	return json.Marshal(b)
}
