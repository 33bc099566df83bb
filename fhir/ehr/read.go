package ehr

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxPages   = 20
	maxMatches = 1000
)

// Read fetches the resource of a reference: "Patient/1", or an absolute one under this EHR's base.
func (c *Client) Read(ctx context.Context, reference string) (Resource, error) {
	typ, id, _, ok := splitReference(c.Relative(reference))
	if !ok {
		return Resource{}, &Permanent{Problem{Interaction: "read", cause: ErrForeign}}
	}
	out, err := c.do(ctx, call{interaction: "read", typ: typ, method: http.MethodGet, path: typ + "/" + id})
	if err != nil {
		return Resource{}, err
	}
	r, err := Parse(out.body)
	if err == nil && (r.Type != typ || r.ID != id) {
		err = notFHIR("another resource than the one asked for")
	}
	if err != nil {
		return Resource{}, &Permanent{Problem{Interaction: "read", Type: typ, Status: out.status, RequestID: out.requestID, cause: err}}
	}
	if tag := out.header.Get("ETag"); isETag(tag) {
		r.ETag = tag
	}
	r.FetchedAt = c.now().UTC()
	return r, nil
}

// Relative makes "Type/id" of a reference under this EHR's base; others come back as they are.
func (c *Client) Relative(reference string) string {
	return strings.TrimPrefix(reference, c.base.String()+"/")
}

// Search finds resources, all pages of them up to a limit. The parameters go in a POST body, where no proxy logs them;
// by GET only to an EHR that knows no other way. Warnings among the matches are left out.
func (c *Client) Search(ctx context.Context, typ string, params url.Values) ([]Resource, error) {
	if !isTypeName(typ) {
		return nil, &Permanent{Problem{Interaction: "search", cause: errors.New("no resource type")}}
	}
	out, err := c.firstPage(ctx, typ, params)
	var found []Resource
	for page := 1; ; page++ {
		if err != nil {
			return nil, err
		}
		matches, next, err := c.page(out.body)
		if err == nil && (page == maxPages || len(found)+len(matches) > maxMatches) && next != "" {
			err = errors.New("too many matches")
		}
		if err != nil {
			return nil, &Permanent{Problem{Interaction: "search", Type: typ, Status: out.status, RequestID: out.requestID, cause: err}}
		}
		found = append(found, matches...)
		if next == "" {
			return found, nil
		}
		path, query, _ := strings.Cut(next, "?")
		out, err = c.do(ctx, call{interaction: "search", typ: typ, method: http.MethodGet, path: path, query: query})
		if err != nil {
			return nil, err
		}
	}
}

func (c *Client) firstPage(ctx context.Context, typ string, params url.Values) (answer, error) {
	c.mu.Lock()
	byGet := c.searchByGet
	c.mu.Unlock()
	get := call{interaction: "search", typ: typ, method: http.MethodGet, path: typ, query: params.Encode()}
	if byGet {
		return c.do(ctx, get)
	}
	out, err := c.do(ctx, call{interaction: "search", typ: typ, method: http.MethodPost, path: typ + "/_search",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body: []byte(params.Encode())})
	var missing *NotFound
	var permanent *Permanent
	unknownWay := errors.As(err, &missing) || errors.As(err, &permanent) &&
		(permanent.Status == http.StatusMethodNotAllowed || permanent.Status == http.StatusUnsupportedMediaType || permanent.Status == http.StatusNotImplemented)
	if !unknownWay {
		return out, err
	}
	out, err = c.do(ctx, get)
	if err == nil {
		c.mu.Lock()
		c.searchByGet = true
		c.mu.Unlock()
	}
	return out, err
}

// page reads a searchset; next is below the base.
func (c *Client) page(raw []byte) (found []Resource, next string, err error) {
	bundle, err := Parse(raw)
	if err != nil {
		return nil, "", err
	}
	if bundle.Type != "Bundle" {
		return nil, "", notFHIR("no Bundle in answer to a search")
	}
	var content struct {
		Link []struct {
			Relation string `json:"relation"`
			URL      string `json:"url"`
		} `json:"link"`
		Entry []struct {
			Resource json.RawMessage `json:"resource"`
			Search   struct {
				Mode string `json:"mode"`
			} `json:"search"`
		} `json:"entry"`
	}
	if json.Unmarshal(raw, &content) != nil {
		return nil, "", notFHIR("a malformed Bundle")
	}
	for _, entry := range content.Entry {
		if entry.Search.Mode == "outcome" || len(entry.Resource) == 0 {
			continue
		}
		r, err := Parse(entry.Resource)
		if err != nil {
			return nil, "", err
		}
		if r.Type == "OperationOutcome" {
			continue
		}
		r.FetchedAt = c.now().UTC()
		found = append(found, r)
	}
	for _, link := range content.Link {
		if link.Relation == "next" {
			next, err = c.below(link.URL)
			return found, next, err
		}
	}
	return found, "", nil
}

// below makes sure that an address that the EHR sent lies under its base, so that the token goes nowhere else.
func (c *Client) below(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ErrForeign
	}
	u = c.base.JoinPath("/").ResolveReference(u)
	path, under := strings.CutPrefix(u.EscapedPath(), c.base.EscapedPath())
	if path != "" && path[0] != '/' || strings.Contains(path, "%") {
		return "", ErrForeign
	}
	path = strings.TrimPrefix(path, "/")
	if !under || u.Scheme != c.base.Scheme || u.Host != c.base.Host || u.User != nil || strings.Contains(path, "//") {
		return "", ErrForeign
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path, nil
}

// isETag knows the form of RFC 9110 section 8.8.3 and refuses what could break out of a header.
func isETag(tag string) bool {
	value := strings.TrimPrefix(tag, "W/")
	return len(tag) <= 200 && len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' && !strings.ContainsAny(value[1:len(value)-1], "\"\r\n")
}
