package sso

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	clockSkew  = time.Minute
	maxSubject = 255 // OIDC Core 2
)

// claims are what we read of an id_token. auth_time may be fractional.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Party    string   `json:"azp"`
	Name     string   `json:"name"`
	FHIRUser string   `json:"fhirUser"`
	AuthTime *float64 `json:"auth_time"`
	ACR      string   `json:"acr"`
	SID      string   `json:"sid"`

	all map[string]json.RawMessage
}

// verify checks an id_token (OIDC Core 3.1.3.7): signature by a key of the peer and an algorithm of ours, issuer as
// discovered, audience and authorized party, times with a minute of skew, and the nonce of the flow.
func (s *SSO) verify(ctx context.Context, p *peer, m metadata, raw, nonce string) (claims, error) {
	now := s.now()
	token, err := s.verifier(p, m, now).Verify(ctx, raw)
	if err != nil {
		return claims{}, classify(err)
	}
	var c claims
	if token.Claims(&c) != nil || token.Claims(&c.all) != nil {
		return claims{}, refuse("id-token-malformed", "a claim has another type than it must")
	}
	switch {
	case nonce == "" || token.Nonce != nonce:
		return claims{}, refuse("id-token-nonce", "")
	case len(token.Audience) > 1 && c.Party == "", c.Party != "" && c.Party != p.clientID:
		return claims{}, refuse("id-token-party", "")
	case token.IssuedAt.IsZero(), token.IssuedAt.After(now.Add(clockSkew)):
		return claims{}, refuse("id-token-time", "issued in the future or at no time")
	case notBefore(c.all).After(now.Add(clockSkew)):
		return claims{}, refuse("id-token-time", "not valid yet")
	case c.Subject == "" || len(c.Subject) > maxSubject:
		return claims{}, refuse("id-token-subject", "")
	}
	return c, nil
}

// classify gives go-oidc's error a code of ours; its text names issuer and audience, which are configuration.
func classify(err error) error {
	var refused *Refused
	var failed *Failed
	var expired *oidc.TokenExpiredError
	switch {
	// go-oidc flattens the key set's error into text, so its words are looked for as well.
	case errors.As(err, &refused), errors.As(err, &failed):
		return err
	case errors.As(err, &expired):
		return refuse("id-token-time", "expired")
	}
	for words, code := range map[string]string{"issued by a different provider": "id-token-issuer", "expected audience": "id-token-audience",
		"expected logout token audience": "id-token-audience", "refused: id-token-key": "id-token-key",
		"refused: id-token-signature": "id-token-signature"} {
		if strings.Contains(err.Error(), words) {
			return refuse(code, err.Error())
		}
	}
	if strings.Contains(err.Error(), "sso: failed: unreachable") {
		return fail("unreachable", err)
	}
	return refuse("id-token-malformed", err.Error())
}

func notBefore(all map[string]json.RawMessage) time.Time {
	var seconds float64
	if json.Unmarshal(all["nbf"], &seconds) != nil {
		return time.Time{}
	}
	return instant(seconds)
}

func instant(seconds float64) time.Time {
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
}

// authTime falls back to now: the flow itself is fresh.
func (c claims) authTime(now time.Time) time.Time {
	if c.AuthTime == nil || *c.AuthTime <= 0 || *c.AuthTime > float64(now.Add(clockSkew).Unix()) {
		return now
	}
	return instant(*c.AuthTime)
}

// provenWithin needs the claim itself: a step-up without auth_time proves nothing.
func (c claims) provenWithin(age time.Duration, now time.Time) bool {
	return c.AuthTime != nil && now.Sub(instant(*c.AuthTime)) <= age+clockSkew
}
