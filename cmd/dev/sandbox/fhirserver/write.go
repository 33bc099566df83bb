package fhirserver

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/uuid"

	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
)

func readBody(r *request) ([]byte, *problem) {
	raw, err := io.ReadAll(r.Body)
	if err == nil {
		return raw, nil
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too-long", "the body is larger than %d bytes", tooLarge.Limit)
	}
	return nil, refuse(http.StatusBadRequest, "incomplete", "the body could not be read")
}

// readResource reads, parses and validates the resource in the body.
func (s *Server) readResource(r *request) ([]byte, map[string]any, *problem) {
	if p := checkContentType(r.Request, "application/fhir+json", "application/json"); p != nil {
		return nil, nil, p
	}
	raw, p := readBody(r)
	if p != nil {
		return nil, nil, p
	}
	resource, p := s.parseResource(r.rule, raw)
	return raw, resource, p
}

func (s *Server) parseResource(rule typeRule, raw []byte) (map[string]any, *problem) {
	resource, err := decodeStrict(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "structure", "%s", err)
	}
	if p := s.validate(rule, resource); p != nil {
		return nil, p
	}
	return resource, s.vendorRules(rule, resource)
}

// vendorRules are refusals that real servers have beyond R4, armed as faults.
func (s *Server) vendorRules(rule typeRule, resource map[string]any) *problem {
	if rule.name != "DocumentReference" || !s.faults.Active(faults.PlainTextOnly) {
		return nil
	}
	for _, contentType := range extract(resource, words("content attachment contentType")) {
		value, _ := contentType.(string)
		if !plainText.MatchString(value) {
			s.faults.Spend(faults.PlainTextOnly)
			return invalid("DocumentReference.content.attachment.contentType", "this server takes only text/plain documents")
		}
	}
	return nil
}

var plainText = regexp.MustCompile(`^text/plain(;.*)?$`)

func (s *Server) create(w http.ResponseWriter, r *request, set scope.Set) *problem {
	raw, resource, p := s.readResource(r)
	if p != nil {
		return p
	}
	v := &Version{Type: r.rule.name, ID: uuid.NewString(), Method: http.MethodPost, Client: r.access.Client, Sent: raw, Raw: raw, parsed: resource}
	if !reaches(set, r.access, v, s.store) {
		return refuse(http.StatusForbidden, "forbidden", "the token does not reach this %s", r.rule.name)
	}
	criteria, p := conditional(r)
	if p != nil {
		return p
	}
	stored, created, err := s.store.Create(v, criteria)
	switch {
	case errors.Is(err, errMultiple):
		return refuse(http.StatusPreconditionFailed, "multiple-matches", "more than one %s matches If-None-Exist", r.rule.name)
	case err != nil:
		s.log.ErrorContext(r.Context(), "create failed", "type", r.rule.name, "error", err)
		return internal()
	case !created && !reaches(set, r.access, stored, s.store):
		return refuse(http.StatusForbidden, "forbidden", "the token does not reach the existing %s", r.rule.name)
	}
	s.loseAnswer(r)
	w.Header().Set("Location", s.base+"/"+stored.Reference()+"/_history/"+strconv.Itoa(stored.Version))
	if created {
		return writeReturn(w, r, http.StatusCreated, stored)
	}
	return writeReturn(w, r, http.StatusOK, stored)
}

// conditional reads If-None-Exist (R4 http.html 3.1.0.8.1). It must select something: an unknown
// or missing criterion would make every resource match, so it is refused instead of ignored.
func conditional(r *request) (matcher, *problem) {
	header := r.Header.Get("If-None-Exist")
	if header == "" {
		return nil, nil
	}
	if u, err := url.Parse(header); err == nil && u.RawQuery != "" {
		header = u.RawQuery
	}
	params, err := url.ParseQuery(header)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid", "If-None-Exist is not a query")
	}
	q, err := parseQuery(r.rule.name, params, true)
	if err != nil {
		return nil, asProblem(err)
	}
	if len(q.criteria) == 0 {
		return nil, refuse(http.StatusBadRequest, "invalid", "If-None-Exist selects nothing")
	}
	return q.matches, nil
}

func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return internal()
}

// ifMatch reads the version a client changes. This hospital asks for it on every change: 428 without it.
func ifMatch(r *request) (int, *problem) {
	header := r.Header.Get("If-Match")
	if header == "" {
		return 0, refuse(http.StatusPreconditionRequired, "required", "If-Match is required to change a %s", r.rule.name)
	}
	parts := etagPattern.FindStringSubmatch(header)
	if parts == nil {
		return 0, refuse(http.StatusBadRequest, "invalid", "If-Match is not a version of this server")
	}
	version, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0, refuse(http.StatusPreconditionFailed, "conflict", "the version does not match")
	}
	return version, nil
}

