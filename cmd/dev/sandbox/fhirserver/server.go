package fhirserver

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/sandbox/reqlog"
	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
)

// maxBody bounds a request body: a note of 5 MiB must pass (US Core writing guidance), base64 included.
const maxBody = 16 << 20

// Config is what a Server needs. Base is the absolute URL of the FHIR endpoint, without a
// slash at its end; the server answers paths below the path of Base.
type Config struct {
	Base       string
	Store      *Store
	Authorizer Authorizer
	Faults     *faults.Set
	Now        func() time.Time
	Log        *slog.Logger
}

// Server answers FHIR requests.
type Server struct {
	base   string
	store  *Store
	auth   Authorizer
	faults *faults.Set
	now    func() time.Time
	log    *slog.Logger
	pages  *pages
}

// New makes a server.
func New(c Config) *Server {
	return &Server{base: c.Base, store: c.Store, auth: c.Authorizer, faults: c.Faults, now: c.Now, log: c.Log, pages: newPages(c.Now)}
}

// request is one request after routing.
type request struct {
	*http.Request
	access Access
	rule   typeRule
	id     string
	vid    string
	kind   interaction
	fault  faults.Fault
}

type interaction struct {
	name  string
	perm  scope.Permission
	write bool
}

// Template is the path of a request with identifiers replaced, for the request log.
// It expects the path below the FHIR base.
func Template(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		_, isType := ruleFor(part)
		if !isType && part != "metadata" && !strings.HasPrefix(part, "_") && !strings.HasPrefix(part, ".") && part != "" && part != "smart-configuration" {
			parts[i] = "{id}"
		}
	}
	return "/" + strings.Join(parts, "/")
}

// ServeHTTP answers paths relative to the FHIR base (the caller strips its path).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if p := negotiate(r); p != nil {
		writeProblem(w, p)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 1 && parts[0] == "metadata" {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			writeProblem(w, refuse(http.StatusMethodNotAllowed, "not-supported", "metadata is read with GET"))
			return
		}
		writeJSON(w, http.StatusOK, s.capability())
		return
	}
	access, err := s.auth.Access(r)
	if err != nil {
		s.unauthorized(w, hasBearer(r))
		return
	}
	reqlog.Note(r.Context(), func(e *reqlog.Entry) { e.Client = access.Client })
	req, p := s.route(r, parts)
	if p != nil {
		writeProblem(w, p)
		return
	}
	req.access = access
	s.serve(w, req)
}

// route finds the interaction of a request.
func (s *Server) route(r *http.Request, parts []string) (*request, *problem) {
	rule, ok := ruleFor(parts[0])
	if !ok {
		return nil, refuse(http.StatusNotFound, "not-supported", "this server does not have that resource type")
	}
	req := &request{Request: r, rule: rule}
	shape := "type"
	switch {
	case len(parts) == 2 && parts[1] == "_search":
		shape = "search"
	case len(parts) == 2:
		shape, req.id = "instance", parts[1]
	case len(parts) == 3 && parts[2] == "_history":
		shape, req.id = "history", parts[1]
	case len(parts) == 4 && parts[2] == "_history":
		shape, req.id, req.vid = "version", parts[1], parts[3]
	case len(parts) != 1:
		return nil, refuse(http.StatusNotFound, "not-supported", "there is nothing at this path")
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	kind, ok := interactionFor(shape, method)
	if !ok || (kind.write && !s.writable(rule)) {
		return nil, refuse(http.StatusMethodNotAllowed, "not-supported", "%s does not allow this interaction", rule.name)
	}
	req.kind = kind
	return req, nil
}

func interactionFor(shape, method string) (interaction, bool) {
	switch shape + " " + method {
	case "type GET", "search POST":
		return interaction{name: "search-type", perm: scope.Search}, true
	case "type POST":
		return interaction{name: "create", perm: scope.Create, write: true}, true
	case "instance GET":
		return interaction{name: "read", perm: scope.Read}, true
	case "instance PUT":
		return interaction{name: "update", perm: scope.Update, write: true}, true
	case "instance PATCH":
		return interaction{name: "patch", perm: scope.Update, write: true}, true
	case "history GET":
		return interaction{name: "history-instance", perm: scope.Read}, true
	case "version GET":
		return interaction{name: "vread", perm: scope.Read}, true
	}
	return interaction{}, false
}

// writable reports whether clients may write the type now: the fault "no_encounter_write"
// makes the server one of those that only read encounters.
func (s *Server) writable(rule typeRule) bool {
	return !rule.readOnly && (rule.name != "Encounter" || !s.faults.Active(faults.NoEncounterWrite))
}

func (s *Server) serve(w http.ResponseWriter, r *request) {
	if !s.commitFault(w, r) {
		return
	}
	set, p := permit(r.access, r.rule.name, r.kind.perm)
	if p != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Sandbox Hospital", error="insufficient_scope"`)
		writeProblem(w, p)
		return
	}
	switch r.kind.name {
	case "search-type":
		p = s.search(w, r, set)
	case "create":
		p = s.create(w, r, set)
	case "read":
		p = s.read(w, r, set)
	case "vread":
		p = s.vread(w, r, set)
	case "history-instance":
		p = s.history(w, r, set)
	case "update":
		p = s.update(w, r, set)
	case "patch":
		p = s.patch(w, r, set)
	}
	if p != nil {
		writeProblem(w, p)
	}
}

