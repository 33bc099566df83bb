package phi

import (
	"errors"
	"time"
)

// ErrBadDate is returned for anything that is not a calendar date written YYYY-MM-DD. It does not repeat the input.
var ErrBadDate = errors.New("phi: not a calendar date of the form YYYY-MM-DD")

// Date is a calendar date that belongs to a patient, such as a date of birth. It has no time zone. The zero Date is absent.
type Date struct {
	redacted
	content *string // YYYY-MM-DD, checked
}

// ParseDate reads a full calendar date in the form YYYY-MM-DD (the full form of FHIR's date type; a date that
// does not exist in the Gregorian calendar, or the year 0000, is refused). It returns [ErrBadDate] otherwise.
func ParseDate(s string) (Date, error) {
	parsed, err := time.Parse(time.DateOnly, s)
	if err != nil || parsed.Year() < 1 {
		return Date{}, ErrBadDate
	}
	return Date{content: &s}, nil
}

// Reveal returns the date as YYYY-MM-DD, or "" for the zero Date.
func (d Date) Reveal() string {
	if d.content == nil {
		return ""
	}
	return *d.content
}

// IsZero reports whether the date is absent.
func (d Date) IsZero() bool { return d.content == nil }

// Equal reports whether both are the same day (or both absent), in time that depends on neither.
func (d Date) Equal(other Date) bool { return equal(d.Reveal(), other.Reveal()) }

// UnmarshalText reads a date in; an empty text is the zero Date.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
