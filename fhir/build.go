package fhir

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"github.com/televisit/televisit/identity/phi"
)

// Systems and profiles that the mapping uses.
const (
	SystemURI  = "urn:ietf:rfc:3986" // an identifier whose value is itself a URI
	SystemBase = "https://github.com/televisit/televisit/fhir/"

	ProfileEncounter         = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-encounter"
	ProfileDocumentReference = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-documentreference"

	systemVisitType    = SystemBase + "CodeSystem/visit-type"
	systemDocumentType = SystemBase + "CodeSystem/document-type"
	systemSHA256       = SystemBase + "NamingSystem/sha256"
	systemActCode      = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	systemParticipant  = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	systemCancelReason = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"
	systemSNOMED       = "http://snomed.info/sct"
	systemLOINC        = "http://loinc.org"
	dataAbsentReason   = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
)

// URN is the value of an identifier made of a UUID (RFC 4122 section 3).
func URN(id uuid.UUID) string { return "urn:uuid:" + id.String() }

// encode cannot fail: samply's structs hold strings, numbers and slices only.
func encode(resource any) []byte {
	out, err := json.Marshal(resource)
	if err != nil {
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"exception"}]}`)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// str makes a FHIR string of s, or nothing: FHIR has no empty string and no control characters but tab and line ends
// (R4 datatypes, string).
func str(s string) *string {
	clean := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || (unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r') {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
	if clean == "" {
		return nil
	}
	return &clean
}

// token makes a FHIR code or URI of s: no white space at all.
func token(s string) *string {
	return str(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s))
}

// instant is t as a FHIR instant or dateTime in UTC, or nothing for the zero time and for years that FHIR cannot write.
func instant(t time.Time) *string {
	t = t.UTC()
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	return ptr(t.Format("2006-01-02T15:04:05.000Z"))
}

// period is nothing when both ends are absent. An end before its start is dropped (per-1).
func period(start, end time.Time) *r4.Period {
	p := r4.Period{Start: instant(start), End: instant(end)}
	if p.Start != nil && p.End != nil && end.Before(start) {
		p.End = nil
	}
	if p.Start == nil && p.End == nil {
		return nil
	}
	return &p
}

func concept(system, code, display, text string) r4.CodeableConcept {
	c := r4.CodeableConcept{Text: str(text)}
	if token(code) != nil {
		c.Coding = []r4.Coding{coding(system, code, display)}
	}
	if c.Text == nil && c.Coding == nil {
		c.Extension = unknown()
	}
	return c
}

func coding(system, code, display string) r4.Coding {
	return r4.Coding{System: token(system), Code: token(code), Display: str(display)}
}

// reference is never empty: one that is not known says so (ele-1).
func reference(ref phi.Text) r4.Reference {
	value := token(ref.Reveal())
	if value == nil {
		return r4.Reference{Extension: unknown()}
	}
	return r4.Reference{Reference: value}
}

func optionalReference(ref phi.Text) *r4.Reference {
	if token(ref.Reveal()) == nil {
		return nil
	}
	return ptr(reference(ref))
}

func unknown() []r4.Extension {
	return []r4.Extension{{Url: dataAbsentReason, ValueCode: ptr("unknown")}}
}

func identifiers(ids []uuid.UUID) []r4.Identifier {
	var out []r4.Identifier
	for _, id := range ids {
		out = append(out, r4.Identifier{System: ptr(SystemURI), Value: ptr(URN(id))})
	}
	return out
}
