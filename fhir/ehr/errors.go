package ehr

import (
	"fmt"
	"strings"
	"time"
)

// Problem is what is known of a failure. It holds codes alone: the texts of an OperationOutcome may name a patient.
type Problem struct {
	Interaction string   // read, search, create, update, patch or capabilities
	Type        string   // of the resource
	Status      int      // HTTP; 0 when no answer came
	Codes       []string // OperationOutcome.issue.code (FHIR R4 issue-type)
	Vendor      []string // numeric codes of the vendor's, from OperationOutcome.issue.details
	RequestID   string   // of the EHR's, or ours
	cause       error
}

func (p Problem) text(kind string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ehr: %s: %s %s: status %d", kind, p.Interaction, p.Type, p.Status)
	if codes := append(append([]string(nil), p.Codes...), p.Vendor...); len(codes) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(codes, ", "))
	}
	if p.cause != nil {
		fmt.Fprintf(&b, ": %v", p.cause)
	}
	return b.String()
}

// Transient is a failure that may pass: no answer, overload, a server's own error.
type Transient struct {
	Problem
	RetryAfter time.Duration // as the EHR asks; 0 if it does not
	// MayHaveHappened says that the request may have been carried out although no answer came: search before another try.
	MayHaveHappened bool
}

// Permanent is a failure that will be the same next time: the request is not acceptable.
type Permanent struct{ Problem }

// NotFound means that there is no such resource, or no more (404, 410).
type NotFound struct{ Problem }

// Conflict means that the resource was changed or locked by somebody else, or that a condition matched several
// (409, 412, 423; vendors differ in which they use): read again and apply again.
type Conflict struct{ Problem }

// Unauthorized means that the token is not accepted (401).
type Unauthorized struct{ Problem }

// Forbidden means that the token does not permit this (403), or that the chart is protected against it.
type Forbidden struct{ Problem }

// Error is for logs.
func (e *Transient) Error() string { return e.text("transient") }

// Error is for logs.
func (e *Permanent) Error() string { return e.text("permanent") }

// Error is for logs.
func (e *NotFound) Error() string { return e.text("not found") }

// Error is for logs.
func (e *Conflict) Error() string { return e.text("conflict") }

// Error is for logs.
func (e *Unauthorized) Error() string { return e.text("unauthorized") }

// Error is for logs.
func (e *Forbidden) Error() string { return e.text("forbidden") }

// Unwrap gives the cause, if there is one besides the status.
func (p Problem) Unwrap() error { return p.cause }

// Safe is for people.
func (e *Transient) Safe() string { return "The chart does not answer at the moment." }

// Safe is for people.
func (e *Permanent) Safe() string { return "The chart does not accept this." }

// Safe is for people.
func (e *NotFound) Safe() string { return "The chart does not have this any more." }

// Safe is for people.
func (e *Conflict) Safe() string { return "Somebody else changed this in the chart." }

// Safe is for people.
func (e *Unauthorized) Safe() string {
	return "The chart asks you to sign in again. Open the visit from the chart once more."
}

// Safe is for people.
func (e *Forbidden) Safe() string { return "The chart does not permit this." }
