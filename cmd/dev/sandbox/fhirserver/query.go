package fhirserver

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

const (
	defaultCount = 50
	maxCount     = 100 // the cap a large vendor's server sets
	maxValues    = 200 // values one search may hold, so that a search cannot become a scan of scans
)

// criterion is one search parameter with its alternatives (comma); repeated parameters are several criteria.
type criterion struct {
	param    searchParam
	modifier string
	chain    []string // names after the first dot, for example identifier in patient.identifier
	values   []string
}

// query is a parsed search.
type query struct {
	typ        string
	criteria   []criterion
	order      []sortKey
	count      int
	countOnly  bool
	include    []string
	revinclude []string
	applied    url.Values
}

type sortKey struct {
	param      searchParam
	descending bool
}

// parseQuery reads search parameters. A parameter the server does not know is a mistake
// under strict handling and is left out of the self link otherwise (R4 search.html 3.1.1.2).
func parseQuery(typ string, params url.Values, strict bool) (*query, error) {
	rule, ok := ruleFor(typ)
	if !ok {
		return nil, refuse(http.StatusNotFound, "not-supported", "the resource type is not supported")
	}
	q := &query{typ: typ, count: defaultCount, applied: url.Values{}}
	total := 0
	for _, name := range sortedNames(params) {
		for _, value := range params[name] {
			total += 1 + strings.Count(value, ",")
			if total > maxValues {
				return nil, refuse(http.StatusBadRequest, "too-costly", "the search has too many values")
			}
			used, err := q.add(rule, name, value)
			if err != nil {
				return nil, err
			}
			if used {
				q.applied.Add(name, value)
			} else if strict {
				return nil, refuse(http.StatusBadRequest, "not-supported", "the search parameter %q is not supported for %s", clip(name), typ)
			}
		}
	}
	return q, nil
}

func clip(text string) string {
	if len(text) > 40 {
		text = text[:40]
	}
	return text
}

func sortedNames(params url.Values) []string {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (q *query) add(rule typeRule, name, value string) (bool, error) {
	switch name {
	case "_count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return false, refuse(http.StatusBadRequest, "invalid", "_count is a number")
		}
		q.countOnly = q.countOnly || n == 0
		q.count = min(n, maxCount)
		return true, nil
	case "_summary":
		if value != "count" && value != "false" {
			return false, nil
		}
		q.countOnly = q.countOnly || value == "count"
		return true, nil
	case "_total", "_format", "_pretty":
		return true, nil
	case "_sort":
		return q.addSort(rule, value)
	case "_include":
		if !supportedInclude(rule, value) {
			return false, nil
		}
		q.include = append(q.include, value)
		return true, nil
	case "_revinclude":
		if !supportedRevinclude(value) {
			return false, nil
		}
		q.revinclude = append(q.revinclude, value)
		return true, nil
	}
	return q.addCriterion(rule, name, value)
}

func (q *query) addSort(rule typeRule, value string) (bool, error) {
	for name := range strings.SplitSeq(value, ",") {
		plain := strings.TrimPrefix(name, "-")
		param, ok := rule.param(plain)
		if !ok {
			return false, nil
		}
		q.order = append(q.order, sortKey{param: param, descending: plain != name})
	}
	return true, nil
}

func (q *query) addCriterion(rule typeRule, name, value string) (bool, error) {
	head, rest, chained := strings.Cut(name, ".")
	head, modifier, _ := strings.Cut(head, ":")
	param, ok := rule.param(head)
	if !ok {
		return false, nil
	}
	c := criterion{param: param, modifier: modifier, values: splitEscaped(value)}
	if chained {
		c.chain = strings.Split(rest, ".")
		if !chainable(param, c.chain) {
			return false, nil
		}
	} else if !supportedModifier(param.kind, modifier) {
		return false, refuse(http.StatusBadRequest, "not-supported", "the modifier of %s is not supported", head)
	}
	if p := checkValues(c); p != nil {
		return false, p
	}
	q.criteria = append(q.criteria, c)
	return true, nil
}

// chainable allows one step through a reference with a single target type, for example patient.identifier.
func chainable(param searchParam, chain []string) bool {
	if param.kind != "reference" || param.target == "" || len(chain) != 1 {
		return false
	}
	target, ok := ruleFor(param.target)
	if !ok {
		return false
	}
	_, ok = target.param(chain[0])
	return ok
}

func supportedModifier(kind, modifier string) bool {
	switch modifier {
	case "", "missing":
		return true
	case "not":
		return kind == "token"
	case "exact", "contains":
		return kind == "string"
	}
	if kind != "reference" {
		return false
	}
	_, isType := ruleFor(modifier)
	return isType
}

func checkValues(c criterion) *problem {
	for _, value := range c.values {
		if value == "" {
			return refuse(http.StatusBadRequest, "invalid", "the search parameter %s has an empty value", c.param.name)
		}
		if c.modifier == "missing" && value != "true" && value != "false" {
			return refuse(http.StatusBadRequest, "invalid", "%s:missing is true or false", c.param.name)
		}
		if c.param.kind == "date" && c.modifier == "" && len(c.chain) == 0 {
			if _, _, ok := splitPrefix(value); !ok {
				return refuse(http.StatusBadRequest, "invalid", "the search parameter %s is not a date", c.param.name)
			}
		}
	}
	return nil
}

// splitEscaped splits alternatives at commas that are not escaped with a backslash.
func splitEscaped(value string) []string {
	var out []string
	var part strings.Builder
	escaped := false
	for _, r := range value {
		switch {
		case escaped:
			if r != ',' && r != '$' && r != '\\' && r != '|' {
				part.WriteRune('\\')
			}
			part.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			out = append(out, part.String())
			part.Reset()
		default:
			part.WriteRune(r)
		}
	}
	return append(out, part.String())
}

func splitPrefix(value string) (string, period, bool) {
	prefix := "eq"
	if len(value) > 2 && slices.Contains([]string{"eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap"}, value[:2]) {
		prefix, value = value[:2], value[2:]
	}
	p, ok := parsePeriod(value)
	return prefix, p, ok
}

// Fold removes case and accents, so that "Munoz" finds "Muñoz".
func Fold(value string) string {
	folded, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), value)
	if err != nil {
		folded = value
	}
	return strings.ToLower(folded)
}
