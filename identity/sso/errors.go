package sso

import (
	"errors"
	"fmt"
)

// ErrGrantOver means that the tokens of a launch can no longer be used or refreshed; Backend Services remain.
var ErrGrantOver = errors.New("sso: the grant of this launch is over")

// Refused means that what came in must not be believed. It is in the trail as login.failed.
type Refused struct {
	code  string
	cause error
}

// Failed means that the other side is not usable: unreachable, or not speaking the standard.
type Failed struct {
	code  string
	cause error
}

// Error is for logs.
func (e *Refused) Error() string { return text("refused", e.code, e.cause) }

// Error is for logs.
func (e *Failed) Error() string { return text("failed", e.code, e.cause) }

// Unwrap gives the cause.
func (e *Refused) Unwrap() error { return e.cause }

// Unwrap gives the cause.
func (e *Failed) Unwrap() error { return e.cause }

// Code is a short word for programs.
func (e *Refused) Code() string { return e.code }

// Code is a short word for programs.
func (e *Failed) Code() string { return e.code }

// RefusalCode makes the trail keep the refusal (audit.Refusal).
func (e *Refused) RefusalCode() string { return e.code }

func text(what, code string, cause error) string {
	if cause == nil {
		return "sso: " + what + ": " + code
	}
	return fmt.Sprintf("sso: %s: %s: %v", what, code, cause)
}

// Safe is for people.
func (e *Refused) Safe() string {
	switch e.code {
	case "unknown-iss":
		return "This server does not know the system that sent you. Ask your administrator to add it."
	case "bad-launch":
		return "The launch from your chart was not complete. Open the visit from the chart again."
	case "state-unknown", "state-expired", "state-used":
		return "This sign-in has expired or was used already. Please start again."
	case "state-foreign-browser":
		return "This sign-in was begun in another browser. Please start again here."
	case "access-denied":
		return "The sign-in was cancelled. Please start again if you want to come in."
	case "not-a-clinician":
		return "Your chart account is not that of a clinician."
	case "unknown-provider":
		return "There is no such way to sign in."
	}
	return "The sign-in could not be verified and was refused. Please start again; if it happens again, tell your administrator."
}

// Safe is for people.
func (e *Failed) Safe() string {
	switch e.code {
	case "unreachable":
		return "The sign-in service does not answer. Please try again in a moment."
	case "login-required":
		return "Please sign in to your chart again, then open the visit from there."
	}
	return "The sign-in service answered in a way that this server does not understand. Please tell your administrator."
}

func refuse(code, cause string) error {
	if cause == "" {
		return &Refused{code: code}
	}
	return &Refused{code: code, cause: errors.New(cause)}
}

func fail(code string, cause error) error { return &Failed{code: code, cause: cause} }
