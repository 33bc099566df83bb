package fhirserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// lookup resolves references while matching chains.
type lookup interface {
	Get(typ, id string) (*Version, bool)
}

func (q *query) matches(v *Version, store lookup) bool {
	for _, c := range q.criteria {
		if !c.matches(v, store) {
			return false
		}
	}
	return true
}

func (c criterion) matches(v *Version, store lookup) bool {
	if len(c.chain) > 0 {
		return c.matchesChain(v, store)
	}
	values := elements(v, c.param)
	if c.modifier == "missing" {
		return (len(values) == 0) == slices.Contains(c.values, "true")
	}
	any := slices.ContainsFunc(values, func(value any) bool {
		return slices.ContainsFunc(c.values, func(wanted string) bool { return c.matchesValue(value, wanted) })
	})
	return any != (c.modifier == "not")
}

func (c criterion) matchesChain(v *Version, store lookup) bool {
	target, _ := ruleFor(c.param.target)
	param, _ := target.param(c.chain[0])
	next := criterion{param: param, values: c.values}
	for _, value := range elements(v, c.param) {
		typ, id, ok := localReference("", lastTwo(text(value, "reference")))
		if !ok || typ != c.param.target {
			continue
		}
		if referred, found := store.Get(typ, id); found && next.matches(referred, store) {
			return true
		}
	}
	return false
}

// elements returns the values a parameter looks at.
func elements(v *Version, param searchParam) []any {
	switch param.name {
	case "_id":
		return []any{v.ID}
	case "_lastUpdated":
		return []any{v.LastUpdated()}
	}
	var out []any
	for _, path := range param.paths {
		for _, value := range extract(v.parsed, strings.Split(path, ".")) {
			if param.kind == "reference" && param.target != "" && !strings.HasPrefix(lastTwo(text(value, "reference")), param.target+"/") {
				continue
			}
			out = append(out, value)
		}
	}
	return out
}

func (c criterion) matchesValue(value any, wanted string) bool {
	switch c.param.kind {
	case "token":
		return matchesToken(value, wanted)
	case "string":
		found, ok := value.(string)
		return ok && matchesString(found, wanted, c.modifier)
	case "date":
		prefix, p, _ := splitPrefix(wanted)
		found, ok := periodOf(value)
		return ok && found.compare(prefix, p)
	case "reference":
		return matchesReference(value, wanted, c.modifier)
	}
	return false
}

func matchesString(found, wanted, modifier string) bool {
	switch modifier {
	case "exact":
		return found == wanted
	case "contains":
		return strings.Contains(Fold(found), Fold(wanted))
	}
	return strings.HasPrefix(Fold(found), Fold(wanted))
}

// matchesToken compares "code", "system|code", "|code" and "system|" with a code, boolean,
// Coding, CodeableConcept, Identifier or ContactPoint.
func matchesToken(value any, wanted string) bool {
	switch value := value.(type) {
	case string:
		return value == strings.TrimPrefix(wanted, "|")
	case bool, json.Number:
		return fmt.Sprint(value) == wanted
	case map[string]any:
		if codings, ok := value["coding"].([]any); ok {
			return slices.ContainsFunc(codings, func(coding any) bool { return matchesToken(coding, wanted) })
		}
		code := text(value, "code")
		if code == "" {
			code = text(value, "value")
		}
		system, wantedCode, hasSystem := strings.Cut(wanted, "|")
		if !hasSystem {
			return code == wanted
		}
		return text(value, "system") == system && (wantedCode == "" || code == wantedCode)
	}
	return false
}

func matchesReference(value any, wanted, modifier string) bool {
	found := lastTwo(text(value, "reference"))
	typ, id, ok := strings.Cut(found, "/")
	if !ok {
		return false
	}
	if modifier != "" && modifier != typ {
		return false
	}
	if !strings.Contains(wanted, "/") {
		return id == wanted
	}
	return found == lastTwo(wanted)
}

// lastTwo reduces a reference to Type/id: it drops a base and a version.
func lastTwo(reference string) string {
	reference, _, _ = strings.Cut(reference, "/_history/")
	parts := strings.Split(reference, "/")
	if len(parts) < 2 {
		return reference
	}
	return parts[len(parts)-2] + "/" + parts[len(parts)-1]
}

// sort orders found by the keys of _sort; without one, newest first, which is what a reader of a chart expects.
func (q *query) sort(found []*Version) {
	if len(q.order) == 0 {
		sortStable(found, func(a, b *Version) bool { return a.At.After(b.At) })
		return
	}
	for i := len(q.order) - 1; i >= 0; i-- {
		key := q.order[i]
		sortStable(found, func(a, b *Version) bool {
			x, y := sortValue(a, key.param), sortValue(b, key.param)
			if key.descending {
				return y < x
			}
			return x < y
		})
	}
}

func sortValue(v *Version, param searchParam) string {
	for _, value := range elements(v, param) {
		switch {
		case param.kind == "date":
			if p, ok := periodOf(value); ok {
				return p.from.UTC().Format("2006-01-02T15:04:05.000000000Z")
			}
		case param.kind == "reference":
			return lastTwo(text(value, "reference"))
		default:
			if s, ok := value.(string); ok {
				return Fold(s)
			}
			return text(value, "code") + text(value, "value")
		}
	}
	return ""
}
