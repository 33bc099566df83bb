package ehr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/televisit/televisit/fhir/ehr"
)

// FuzzParse holds that what is taken is a JSON object of a named type, verbatim, with ids that are safe in an address, and
// that everything else is refused by type.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"resourceType":"Patient","id":"1","meta":{"versionId":"2"},"name":[{"text":"A"}],"birthDate":"1984-02-29"}`,
		`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}]}`,
		`{"resourceType":"patient"}`, `{"resourceType":"../x","id":"../y"}`, `{"resourceType":"Patient","id":1}`, `{"resourceType":"Patient","resourceType":"Person"}`,
		`{"resourceType":"Appointment","start":"x","participant":[{}]}`, `[[[[[[`, `{"a":"\"[{"}`, `null`, "", "\xff\xfe{}", `{"resourceType":"OperationOutcome","issue":[{"code":"x"}]}`,
		`{"resourceType":"Patient","meta":{"versionId":"a\"\r\nb"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		given := bytes.Clone(raw)
		r, err := ehr.Parse(raw)
		if !bytes.Equal(given, raw) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if !errors.Is(err, ehr.ErrNotFHIR) || r.Raw != nil {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if !json.Valid(raw) || !bytes.Equal(r.Raw, raw) {
			t.Fatal("taken, but not verbatim or no JSON")
		}
		for _, safe := range []string{r.Type, r.ID, r.VersionID} {
			if bytes.ContainsAny([]byte(safe), "/\\ \r\n\"%?#") {
				t.Fatalf("not safe in an address: %q", safe)
			}
		}
		// Readers of one type refuse or read; they do not panic.
		if _, err := ehr.Demographics(raw); err != nil && !errors.Is(err, ehr.ErrNotFHIR) {
			t.Fatal(err)
		}
	})
}
