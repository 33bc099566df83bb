package fhirserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
)

// Access is what the bearer of a token may do.
type Access struct {
	Client string
	// Patient is the id of the patient in context; patient/ scopes reach only this compartment.
	Patient string
	Scopes  scope.Set
}

// Authorizer reads the access token of a request.
type Authorizer interface {
	// Access returns an error when there is no valid token.
	Access(r *http.Request) (Access, error)
	// Revoke ends the access token of a request (the fault "revoked_token").
	Revoke(r *http.Request)
}

// permit returns the scopes that allow the interaction on the type, or a 403.
func permit(access Access, typ string, perm scope.Permission) (scope.Set, *problem) {
	set := access.Scopes.Permits(typ, perm)
	if len(set) == 0 {
		return nil, refuse(http.StatusForbidden, "forbidden", "the token has no scope for this interaction on %s", typ)
	}
	return set, nil
}

// reaches reports whether one of the scopes reaches this very resource.
func reaches(set scope.Set, access Access, v *Version, others lookup) bool {
	for _, s := range set {
		if s.Level == scope.Patient && !inCompartment(v, access.Patient) {
			continue
		}
		if len(s.Query) == 0 || matchesScopeQuery(v, s.Query, others) {
			return true
		}
	}
	return false
}

func matchesScopeQuery(v *Version, params url.Values, others lookup) bool {
	q, err := parseQuery(v.Type, params, true)
	return err == nil && q.matches(v, others)
}

// inCompartment reports whether a resource belongs to a patient; types without a
// compartment (practitioners, places, slots) are open to every patient.
func inCompartment(v *Version, patient string) bool {
	rule, _ := ruleFor(v.Type)
	if len(rule.compartment) == 0 {
		return true
	}
	if patient == "" {
		return false
	}
	for _, name := range rule.compartment {
		if name == "_id" {
			return v.ID == patient
		}
		param, _ := rule.param(name)
		for _, value := range elements(v, param) {
			if lastTwo(text(value, "reference")) == "Patient/"+patient {
				return true
			}
		}
	}
	return false
}

// bearer answers a request without a valid token as RFC 6750 section 3 asks.
func (s *Server) unauthorized(w http.ResponseWriter, hasToken bool) {
	challenge := `Bearer realm="Sandbox Hospital"`
	if hasToken {
		challenge += `, error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	writeProblem(w, refuse(http.StatusUnauthorized, "login", "a valid access token is required"))
}

func hasBearer(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
}
