package fhirserver

import (
	"regexp"
	"strings"
	"time"
)

// period is the range of time a FHIR date, dateTime, instant or Period may mean:
// from included, to excluded; a zero end is open.
type period struct{ from, to time.Time }

var datePattern = regexp.MustCompile(`^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$`)

// parsePeriod reads a date of any precision. Without an offset it is taken as UTC.
func parsePeriod(text string) (period, bool) {
	// A "+" of an offset arrives as a space when the caller forgot to escape it.
	text = strings.Replace(text, " ", "+", 1)
	if !datePattern.MatchString(text) {
		return period{}, false
	}
	layouts := []struct {
		layout string
		step   func(time.Time) time.Time
	}{
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04:05Z07:00", nil},
		{"2006-01-02T15:04:05", nil},
	}
	for _, l := range layouts {
		at, err := time.Parse(l.layout, text)
		if err != nil {
			continue
		}
		switch {
		case l.step != nil:
			return period{at, l.step(at)}, true
		case strings.Contains(text, "."):
			return period{at, at.Add(time.Nanosecond)}, true
		default:
			return period{at, at.Add(time.Second)}, true
		}
	}
	return period{}, false
}

// periodOf turns an element (a date of any kind, or a Period) into its range.
func periodOf(value any) (period, bool) {
	switch value := value.(type) {
	case string:
		return parsePeriod(value)
	case map[string]any:
		var out period
		start, hasStart := value["start"].(string)
		end, hasEnd := value["end"].(string)
		if !hasStart && !hasEnd {
			return period{}, false
		}
		if hasStart {
			p, ok := parsePeriod(start)
			if !ok {
				return period{}, false
			}
			out.from = p.from
		}
		if hasEnd {
			p, ok := parsePeriod(end)
			if !ok {
				return period{}, false
			}
			out.to = p.to
		}
		return out, true
	}
	return period{}, false
}

// approximation is how far "ap" reaches to either side of a range.
const approximation = 24 * time.Hour

// compare applies a prefix of R4 search.html#date to the range of an element.
func (p period) compare(prefix string, q period) bool {
	open := p.to.IsZero()
	switch prefix {
	case "eq":
		return !p.from.Before(q.from) && !open && !p.to.After(q.to)
	case "ne":
		return !p.compare("eq", q)
	case "gt":
		return open || p.to.After(q.to)
	case "ge":
		return open || p.to.After(q.to) || p.compare("eq", q) || !p.from.Before(q.from)
	case "lt":
		return p.from.Before(q.from)
	case "le":
		return p.from.Before(q.from) || p.compare("eq", q) || (!open && !p.to.After(q.to))
	case "sa":
		return !p.from.Before(q.to)
	case "eb":
		return !open && !p.to.After(q.from)
	case "ap":
		return p.from.Before(q.to.Add(approximation)) && (open || p.to.After(q.from.Add(-approximation)))
	}
	return false
}
