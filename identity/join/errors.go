package join

import (
	"fmt"
	"time"
)

// LinkRefused tells why a link lets nobody in.
type LinkRefused struct {
	// Reason is unknown, incomplete, wrong-birth-date, locked, expired, revoked, cancelled, ended or no-show.
	Reason    string
	Remaining int       // wrong-birth-date: tries left before the link is locked
	Until     time.Time // locked: when it opens again
}

// Error is for logs.
func (e *LinkRefused) Error() string { return "join: link refused: " + e.Reason }

// Code is the reason.
func (e *LinkRefused) Code() string { return e.Reason }

// RefusalCode makes the trail keep the refusal (audit.Refusal).
func (e *LinkRefused) RefusalCode() string { return e.Reason }

// Safe is for people. It says "locked" without a time of day, because the reader's time zone is the page's to know.
func (e *LinkRefused) Safe() string {
	switch e.Reason {
	case "incomplete":
		return "This link is not complete. Open it from the message you received, or ask for a new one."
	case "wrong-birth-date":
		if e.Remaining == 1 {
			return "The date of birth does not match. You have 1 try left."
		}
		return fmt.Sprintf("The date of birth does not match. You have %d tries left.", e.Remaining)
	case "locked":
		return "There were too many wrong tries. Please wait 15 minutes, or ask your clinic for a new link."
	case "expired":
		return "This link has expired. Ask your clinic for a new one."
	case "revoked":
		return "This link is no longer valid. Ask your clinic for a new one."
	case "cancelled":
		return "This visit was cancelled."
	case "ended":
		return "This visit has ended."
	case "no-show":
		return "This visit was closed because nobody joined. Ask your clinic for a new appointment."
	}
	return "This link is not known. Open it from the message you received, or ask for a new one."
}

// TokenRefused tells why a room token opens nothing.
type TokenRefused struct {
	// Reason is malformed, expired, used, foreign or closed.
	Reason string
	cause  error
}

// Error is for logs.
func (e *TokenRefused) Error() string {
	if e.cause != nil {
		return "join: room token refused: " + e.Reason + ": " + e.cause.Error()
	}
	return "join: room token refused: " + e.Reason
}

// Unwrap gives the cause, if there is one.
func (e *TokenRefused) Unwrap() error { return e.cause }

// Code is the reason.
func (e *TokenRefused) Code() string { return e.Reason }

// RefusalCode makes the trail keep the refusal (audit.Refusal).
func (e *TokenRefused) RefusalCode() string { return e.Reason }

// Safe is for people.
func (e *TokenRefused) Safe() string {
	switch e.Reason {
	case "closed":
		return "This visit is over."
	case "expired", "used":
		return "The entry to the room was used or has expired. Reload the page to join again."
	}
	return "You cannot join this room."
}
