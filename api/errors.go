package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// Problem is an error as it is told to whoever asked. Code is a short word; the pages hold a title and an advice for
// each. Detail is a sentence that the domain offers, safe to show; it may be empty.
type Problem struct {
	Status  int
	Code    string
	Detail  string
	Request string // the request's id, for the IT team
}

// plain is an error of the doors themselves.
type plain struct {
	status     int
	code, text string
}

func (p *plain) Error() string { return p.text }
func (p *plain) Code() string  { return p.code }

// The errors that handlers use where the domain has none of its own.
var (
	ErrNotFound  error = &plain{http.StatusNotFound, "not-found", "there is nothing at this address"}
	ErrGone      error = &plain{http.StatusGone, "gone", "this is no longer valid"}
	ErrSignedOut error = &plain{http.StatusUnauthorized, "signed-out", "nobody is signed in"}
	ErrOffline   error = &plain{http.StatusServiceUnavailable, "offline", "a system that is needed does not answer"}

	errMethod  error = &plain{http.StatusMethodNotAllowed, "method", "this address does not take this method"}
	errCSRF    error = &plain{http.StatusForbidden, "csrf", "the form does not belong to this session"}
	errOrigin  error = &plain{http.StatusForbidden, "origin", "another site's page asked for this"}
	errTooMany error = &plain{http.StatusTooManyRequests, "too-many", "too many attempts"}
	errPanic   error = &plain{http.StatusInternalServerError, "internal", "a handler panicked"}
)

// Invalid is input that cannot be used. Field names the input; Sentence is shown and must not repeat it.
type Invalid struct{ Field, Sentence string }

func (i *Invalid) Error() string { return "the field " + i.Field + " cannot be used" }

// Conflict wraps an error that means: somebody else was faster, or the state has moved on.
type Conflict struct{ Err error }

func (c *Conflict) Error() string { return c.Err.Error() }
func (c *Conflict) Unwrap() error { return c.Err }

// Statused is how an error of a lower package is given its status: the packages of the doors wrap with it.
type Statused struct {
	Status int
	Err    error
}

func (s *Statused) Error() string { return s.Err.Error() }
func (s *Statused) Unwrap() error { return s.Err }

// ProblemOf is the error table: the first entry that fits decides the status; the error's own Code and Safe are told
// where it has them. What no entry knows is internal, and nothing of it is told.
func ProblemOf(err error) Problem {
	status, code := statusOf(err)
	p := Problem{Status: status, Code: code}
	if status == http.StatusInternalServerError {
		return p
	}
	var coded interface{ Code() string }
	if code == "" && errors.As(err, &coded) {
		p.Code = coded.Code()
	}
	var safe interface{ Safe() string }
	var invalid *Invalid
	switch {
	case errors.As(err, &safe):
		p.Detail = safe.Safe()
	case errors.As(err, &invalid):
		p.Detail = invalid.Sentence
	}
	return p
}

// statusOf gives the status, and the code unless the error has its own.
func statusOf(err error) (int, string) {
	switch {
	case is[*http.MaxBytesError](err):
		return http.StatusRequestEntityTooLarge, "too-large"
	case is[*Statused](err):
		return as[*Statused](err).Status, ""
	case is[*plain](err):
		return as[*plain](err).status, ""
	case is[*Invalid](err), is[*scheduling.Invalid](err):
		return http.StatusBadRequest, "invalid"
	case is[*identity.Denied](err), is[*identity.Refused](err), is[*sso.Refused](err), is[*join.TokenRefused](err):
		return http.StatusForbidden, ""
	case is[*identity.SessionOver](err):
		return http.StatusUnauthorized, "signed-out"
	case is[*visit.Refused](err):
		return http.StatusConflict, "not-now"
	case is[*scheduling.NotConsented](err):
		return http.StatusConflict, "no-consent"
	case is[*Conflict](err), is[*scheduling.Taken](err), is[*scheduling.Changed](err):
		return http.StatusConflict, "conflict"
	case is[*join.LinkRefused](err):
		return linkStatus(as[*join.LinkRefused](err)), ""
	case errors.Is(err, scheduling.ErrNotFound), errors.Is(err, identity.ErrNoStaff), errors.Is(err, identity.ErrNoOrganisation):
		return http.StatusNotFound, "not-found"
	case is[*sso.Failed](err):
		return failedStatus(as[*sso.Failed](err).Code())
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "offline"
	}
	return http.StatusInternalServerError, "internal"
}

// failedStatus tells a sign-in service that is silent from one that answers what cannot be used.
func failedStatus(code string) (int, string) {
	if code == "" || code == "unreachable" {
		return http.StatusServiceUnavailable, "offline"
	}
	return http.StatusBadGateway, ""
}