// commitFault commits the fault that is due before the request is handled; it reports whether to go on.
func (s *Server) commitFault(w http.ResponseWriter, r *request) bool {
	fault, due := s.faults.Take(r.rule.name, r.kind.write)
	if !due {
		return true
	}
	r.fault = fault
	reqlog.Note(r.Context(), func(e *reqlog.Entry) { e.Fault = string(fault.Kind) })
	if fault.Kind == faults.CommitThenTimeout {
		return true // committed by the write itself
	}
	if !wait(r.Context(), fault.Delay()) {
		return false
	}
	switch fault.Kind {
	case faults.ServerError:
		writeProblem(w, refuse(http.StatusServiceUnavailable, "transient", "the server is unavailable"))
	case faults.Conflict:
		writeProblem(w, refuse(http.StatusConflict, "conflict", "the resource was changed by someone else"))
	case faults.Precondition:
		writeProblem(w, refuse(http.StatusPreconditionFailed, "conflict", "the version does not match"))
	case faults.Locked:
		writeProblem(w, refuse(http.StatusLocked, "lock-error", "the chart is locked by another user"))
	case faults.RevokedToken:
		s.auth.Revoke(r.Request)
		s.unauthorized(w, true)
	default: // slow: only the wait
		return true
	}
	return false
}

// loseAnswer commits the fault "commit_then_timeout": the write is in the chart, and the client never hears of it.
func (s *Server) loseAnswer(r *request) {
	if r.fault.Kind != faults.CommitThenTimeout {
		return
	}
	wait(r.Context(), r.fault.Delay())
	panic(http.ErrAbortHandler)
}

func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// negotiate refuses representations other than FHIR JSON.
func negotiate(r *http.Request) *problem {
	format := r.URL.Query().Get("_format")
	if format == "" {
		format = r.Header.Get("Accept")
	}
	if format == "" {
		return nil
	}
	for accepted := range strings.SplitSeq(format, ",") {
		mediaType, params, err := mime.ParseMediaType(strings.ReplaceAll(strings.TrimSpace(accepted), " ", "+"))
		if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
			continue
		}
		switch mediaType {
		case "*/*", "application/*", "application/fhir+json", "application/json", "json":
			if version := params["fhirversion"]; version == "" || version == "4.0" {
				return nil
			}
		}
	}
	return refuse(http.StatusNotAcceptable, "not-supported", "this server answers application/fhir+json, FHIR version 4.0")
}

// checkContentType refuses bodies that do not say they are what the interaction takes.
func checkContentType(r *http.Request, allowed ...string) *problem {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil {
		charset := params["charset"]
		version := params["fhirversion"]
		if (charset == "" || strings.EqualFold(charset, "utf-8")) && (version == "" || version == "4.0") {
			for _, a := range allowed {
				if mediaType == a {
					return nil
				}
			}
		}
	}
	return refuse(http.StatusUnsupportedMediaType, "not-supported", "the body must be %s in UTF-8", allowed[0])
}
