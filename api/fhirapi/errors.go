package fhirapi

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// ErrUnknownReference is what a Directory answers for a reference that names nobody whom it can find.
var ErrUnknownReference = errors.New("the reference names nobody known here")

// problem is an error of this API's own. Its text is safe.
type problem struct {
	status     int
	code, text string // code: R4 issue-type
	expression string
}

func (p *problem) Error() string { return p.text }

var (
	errUnauthorized = &problem{status: http.StatusUnauthorized, code: "login", text: "a valid access token is required"}
	errNotFound     = &problem{status: http.StatusNotFound, code: "not-found", text: "there is no such resource"}
	errStale        = &problem{status: http.StatusPreconditionFailed, code: "conflict", text: "the version does not match; read the resource again"}
)

// fail answers with an OperationOutcome. What no line of this table names is answered by the table of package api.
func fail(c *gin.Context, err error) {
	var (
		own      *problem
		invalid  *fhir.Invalid
		taken    *scheduling.Taken
		changed  *scheduling.Changed
		field    *scheduling.Invalid
		refused  *visit.Refused
		notFound = errors.Is(err, scheduling.ErrNotFound) || errors.Is(err, identity.ErrNoStaff) || errors.Is(err, api.ErrNotFound)
	)
	switch {
	case errors.As(err, &own):
	case errors.As(err, &invalid):
		answer(c, http.StatusUnprocessableEntity, invalid.Issues...)
		return
	case isMalformed(err):
		own = &problem{status: http.StatusBadRequest, code: "structure", text: malformed(err)}
	case errors.As(err, &taken):
		answer(c, http.StatusConflict, takenIssues(taken)...)
		return
	case errors.As(err, &changed):
		own = errStale
	case errors.As(err, &field):
		own = &problem{status: http.StatusUnprocessableEntity, code: "business-rule", text: field.Error(), expression: "Appointment"}
	case errors.As(err, &refused):
		own = &problem{status: http.StatusConflict, code: "business-rule", text: "the visit is " + string(refused.State.Stage) + "; this is no longer possible"}
	case notFound:
		own = errNotFound
	default:
		api.Fail(c, err)
		return
	}
	issue := fhir.Issue{Code: own.code, Text: own.text}
	if own.expression != "" {
		issue.Expression = []string{own.expression}
	}
	answer(c, own.status, issue)
}

func answer(c *gin.Context, status int, issues ...fhir.Issue) {
	c.Abort()
	write(c, status, fhir.OperationOutcome(issues...))
}

func isMalformed(err error) bool {
	for _, known := range []error{fhir.ErrNotJSON, fhir.ErrDuplicate, fhir.ErrTooDeep, fhir.ErrEmptyValue, fhir.ErrOtherType} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// malformed is the text without what was wrapped around it.
func malformed(err error) string {
	for _, known := range []error{fhir.ErrDuplicate, fhir.ErrTooDeep, fhir.ErrEmptyValue, fhir.ErrOtherType} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// takenIssues tells which times are free instead, so that a client can offer them.
func takenIssues(t *scheduling.Taken) []fhir.Issue {
	issues := []fhir.Issue{{Code: "conflict", Text: "the clinician is already booked at this time", Expression: []string{"Appointment.start"}}}
	for _, slot := range t.Nearest {
		const layout = "2006-01-02T15:04:05Z07:00"
		issues = append(issues, fhir.Issue{Severity: "information", Code: "informational", Text: "free: " + slot.StartsAt.UTC().Format(layout) + " to " + slot.EndsAt.UTC().Format(layout)})
	}
	return issues
}
