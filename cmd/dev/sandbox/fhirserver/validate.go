package fhirserver

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// validate checks a resource that a client wants written: the type, its elements, what is
// required, the codes, the invariants and that every reference resolves.
func (s *Server) validate(rule typeRule, resource map[string]any) *problem {
	return validate(rule, resource, referenceChecker{base: s.base, others: s.store})
}

// validateHeld is validate for a caller that holds the lock of the store.
func (s *Server) validateHeld(rule typeRule, resource map[string]any) *problem {
	return validate(rule, resource, referenceChecker{base: s.base, others: held{s.store}})
}

func validate(rule typeRule, resource map[string]any, references referenceChecker) *problem {
	if text(resource, "resourceType") != rule.name {
		return refuse(http.StatusBadRequest, "invalid", "resourceType must be %s", rule.name)
	}
	if p := knownElements(rule, resource); p != nil {
		return p
	}
	for _, path := range rule.required {
		if p := checkRequired(rule.name, resource, path); p != nil {
			return p
		}
	}
	for _, code := range rule.codes {
		for _, value := range extract(resource, strings.Split(code.path, ".")) {
			if value, ok := value.(string); !ok || !slices.Contains(code.values, value) {
				p := invalid(rule.name+"."+code.path, "%s.%s is not a code of its value set", rule.name, code.path)
				p.code = "code-invalid"
				return p
			}
		}
	}
	if rule.extra != nil {
		if p := rule.extra(resource); p != nil {
			return p
		}
	}
	return references.check(rule.name, resource)
}

// knownElements refuses elements that R4 does not know, and lists where one value belongs or the reverse.
func knownElements(rule typeRule, resource map[string]any) *problem {
	repeats := map[string]bool{}
	for _, name := range append(words(everyElement), words(rule.elements)...) {
		plain := strings.TrimSuffix(name, "*")
		repeats[plain] = plain != name
	}
	for name, value := range resource {
		many, known := repeats[strings.TrimPrefix(name, "_")]
		_, isList := value.([]any)
		if known && many == isList {
			continue
		}
		p := refuse(http.StatusUnprocessableEntity, "structure", "%s has an element that R4 does not know", rule.name)
		p.expression = rule.name
		if known {
			p.expression += "." + name
			p.diagnostics = rule.name + "." + name + " is a list where one value belongs, or the reverse"
		}
		return p
	}
	if meta, has := resource["meta"]; has {
		if _, ok := meta.(map[string]any); !ok {
			return refuse(http.StatusUnprocessableEntity, "structure", "meta is not an object")
		}
	}
	if _, ok := resource["modifierExtension"]; ok {
		return refuse(http.StatusUnprocessableEntity, "extension", "modifier extensions are not accepted")
	}
	return nil
}

// checkRequired reports a missing element at a dotted path: wherever the parent is, the last name must be.
func checkRequired(typ string, resource map[string]any, path string) *problem {
	names := strings.Split(path, ".")
	parents := extract(resource, names[:len(names)-1])
	for _, parent := range parents {
		object, ok := parent.(map[string]any)
		if _, has := object[names[len(names)-1]]; !ok || !has {
			p := refuse(http.StatusUnprocessableEntity, "required", "%s.%s is required", typ, path)
			p.expression = typ + "." + path
			return p
		}
	}
	return nil
}

var relativeReference = regexp.MustCompile(`^([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$`)

// localReference splits a relative reference, or an absolute one under base, into type and id.
func localReference(base, reference string) (typ, id string, ok bool) {
	parts := relativeReference.FindStringSubmatch(strings.TrimPrefix(reference, base+"/"))
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// referenceChecker finds references that lead nowhere.
type referenceChecker struct {
	base      string
	others    lookup
	contained map[string]bool
}

func (c referenceChecker) check(typ string, resource map[string]any) *problem {
	c.contained = map[string]bool{}
	for _, id := range extract(resource, []string{"contained", "id"}) {
		if id, ok := id.(string); ok {
			c.contained["#"+id] = true
		}
	}
	return c.walk(typ, resource)
}

func (c referenceChecker) walk(path string, value any) *problem {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			if p := c.walk(path, item); p != nil {
				return p
			}
		}
	case map[string]any:
		if reference, ok := value["reference"].(string); ok && !c.resolves(reference) {
			p := refuse(http.StatusUnprocessableEntity, "not-found", "%s refers to something that is not on this server", path)
			p.expression = path
			return p
		}
		for name, child := range value {
			if p := c.walk(join(path, name), child); p != nil {
				return p
			}
		}
	}
	return nil
}

func (c referenceChecker) resolves(reference string) bool {
	if strings.HasPrefix(reference, "#") {
		return c.contained[reference]
	}
	typ, id, ok := localReference(c.base, reference)
	if !ok {
		return false
	}
	_, found := c.others.Get(typ, id)
	return found
}
