package scheduling

import (
	"regexp"
	"time"
)

// Date is a day of the calendar, in no time zone. The zero Date is absent.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day that t falls on in zone.
func DateOf(t time.Time, zone *time.Location) Date {
	y, m, d := t.In(zone).Date()
	return Date{y, m, d}
}

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, &Invalid{"day", "is not a date of the form YYYY-MM-DD"}
	}
	return DateOf(t, time.UTC), nil
}

// String writes YYYY-MM-DD.
func (d Date) String() string { return d.at(0, 0, time.UTC).Format(time.DateOnly) }

// IsZero reports whether the date is absent.
func (d Date) IsZero() bool { return d == Date{} }

// Add gives the day that many days later.
func (d Date) Add(days int) Date {
	return DateOf(time.Date(d.Year, d.Month, d.Day+days, 12, 0, 0, 0, time.UTC), time.UTC)
}

// at is the instant of a wall-clock time of the day. Where a change of the clock skips it, it is as much later as was
// skipped.
func (d Date) at(hour, minute int, zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, hour, minute, 0, 0, zone)
}

// languageTag is the shape of BCP 47 tags.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

func isLanguage(tag string) bool { return tag == "" || languageTag.MatchString(tag) }

// code is the shape of our own codes and of those of FHIR's small value sets.
var code = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
