package ehr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	requestTimeout = 30 * time.Second
	fhirJSON       = "application/fhir+json"
)

// ErrForeign means that a reference or an address lies outside the EHR's base.
var ErrForeign = errors.New("ehr: outside this EHR")

// Config names one EHR.
type Config struct {
	Base    string       // the FHIR base, https
	HTTP    *http.Client // trusts the configured authorities
	Token   func(context.Context) (string, error)
	Profile string // the vendor's, for what writes the bodies: generic, epic, oracle, athena
	Now     func() time.Time
	Log     *slog.Logger
}

// Client talks to one EHR on behalf of one bearer of tokens. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	http    *http.Client
	token   func(context.Context) (string, error)
	profile string
	now     func() time.Time
	log     *slog.Logger

	mu           sync.Mutex
	capability   Capability
	capabilityAt time.Time
	searchByGet  bool
}

// New makes a client; it sends nothing.
func New(c Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(c.Base, "/"))
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("ehr: the base has to be an https address without query, fragment or user")
	}
	if c.HTTP == nil || c.Token == nil || c.Log == nil || c.Now == nil {
		return nil, errors.New("ehr: a part is missing")
	}
	guarded := *c.HTTP
	guarded.Jar = nil
	guarded.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, http: &guarded, token: c.Token, profile: c.Profile, now: c.Now, log: c.Log}, nil
}

// Profile is the vendor's profile that the EHR was configured with.
func (c *Client) Profile() string { return c.profile }

// Base is the FHIR base, without a slash at its end.
func (c *Client) Base() string { return c.base.String() }

// call is one request within the base.
type call struct {
	interaction, typ string // for errors and logs
	method           string
	path             string // below the base, without a query
	query            string
	header           map[string]string
	body             []byte
	anonymous        bool // without the bearer
}

// answer is a response whose status says success.
type answer struct {
	status    int
	header    http.Header
	body      []byte
	requestID string
}

func (c *Client) do(ctx context.Context, in call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, ourID, err := c.request(ctx, in)
	if err != nil {
		return answer{}, err
	}
	began := c.now()
	out, err := c.exchange(request, in, ourID)
	c.log.Info("request to the EHR", "interaction", in.interaction, "type", in.typ, "status", out.status, "requestId", out.requestID,
		"took", c.now().Sub(began), "ok", err == nil)
	return out, err
}

func (c *Client) request(ctx context.Context, in call) (*http.Request, string, error) {
	address := *c.base
	if in.path != "" {
		address.Path += "/" + in.path
	}
	address.RawQuery = in.query
	request, err := http.NewRequestWithContext(ctx, in.method, address.String(), bytes.NewReader(in.body))
	if err != nil {
		return nil, "", &Permanent{Problem{Interaction: in.interaction, Type: in.typ, cause: errors.New("the request cannot be made")}}
	}
	id := uuid.NewString()
	request.Header.Set("Accept", fhirJSON)
	request.Header.Set("X-Request-Id", id)
	for name, value := range in.header {
		request.Header.Set(name, value)
	}
	if in.anonymous {
		return request, id, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("ehr: no token: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return request, id, nil
}

func (c *Client) exchange(request *http.Request, in call, ourID string) (answer, error) {
	problem := Problem{Interaction: in.interaction, Type: in.typ, RequestID: ourID}
	response, err := c.http.Do(request)
	if err != nil {
		problem.cause = withoutURL(err)
		return answer{requestID: ourID}, &Transient{Problem: problem, MayHaveHappened: in.method != http.MethodGet}
	}
	defer response.Body.Close()
	if id := requestID(response.Header); id != "" {
		problem.RequestID = id
	}
	problem.Status = response.StatusCode
	out := answer{status: response.StatusCode, header: response.Header, requestID: problem.RequestID}
	out.body, err = io.ReadAll(io.LimitReader(response.Body, maxResource+1))
	switch {
	case err != nil && response.StatusCode < 300:
		problem.cause = withoutURL(err)
		return out, &Transient{Problem: problem, MayHaveHappened: in.method != http.MethodGet}
	case len(out.body) > maxResource:
		problem.cause = notFHIR("too large")
		return out, &Permanent{problem}
	case response.StatusCode < 200 || response.StatusCode > 299:
		return out, sortFailure(problem, response, out.body, c.now())
	}
	return out, nil
}

// withoutURL drops the address from a transport's error: a search's has a query.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// requestID takes the EHR's own name for the request, if it has a form that may be logged.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "Request-Id"} {
		if id := h.Get(name); id != "" && len(id) <= 100 && strings.Trim(id, letters+"0123456789-_.:") == "" {
			return id
		}
	}
	return ""
}