var etagPattern = regexp.MustCompile(`^(?:W/)?"(\d+)"$`)

func (s *Server) update(w http.ResponseWriter, r *request, set scope.Set) *problem {
	current, ok := s.store.Get(r.rule.name, r.id)
	if !ok {
		return refuse(http.StatusMethodNotAllowed, "not-supported", "clients do not choose ids on this server; create with POST")
	}
	if !reaches(set, r.access, current, s.store) {
		return refuse(http.StatusNotFound, "not-found", "there is no such %s", r.rule.name)
	}
	expected, p := ifMatch(r)
	if p != nil {
		return p
	}
	raw, resource, p := s.readResource(r)
	if p != nil {
		return p
	}
	if text(resource, "id") != r.id {
		return refuse(http.StatusBadRequest, "invalid", "the id in the body is not the id in the URL")
	}
	return s.replace(w, r, set, expected, func(*Version) (*Version, error) {
		return &Version{Method: http.MethodPut, Sent: raw, Raw: raw, parsed: resource}, nil
	})
}

func (s *Server) patch(w http.ResponseWriter, r *request, set scope.Set) *problem {
	if _, p := s.find(r, set); p != nil {
		return p
	}
	if p := checkContentType(r.Request, "application/json-patch+json"); p != nil {
		return p
	}
	expected, p := ifMatch(r)
	if p != nil {
		return p
	}
	body, p := readBody(r)
	if p != nil {
		return p
	}
	operations, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "structure", "the body is not a JSON Patch")
	}
	return s.replace(w, r, set, expected, func(current *Version) (*Version, error) {
		return s.patched(r, current, operations, body)
	})
}

// patched applies a JSON Patch to the served representation, because that is what the client saw, and validates the result.
func (s *Server) patched(r *request, current *Version, operations jsonpatch.Patch, body []byte) (*Version, error) {
	served, err := current.Served()
	if err != nil {
		return nil, err
	}
	raw, err := operations.Apply(served)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "processing", "the JSON Patch does not apply")
	}
	resource, p := s.parsePatched(r, raw)
	if p != nil {
		return nil, p
	}
	return &Version{Method: http.MethodPatch, Sent: body, Raw: raw, parsed: resource}, nil
}

func (s *Server) parsePatched(r *request, raw []byte) (map[string]any, *problem) {
	resource, err := decodeStrict(raw)
	if err != nil {
		return nil, refuse(http.StatusUnprocessableEntity, "structure", "after the patch %s", err)
	}
	if p := s.validateHeld(r.rule, resource); p != nil {
		return nil, p
	}
	if text(resource, "id") != r.id {
		return nil, refuse(http.StatusUnprocessableEntity, "invariant", "a patch cannot change the id")
	}
	return resource, s.vendorRules(r.rule, resource)
}

func (s *Server) replace(w http.ResponseWriter, r *request, set scope.Set, expected int, build func(*Version) (*Version, error)) *problem {
	next, err := s.store.Replace(r.rule.name, r.id, expected, func(current *Version) (*Version, error) {
		next, err := build(current)
		if err != nil {
			return nil, err
		}
		next.Type, next.ID, next.Client = r.rule.name, r.id, r.access.Client
		if !reaches(set, r.access, next, held{s.store}) {
			return nil, refuse(http.StatusForbidden, "forbidden", "the token does not reach the changed %s", r.rule.name)
		}
		return next, nil
	})
	switch {
	case errors.Is(err, errVersion):
		return refuse(http.StatusPreconditionFailed, "conflict", "the version does not match; read the %s again", r.rule.name)
	case err != nil:
		p := asProblem(err)
		if p.status == http.StatusInternalServerError {
			s.log.ErrorContext(r.Context(), "change failed", "type", r.rule.name, "error", err)
		}
		return p
	}
	s.loseAnswer(r)
	return writeReturn(w, r, http.StatusOK, next)
}

// writeReturn answers a write as Prefer: return asks.
func writeReturn(w http.ResponseWriter, r *request, status int, v *Version) *problem {
	switch preferred(r.Request, "return") {
	case "minimal":
		versionHeaders(w, v)
		w.WriteHeader(status)
		return nil
	case "OperationOutcome":
		versionHeaders(w, v)
		writeJSON(w, status, outcome{ResourceType: "OperationOutcome", Issue: []issue{{Severity: "information", Code: "informational", Diagnostics: "the resource was stored"}}})
		return nil
	}
	return writeVersion(w, status, v)
}
