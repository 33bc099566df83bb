package fhirserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/televisit/televisit/cmd/dev/sandbox/scope"
)

// find returns a resource the token reaches; one it does not reach is not told apart from one that is absent.
func (s *Server) find(r *request, set scope.Set) (*Version, *problem) {
	v, ok := s.store.Get(r.rule.name, r.id)
	if !ok || !reaches(set, r.access, v, s.store) {
		return nil, refuse(http.StatusNotFound, "not-found", "there is no such %s", r.rule.name)
	}
	return v, nil
}

func (s *Server) read(w http.ResponseWriter, r *request, set scope.Set) *problem {
	v, p := s.find(r, set)
	if p != nil {
		return p
	}
	if noneMatch := r.Header.Get("If-None-Match"); noneMatch != "" && noneMatch == etag(v.Version) {
		versionHeaders(w, v)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeVersion(w, http.StatusOK, v)
}

func (s *Server) vread(w http.ResponseWriter, r *request, set scope.Set) *problem {
	if _, p := s.find(r, set); p != nil {
		return p
	}
	for _, v := range s.store.History(r.rule.name, r.id) {
		if strconv.Itoa(v.Version) == r.vid {
			return writeVersion(w, http.StatusOK, v)
		}
	}
	return refuse(http.StatusNotFound, "not-found", "there is no such version")
}

func (s *Server) history(w http.ResponseWriter, r *request, set scope.Set) *problem {
	if _, p := s.find(r, set); p != nil {
		return p
	}
	versions := s.store.History(r.rule.name, r.id)
	b := newBundle("history", len(versions))
	b.link("self", s.base+"/"+r.rule.name+"/"+r.id+"/_history")
	for _, v := range versions {
		served, err := v.Served()
		if err != nil {
			return internal()
		}
		b.Entry = append(b.Entry, bundleEntry{FullURL: s.base + "/" + v.Reference(), Resource: served,
			Request:  &entryRequest{Method: historyMethod(v), URL: historyURL(v)},
			Response: &entryResponse{Status: historyStatus(v), ETag: etag(v.Version), LastModified: v.LastUpdated()}})
	}
	writeJSON(w, http.StatusOK, b)
	return nil
}

func historyMethod(v *Version) string {
	if v.Method == methodSeed {
		return http.MethodPost
	}
	return v.Method
}

func historyURL(v *Version) string {
	if v.Version == 1 {
		return v.Type
	}
	return v.Reference()
}

func historyStatus(v *Version) string {
	if v.Version == 1 {
		return "201"
	}
	return "200"
}

func versionHeaders(w http.ResponseWriter, v *Version) {
	w.Header().Set("ETag", etag(v.Version))
	w.Header().Set("Last-Modified", v.At.UTC().Format(http.TimeFormat))
}

func writeVersion(w http.ResponseWriter, status int, v *Version) *problem {
	served, err := v.Served()
	if err != nil {
		return internal()
	}
	versionHeaders(w, v)
	writeBody(w, status, served)
	return nil
}

func internal() *problem {
	return refuse(http.StatusInternalServerError, "exception", "the server could not complete the request")
}

type bundle struct {
	ResourceType string        `json:"resourceType"`
	Type         string        `json:"type"`
	Total        *int          `json:"total,omitempty"`
	Link         []bundleLink  `json:"link,omitempty"`
	Entry        []bundleEntry `json:"entry,omitempty"`
}

type bundleLink struct {
	Relation string `json:"relation"`
	URL      string `json:"url"`
}

type bundleEntry struct {
	FullURL  string          `json:"fullUrl,omitempty"`
	Resource json.RawMessage `json:"resource,omitempty"`
	Search   *entrySearch    `json:"search,omitempty"`
	Request  *entryRequest   `json:"request,omitempty"`
	Response *entryResponse  `json:"response,omitempty"`
}

type entrySearch struct {
	Mode string `json:"mode"`
}

type entryRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
}

type entryResponse struct {
	Status       string `json:"status"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

func newBundle(kind string, total int) *bundle {
	return &bundle{ResourceType: "Bundle", Type: kind, Total: &total}
}

func (b *bundle) link(relation, url string) {
	b.Link = append(b.Link, bundleLink{Relation: relation, URL: url})
}

// preferred reads one directive of the Prefer header (RFC 7240), for example handling or return.
func preferred(r *http.Request, name string) string {
	for _, header := range r.Header.Values("Prefer") {
		for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ',' || r == ';' }) {
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if strings.EqualFold(key, name) {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}
