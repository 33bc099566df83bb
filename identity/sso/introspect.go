package sso

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bearer is what an EHR's authorization server says of an access token that somebody presents to us.
type Bearer struct {
	ClientID  string
	Scopes    []string
	ExpiresAt time.Time // zero: not told
}

// ErrBearer means that the authorization server does not vouch for the token, or not any more.
var ErrBearer = errors.New("sso: the access token is not active")

// Introspect asks the EHR's authorization server about a token (RFC 7662; SMART App Launch 2.2, section 7.2). The
// caller decides which clients it serves: a token says nothing of having been meant for us.
func (s *SSO) Introspect(ctx context.Context, ehr, token string) (Bearer, error) {
	p := s.byName(ehr, true)
	if p == nil {
		return Bearer{}, fmt.Errorf("sso: no EHR %q is configured", ehr)
	}
	m, err := p.discover(ctx)
	if err != nil {
		return Bearer{}, err
	}
	if m.Introspection == "" {
		return Bearer{}, fail("bad-metadata", errors.New("no introspection endpoint"))
	}
	assertion, err := s.keys.assertion(m, p.clientID, s.now())
	if err != nil {
		return Bearer{}, err
	}
	status, body, err := postForm(ctx, p.client, m.Introspection, url.Values{"token": {token}, "token_type_hint": {"access_token"},
		"client_assertion_type": {assertionType}, "client_assertion": {assertion}})
	if err != nil {
		return Bearer{}, err
	}
	if status != http.StatusOK {
		return Bearer{}, tokenError(status, body)
	}
	var answer struct {
		Active   bool   `json:"active"`
		Scope    string `json:"scope"`
		ClientID string `json:"client_id"`
		Expires  int64  `json:"exp"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Bearer{}, fail("bad-token-response", errors.New("no JSON of the expected form"))
	}
	if !answer.Active || answer.ClientID == "" {
		return Bearer{}, ErrBearer
	}
	b := Bearer{ClientID: answer.ClientID, Scopes: strings.Fields(answer.Scope)}
	if answer.Expires > 0 {
		b.ExpiresAt = time.Unix(answer.Expires, 0).UTC()
		if !b.ExpiresAt.After(s.now()) {
			return Bearer{}, ErrBearer
		}
	}
	return b, nil
}
