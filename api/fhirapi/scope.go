package fhirapi

import "strings"

// permission is one letter of a SMART v2 scope (SMART App Launch 2.2, section 3.0.2).
type permission byte

const (
	create permission = 'c'
	read   permission = 'r'
	update permission = 'u'
	search permission = 's'
)

// permits tells whether one of the scopes allows p on a resource type. Only user/ and system/ scopes count: a patient/
// scope would have to be confined to a patient whom the token does not name to us. A scope with a search restriction
// ("?...") is not understood and therefore grants nothing.
func permits(scopes []string, resource string, p permission) bool {
	for _, scope := range scopes {
		level, rest, ok := strings.Cut(scope, "/")
		if !ok || (level != "user" && level != "system") {
			continue
		}
		kind, letters, ok := strings.Cut(rest, ".")
		if !ok || (kind != resource && kind != "*") {
			continue
		}
		if strings.ContainsRune(expand(letters), rune(p)) {
			return true
		}
	}
	return false
}

// expand gives the v2 letters of a v1 or v2 permission; "" for what is neither.
func expand(letters string) string {
	switch letters {
	case "read":
		return "rs"
	case "write":
		return "cud"
	case "*":
		return "cruds"
	}
	rest := "cruds" // v2 asks for the letters in this order, each at most once
	for _, l := range letters {
		i := strings.IndexRune(rest, l)
		if i < 0 {
			return ""
		}
		rest = rest[i+1:]
	}
	return letters
}
