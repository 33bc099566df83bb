package fhirserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
)

func (s *Server) search(w http.ResponseWriter, r *request, set scope.Set) *problem {
	params, p := searchParams(r)
	if p != nil {
		return p
	}
	if page := params.Get("_page"); page != "" {
		return s.nextPage(w, r, page)
	}
	q, err := parseQuery(r.rule.name, params, preferred(r.Request, "handling") == "strict")
	if err != nil {
		return asProblem(err)
	}
	found := s.store.Find(r.rule.name, func(v *Version, others lookup) bool {
		return q.matches(v, others) && reaches(set, r.access, v, others)
	})
	q.sort(found)
	self := s.base + "/" + r.rule.name
	if len(q.applied) > 0 {
		self += "?" + q.applied.Encode()
	}
	if q.countOnly {
		b := newBundle("searchset", len(found))
		b.link("self", self)
		writeJSON(w, http.StatusOK, b)
		return nil
	}
	return s.writePage(w, r, page{found: found, total: len(found), query: q, client: r.access.Client, patient: r.access.Patient, typ: r.rule.name}, self)
}

// searchParams takes the parameters of GET, and of POST _search from the body too.
func searchParams(r *request) (url.Values, *problem) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid", "the query is malformed")
	}
	if r.Method != http.MethodPost {
		return params, nil
	}
	if p := checkContentType(r.Request, "application/x-www-form-urlencoded"); p != nil {
		return nil, p
	}
	body, p := readBody(r)
	if p != nil {
		return nil, p
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "invalid", "the form is malformed")
	}
	for name, values := range form {
		params[name] = append(params[name], values...)
	}
	return params, nil
}

func (s *Server) nextPage(w http.ResponseWriter, r *request, token string) *problem {
	p, ok := s.pages.take(token)
	if !ok || p.client != r.access.Client || p.patient != r.access.Patient || p.typ != r.rule.name {
		return refuse(http.StatusGone, "expired", "this page is no longer kept; search again")
	}
	return s.writePage(w, r, p, s.base+"/"+r.rule.name+"?_page="+token)
}

func (s *Server) writePage(w http.ResponseWriter, r *request, p page, self string) *problem {
	b := newBundle("searchset", p.total)
	b.link("self", self)
	now, rest := p.found, []*Version(nil)
	if len(now) > p.query.count {
		now, rest = now[:p.query.count], now[p.query.count:]
	}
	if len(rest) > 0 {
		next := p
		next.found = rest
		b.link("next", s.base+"/"+r.rule.name+"?_page="+s.pages.keep(next))
	}
	for _, v := range now {
		if err := s.addEntry(b, v, "match"); err != nil {
			return internal()
		}
	}
	for _, v := range s.included(r, p.query, now) {
		if err := s.addEntry(b, v, "include"); err != nil {
			return internal()
		}
	}
	writeJSON(w, http.StatusOK, b)
	return nil
}

func (s *Server) addEntry(b *bundle, v *Version, mode string) error {
	served, err := v.Served()
	if err != nil {
		return err
	}
	b.Entry = append(b.Entry, bundleEntry{FullURL: s.base + "/" + v.Reference(), Resource: served, Search: &entrySearch{Mode: mode}})
	return nil
}

// supportedInclude accepts Type:param[:Target] for any reference parameter of the type.
func supportedInclude(rule typeRule, value string) bool {
	typ, name, ok := splitInclude(value)
	param, known := rule.param(name)
	return ok && known && typ == rule.name && param.kind == "reference"
}

func supportedRevinclude(value string) bool { return value == "Provenance:target" }

func splitInclude(value string) (typ, name string, ok bool) {
	parts := strings.Split(value, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// included gathers what _include and _revinclude ask for, as far as the token reaches it.
func (s *Server) included(r *request, q *query, matches []*Version) []*Version {
	seen := map[string]bool{}
	for _, v := range matches {
		seen[v.Reference()] = true
	}
	var out []*Version
	admit := func(v *Version) {
		set := r.access.Scopes.Permits(v.Type, scope.Read)
		if seen[v.Reference()] || !reaches(set, r.access, v, s.store) {
			return
		}
		seen[v.Reference()] = true
		out = append(out, v)
	}
	for _, include := range q.include {
		_, name, ok := splitInclude(include)
		param, known := r.rule.param(name)
		if !ok || !known {
			continue
		}
		for _, match := range matches {
			for _, value := range elements(match, param) {
				if typ, id, ok := localReference("", lastTwo(text(value, "reference"))); ok {
					if v, found := s.store.Get(typ, id); found {
						admit(v)
					}
				}
			}
		}
	}
	if len(q.revinclude) > 0 {
		wanted := map[string]bool{}
		for _, match := range matches {
			wanted[match.Reference()] = true
		}
		for _, v := range s.store.Find("Provenance", func(v *Version, _ lookup) bool { return refersTo(v, wanted) }) {
			admit(v)
		}
	}
	return out
}

func refersTo(v *Version, wanted map[string]bool) bool {
	for _, value := range extract(v.parsed, []string{"target"}) {
		if wanted[lastTwo(text(value, "reference"))] {
			return true
		}
	}
	return false
}
