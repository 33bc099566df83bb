package scope

import (
	"net/url"
	"strings"
)

// Permission is a set of the interactions of SMART scopes v2: c, r, u, d, s.
type Permission uint8

// The interactions of SMART App Launch 2.2, "Scopes for requesting FHIR Resources".
const (
	Create Permission = 1 << iota
	Read
	Update
	Delete
	Search
)

const letters = "cruds"

// Level says on whose behalf a scope grants access.
type Level string

// The three levels of SMART resource scopes.
const (
	Patient Level = "patient"
	User    Level = "user"
	System  Level = "system"
)

// Scope is one parsed resource scope, for example user/DocumentReference.cs?category=clinical-note.
type Scope struct {
	Level Level
	// Type is a resource type, or "*".
	Type string
	Perm Permission
	// Query holds the search parameters that narrow the scope; nil when there are none.
	Query url.Values
}

// Parse reads a resource scope of version 2 (letters in order) or version 1
// (read, write, *). It reports false for any other string.
func Parse(text string) (Scope, bool) {
	level, rest, ok := strings.Cut(text, "/")
	if !ok || (level != string(Patient) && level != string(User) && level != string(System)) {
		return Scope{}, false
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	typ, perms, ok := strings.Cut(rest, ".")
	if !ok || !validType(typ) {
		return Scope{}, false
	}
	perm, ok := parsePermission(perms)
	if !ok {
		return Scope{}, false
	}
	s := Scope{Level: Level(level), Type: typ, Perm: perm}
	if hasQuery {
		values, err := url.ParseQuery(query)
		if err != nil || len(values) == 0 {
			return Scope{}, false
		}
		s.Query = values
	}
	return s, true
}

func validType(typ string) bool {
	if typ == "*" {
		return true
	}
	if typ == "" || typ[0] < 'A' || typ[0] > 'Z' {
		return false
	}
	for _, r := range typ {
		if (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

func parsePermission(text string) (Permission, bool) {
	switch text {
	case "read":
		return Read | Search, true
	case "write":
		return Create | Update | Delete, true
	case "*":
		return Create | Read | Update | Delete | Search, true
	case "":
		return 0, false
	}
	var perm Permission
	last := -1
	for _, r := range text {
		i := strings.IndexRune(letters, r)
		if i <= last { // unknown letters, repeats and wrong order alike
			return 0, false
		}
		last = i
		perm |= 1 << i
	}
	return perm, true
}

// Covers reports whether everything other permits is permitted by s too.
func (s Scope) Covers(other Scope) bool {
	if s.Level != other.Level || (s.Type != "*" && s.Type != other.Type) || other.Perm&^s.Perm != 0 {
		return false
	}
	for name, values := range s.Query {
		if strings.Join(other.Query[name], "\x00") != strings.Join(values, "\x00") {
			return false
		}
	}
	return true
}

// Set is the resource scopes of a grant; other scopes (openid, launch, ...) are not in it.
type Set []Scope

// ParseSet keeps the resource scopes of list and drops everything else.
func ParseSet(list []string) Set {
	var set Set
	for _, text := range list {
		if s, ok := Parse(text); ok {
			set = append(set, s)
		}
	}
	return set
}

// Permits returns the scopes of the set that grant perm on the resource type;
// an empty result means the interaction is refused.
func (set Set) Permits(typ string, perm Permission) Set {
	var out Set
	for _, s := range set {
		if (s.Type == "*" || s.Type == typ) && s.Perm&perm == perm {
			out = append(out, s)
		}
	}
	return out
}

// Covers reports whether one scope of the set covers other.
func (set Set) Covers(other Scope) bool {
	for _, s := range set {
		if s.Covers(other) {
			return true
		}
	}
	return false
}
