package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	fetchTimeout = 10 * time.Second
	maxBody      = 1 << 20
	maxRedirects = 3
)

// guarded follows redirects only within the same host and scheme: a configured party must not send us anywhere else.
func guarded(c *http.Client) *http.Client {
	copied := *c
	copied.Jar = nil
	copied.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		first := via[0]
		switch {
		case first.Method != http.MethodGet:
			return errors.New("a redirect in answer to a token request")
		case next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host:
			return errors.New("a redirect to another host")
		case len(via) > maxRedirects:
			return errors.New("too many redirects")
		}
		return nil
	}
	return &copied
}

// getJSON reads a document of at most maxBody bytes.
func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail("bad-metadata", errors.New("an address cannot be parsed"))
	}
	request.Header.Set("Accept", "application/json")
	status, body, err := exchange(client, request)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fail("unreachable", fmt.Errorf("status %d from %s", status, request.URL.Host))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fail("bad-metadata", fmt.Errorf("no JSON of the expected form from %s", request.URL.Host))
	}
	return nil
}

// postForm sends a form and reads a JSON answer, whatever its status.
func postForm(ctx context.Context, client *http.Client, address string, form url.Values) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, fail("bad-metadata", errors.New("an address cannot be parsed"))
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	return exchange(client, request)
}

func exchange(client *http.Client, request *http.Request) (int, []byte, error) {
	response, err := client.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL
		}
		return 0, nil, fail("unreachable", fmt.Errorf("%s: %w", request.URL.Host, err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return 0, nil, fail("unreachable", fmt.Errorf("%s: %w", request.URL.Host, err))
	}
	if len(body) > maxBody {
		return 0, nil, fail("bad-metadata", fmt.Errorf("an answer of more than %d bytes from %s", maxBody, request.URL.Host))
	}
	return response.StatusCode, body, nil
}
