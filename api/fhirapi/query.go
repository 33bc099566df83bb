package fhirapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/fhir"
)

// searchParams is what a search on a type understands; the CapabilityStatement lists the same.
func searchParams(resource string) []fhir.SearchParam {
	switch resource {
	case "Appointment":
		return []fhir.SearchParam{{Name: "_id", Type: "token"}, {Name: "identifier", Type: "token"}, {Name: "status", Type: "token"}, {Name: "date", Type: "date"},
			{Name: "patient", Type: "reference"}, {Name: "practitioner", Type: "reference"}, {Name: "actor", Type: "reference"}}
	case "AuditEvent":
		return []fhir.SearchParam{{Name: "date", Type: "date"}, {Name: "outcome", Type: "token"}, {Name: "patient", Type: "reference"}}
	}
	return nil
}

const (
	defaultCount = 50
	maxCount     = 100
	cursorParam  = "_cursor"
)

// criteria are the parameters of a search, as they were understood.
type criteria struct {
	values url.Values
	count  int
	cursor string
}

// parameters reads a search by GET or POST. A parameter that is not known is refused, because ignoring one that should
// have narrowed the search would give away more than was asked for; Prefer: handling=lenient ignores it.
func parameters(c *gin.Context, resource string) (criteria, error) {
	given := c.Request.URL.Query()
	if c.Request.Method == http.MethodPost {
		if err := c.Request.ParseForm(); err != nil {
			return criteria{}, badSearch("the form cannot be read")
		}
		for name, values := range c.Request.PostForm {
			given[name] = append(given[name], values...)
		}
	}
	out := criteria{values: url.Values{}, count: defaultCount}
	for name, values := range given {
		switch {
		case name == "_format" || name == "_pretty":
		case name == "_count":
			n, err := strconv.Atoi(values[0])
			if err != nil || n < 0 {
				return criteria{}, badSearch("_count must be a number")
			}
			out.count = min(n, maxCount)
		case name == cursorParam:
			out.cursor = values[0]
		case slices.ContainsFunc(searchParams(resource), func(p fhir.SearchParam) bool { return p.Name == name }):
			out.values[name] = values
		case preferred(c, "handling") != "lenient":
			return criteria{}, badSearch("a search parameter is not known, or its modifier is not supported")
		}
	}
	return out, nil
}

func badSearch(text string) error {
	return &problem{status: http.StatusBadRequest, code: "invalid", text: text}
}

// self is the URL of what was understood; next continues after cursor.
func (q criteria) self(base string) string { return base + "?" + q.encode("") }

func (q criteria) next(base, cursor string) string { return base + "?" + q.encode(cursor) }

func (q criteria) encode(cursor string) string {
	v := url.Values{}
	for name, values := range q.values {
		v[name] = values
	}
	v.Set("_count", strconv.Itoa(q.count))
	if cursor != "" {
		v.Set(cursorParam, cursor)
	}
	return v.Encode()
}

// interval is a half-open stretch of time.
type interval struct{ from, to time.Time }

// window is what date criteria leave over, as bounds on an instant; nil is unbounded.
type window struct {
	from, to *time.Time // from <= t < to
	not      []interval
}

// dates reads date criteria (R4 search, date): each repetition narrows. The stretch that a date means is as long as its
// precision; without a zone it is UTC.
func dates(values []string) (window, error) {
	var w window
	for _, value := range values {
		prefix, text := "eq", value
		if len(value) > 2 && value[0] >= 'a' && value[0] <= 'z' {
			prefix, text = value[:2], value[2:]
		}
		i, ok := stretch(text)
		if !ok {
			return w, badSearch("a date cannot be read")
		}
		switch prefix {
		case "eq":
			w.atLeast(i.from)
			w.before(i.to)
		case "ne":
			w.not = append(w.not, i)
		case "gt", "sa":
			w.atLeast(i.to)
		case "ge":
			w.atLeast(i.from)
		case "lt", "eb":
			w.before(i.from)
		case "le":
			w.before(i.to)
		default:
			return w, badSearch("a date has a prefix that is not supported")
		}
	}
	return w, nil
}

func (w *window) atLeast(t time.Time) {
	if w.from == nil || t.After(*w.from) {
		w.from = &t
	}
}

func (w *window) before(t time.Time) {
	if w.to == nil || t.Before(*w.to) {
		w.to = &t
	}
}

func stretch(text string) (interval, bool) {
	for _, p := range []struct {
		layout              string
		years, months, days int
		length              time.Duration
	}{
		{"2006", 1, 0, 0, 0}, {"2006-01", 0, 1, 0, 0}, {"2006-01-02", 0, 0, 1, 0},
		{"2006-01-02T15:04Z07:00", 0, 0, 0, time.Minute}, {"2006-01-02T15:04:05Z07:00", 0, 0, 0, time.Second},
		{"2006-01-02T15:04", 0, 0, 0, time.Minute}, {"2006-01-02T15:04:05", 0, 0, 0, time.Second},
	} {
		at, err := time.Parse(p.layout, strings.Replace(text, " ", "+", 1)) // "+" in a URL that was not escaped
		if err == nil {
			return interval{at.UTC(), at.AddDate(p.years, p.months, p.days).Add(p.length).UTC()}, true
		}
	}
	return interval{}, false
}
