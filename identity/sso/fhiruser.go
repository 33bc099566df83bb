package sso

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/televisit/televisit/identity"
)

const (
	fhirLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	fhirIDChars = fhirLetters + "0123456789-."
)

// isFHIRID knows FHIR R4's type id.
func isFHIRID(s string) bool { return s != "" && len(s) <= 64 && strings.Trim(s, fhirIDChars) == "" }

// relative gives "Type/id" of a reference that is relative or lies under base; "" for any other.
func relative(reference, base string) string {
	if rest, under := strings.CutPrefix(reference, strings.TrimSuffix(base, "/")+"/"); under {
		reference = rest
	}
	typ, id, _ := strings.Cut(reference, "/")
	id, _, _ = strings.Cut(id, "/_history/")
	if typ == "" || strings.Trim(typ, fhirLetters) != "" || !isFHIRID(id) {
		return ""
	}
	return typ + "/" + id
}

// practitioner reads fhirUser for staff: only a practitioner of this very EHR.
func practitioner(fhirUser, base string) (string, error) {
	ref := relative(fhirUser, base)
	switch typ, _, _ := strings.Cut(ref, "/"); {
	case fhirUser == "":
		return "", refuse("no-fhir-user", "")
	case ref == "":
		return "", refuse("foreign-fhir-user", "")
	case typ != "Practitioner" && typ != "PractitionerRole":
		return "", refuse("not-a-clinician", "")
	}
	return ref, nil
}

// linkedEHR finds the organisation's EHR that an identity provider's fhirUser claim belongs to. A claim that belongs to
// none links nobody. A relative one is clear only where there is one EHR.
func (s *SSO) linkedEHR(p *peer, fhirUser string) (ehr, ref string) {
	var charts []*peer
	for _, other := range s.peers {
		if other.smart && other.org == p.org {
			charts = append(charts, other)
		}
	}
	for _, chart := range charts {
		if !strings.Contains(fhirUser, "://") && len(charts) > 1 {
			continue
		}
		if ref, err := practitioner(fhirUser, chart.base); err == nil {
			return chart.name, ref
		}
	}
	return "", ""
}

// roles reads the configured claim: an array of words, or one text with words.
func (p *peer) roles(all map[string]json.RawMessage) []identity.Role {
	raw := all[p.rolesClaim]
	for name, rest, deeper := strings.Cut(p.rolesClaim, "."); raw == nil && deeper; {
		var inner map[string]json.RawMessage
		if json.Unmarshal(all[name], &inner) != nil {
			return nil
		}
		all, raw = inner, inner[rest]
		name, rest, deeper = strings.Cut(rest, ".")
	}
	var words []string
	if json.Unmarshal(raw, &words) != nil {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return nil
		}
		words = strings.Fields(text)
	}
	var roles []identity.Role
	for _, word := range words {
		role := identity.Role(word)
		if len(p.roleWords) > 0 {
			role = p.roleWords[word]
		}
		if identity.IsStaffRole(role) && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}
