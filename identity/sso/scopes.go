package sso

import (
	"slices"
	"strings"
)

// scopesFor gives the scopes in the notation that the server knows: v2, or v1 where it lists its capabilities without
// permission-v2 (SMART App Launch 2.2, "Scopes for requesting FHIR Resources").
func scopesFor(scopes []string, m metadata) []string {
	if len(m.Capabilities) == 0 || slices.Contains(m.Capabilities, "permission-v2") {
		return scopes
	}
	var v1 []string
	for _, scope := range scopes {
		for _, s := range toV1(scope) {
			if !slices.Contains(v1, s) {
				v1 = append(v1, s)
			}
		}
	}
	return v1
}

func toV1(scope string) []string {
	level, rest, isResource := strings.Cut(scope, "/")
	if !isResource || level != "patient" && level != "user" && level != "system" {
		return []string{scope}
	}
	rest, _, _ = strings.Cut(rest, "?")
	dot := strings.LastIndexByte(rest, '.')
	if dot < 0 {
		return []string{scope}
	}
	letters, base := rest[dot+1:], level+"/"+rest[:dot]
	if strings.Trim(letters, "cruds") != "" {
		return []string{scope} // v1 already
	}
	var v1 []string
	if strings.ContainsAny(letters, "rs") {
		v1 = append(v1, base+".read")
	}
	if strings.ContainsAny(letters, "cud") {
		v1 = append(v1, base+".write")
	}
	return v1
}