func linkStatus(refused *join.LinkRefused) int {
	switch refused.Reason {
	case "unknown":
		return http.StatusNotFound
	case "incomplete":
		return http.StatusBadRequest
	case "wrong-birth-date":
		return http.StatusForbidden
	case "locked":
		return http.StatusTooManyRequests
	}
	return http.StatusGone
}

func is[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

func as[E error](err error) E {
	var target E
	errors.As(err, &target)
	return target
}

// cause is an error's text fit for a log. An error of the HTTP client quotes the URL, which may hold a value.
func cause(err error) string {
	var address *url.Error
	if errors.As(err, &address) {
		return "request failed: " + audit.Safe(address.Err)
	}
	return audit.Safe(err)
}

// Fail answers with err in the form of the route, and ends the chain.
func Fail(c *gin.Context, err error) {
	c.Abort()
	e := engineOf(c)
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		c.Status(499) // the caller left; nobody reads an answer
		return
	}
	p := ProblemOf(err)
	p.Request = RequestID(c)
	level := slog.LevelInfo
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	e.deps.Log.Log(c.Request.Context(), level, "a request failed", "code", p.Code, "status", p.Status, "cause", cause(err),
		"route", c.FullPath(), "request_id", p.Request)
	if p.Status == http.StatusTooManyRequests {
		c.Header("Retry-After", "60")
	}
	switch answersOf(c) {
	case FHIR:
		if p.Detail == "" {
			p.Detail = technical(err)
		}
		c.Data(p.Status, "application/fhir+json; fhirVersion=4.0; charset=utf-8", outcome(p))
	case JSON:
		if p.Detail == "" {
			p.Detail = e.deps.Pages.Sentence(c, p)
		}
		c.JSON(p.Status, map[string]string{"error": p.Code, "message": p.Detail, "request": p.Request})
	default:
		if p.Status == http.StatusUnauthorized && c.Request.Method == http.MethodGet {
			c.Redirect(http.StatusSeeOther, "/?"+url.Values{"next": {c.Request.URL.Path}, "over": {whyOver(err)}}.Encode())
			return
		}
		e.deps.Pages.Problem(c, p)
	}
}

// whyOver is why the session ended: idle, expired, ended; none when there was none.
func whyOver(err error) string {
	if is[*identity.SessionOver](err) {
		return as[*identity.SessionOver](err).Code()
	}
	return "none"
}

// Warn logs an error that the page tells of in its own words.
func Warn(c *gin.Context, what string, err error) {
	engineOf(c).deps.Log.Warn(what, "cause", cause(err), "route", c.FullPath(), "request_id", RequestID(c))
}

// answersOf is the route's form, unless the caller is a script that asks for JSON.
func answersOf(c *gin.Context) Answers {
	route := routeOf(c)
	switch {
	case route.Answers == FHIR, strings.HasPrefix(c.Request.URL.Path+"/", "/fhir/"):
		return FHIR
	case route.Answers == JSON, strings.HasPrefix(c.GetHeader("Accept"), "application/json"):
		return JSON
	}
	return HTML
}

// technical is the sentence of an error of the doors for the programs of other systems.
func technical(err error) string {
	var own *plain
	switch {
	case is[*http.MaxBytesError](err):
		return fmt.Sprintf("the body is larger than %d bytes", as[*http.MaxBytesError](err).Limit)
	case errors.As(err, &own) && own.status != http.StatusInternalServerError:
		return own.text
	case ProblemOf(err).Status == http.StatusInternalServerError:
		return "this server failed; the request may be repeated"
	}
	return ""
}

// outcome is a FHIR R4 OperationOutcome of one issue.
func outcome(p Problem) []byte {
	type issue struct {
		Severity    string `json:"severity"`
		Code        string `json:"code"`
		Diagnostics string `json:"diagnostics,omitempty"`
	}
	body, err := json.Marshal(struct {
		ResourceType string  `json:"resourceType"`
		Issue        []issue `json:"issue"`
	}{"OperationOutcome", []issue{{"error", issueType(p.Status), strings.TrimSpace(p.Detail + " [" + p.Code + ", request " + p.Request + "]")}}})
	if err != nil {
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"exception"}]}`)
	}
	return body
}

// issueType is the code of http://hl7.org/fhir/issue-type that fits an HTTP status.
func issueType(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "invalid"
	case http.StatusUnauthorized:
		return "login"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound, http.StatusGone:
		return "not-found"
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return "not-supported"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "conflict"
	case http.StatusRequestEntityTooLarge:
		return "too-long"
	case http.StatusTooManyRequests:
		return "throttled"
	case http.StatusServiceUnavailable, http.StatusBadGateway:
		return "transient"
	}
	return "exception"
}
