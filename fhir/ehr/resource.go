package ehr

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

const (
	maxResource = 10 << 20 // bytes of one answer
	maxDepth    = 64       // FHIR's own resources nest less than 20 deep
)

// ErrNotFHIR means that an answer is no FHIR resource; the error that wraps it says why, without its content.
var ErrNotFHIR = errors.New("ehr: not a FHIR resource")

// Resource is what an EHR sent, verbatim.
type Resource struct {
	Type      string
	ID        string
	VersionID string
	ETag      string // to be sent back as If-Match; made of the version where the EHR sent none
	Raw       []byte // immutable
	FetchedAt time.Time
}

// Reference is "Type/id".
func (r Resource) Reference() string { return r.Type + "/" + r.ID }

// Parse reads what identifies a resource. The type is checked before anything else is believed. It fails with ErrNotFHIR.
func Parse(raw []byte) (Resource, error) {
	if len(raw) > maxResource {
		return Resource{}, notFHIR("too large")
	}
	if err := checkDepth(raw); err != nil {
		return Resource{}, err
	}
	var fields map[string]json.RawMessage // exact names: struct tags would match any case
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return Resource{}, notFHIR("no JSON object")
	}
	r := Resource{Raw: bytes.Clone(raw)}
	if json.Unmarshal(fields["resourceType"], &r.Type) != nil || !isTypeName(r.Type) {
		return Resource{}, notFHIR("no resourceType")
	}
	if id, there := fields["id"]; there && (json.Unmarshal(id, &r.ID) != nil || !isID(r.ID)) {
		return Resource{}, notFHIR("a malformed id")
	}
	var meta struct {
		VersionID string `json:"versionId"`
	}
	if m, there := fields["meta"]; there && json.Unmarshal(m, &meta) != nil {
		return Resource{}, notFHIR("a malformed meta")
	}
	if isID(meta.VersionID) {
		r.VersionID, r.ETag = meta.VersionID, `W/"`+meta.VersionID+`"`
	}
	return r, nil
}

// checkDepth bounds nesting before a recursive decoder sees the bytes; brackets in strings do not count.
func checkDepth(raw []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return notFHIR("nested too deep")
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

func notFHIR(why string) error { return errors.Join(ErrNotFHIR, errors.New(why)) }

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// isTypeName knows the form of a resource type's name.
func isTypeName(s string) bool {
	return s != "" && len(s) <= 64 && s[0] >= 'A' && s[0] <= 'Z' && strings.Trim(s, letters) == ""
}

// isID knows FHIR R4's type id.
func isID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, letters+"0123456789-.") == ""
}

// splitReference takes "Type/id" apart, with or without a version behind it.
func splitReference(ref string) (typ, id, version string, ok bool) {
	parts := strings.Split(ref, "/")
	switch {
	case len(parts) == 4 && parts[2] == "_history" && isID(parts[3]):
		version = parts[3]
	case len(parts) != 2:
		return "", "", "", false
	}
	if !isTypeName(parts[0]) || !isID(parts[1]) {
		return "", "", "", false
	}
	return parts[0], parts[1], version, true
}
