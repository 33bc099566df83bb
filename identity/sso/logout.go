package sso

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"

	"github.com/televisit/televisit/identity"
)

// maxLogoutAge bounds how old a logout token may be, and with it how long a copy of one could be sent again.
const maxLogoutAge = 5 * time.Minute

// LoggedOut says whom an identity provider has signed out: by its session, or everywhere when SessionID is empty.
type LoggedOut struct {
	Org        uuid.UUID
	Connection string
	Issuer     string
	Subject    string // may be empty when SessionID is not
	SessionID  string
}

// BackChannelLogout verifies a logout token that an identity provider posted (OIDC Back-Channel Logout 1.0). The
// caller ends the sessions. It fails with *Refused or *Failed, which are in the trail.
func (s *SSO) BackChannelLogout(ctx context.Context, from identity.Caller, provider, token string) (LoggedOut, error) {
	p := s.byName(provider, false)
	if p == nil {
		return LoggedOut{}, s.rejected(ctx, from, nil, refuse("unknown-provider", ""))
	}
	out, err := s.verifyLogout(ctx, p, token)
	if err != nil {
		return LoggedOut{}, s.rejected(ctx, from, p, err)
	}
	return out, nil
}

func (s *SSO) verifyLogout(ctx context.Context, p *peer, raw string) (LoggedOut, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return LoggedOut{}, err
	}
	now := s.now()
	token, err := s.verifier(p, m, now).VerifyLogout(ctx, raw)
	if err != nil {
		return LoggedOut{}, classify(err)
	}
	// A JSON null is no nonce either, but its presence is enough to refuse.
	var all map[string]json.RawMessage
	if token.Claims(&all) != nil || all["nonce"] != nil {
		return LoggedOut{}, refuse("id-token-malformed", "a logout token with a nonce")
	}
	switch {
	case token.IssuedAt.IsZero(), token.IssuedAt.After(now.Add(clockSkew)), token.IssuedAt.Before(now.Add(-maxLogoutAge)):
		return LoggedOut{}, refuse("id-token-time", "issued too long ago, in the future or at no time")
	case token.TokenID == "", token.Subject == "" && token.SessionID == "":
		return LoggedOut{}, refuse("id-token-subject", "the logout names nobody")
	}
	return LoggedOut{Org: p.org, Connection: p.name, Issuer: token.Issuer, Subject: token.Subject, SessionID: token.SessionID}, nil
}

// verifier checks tokens of the peer by go-oidc, with our algorithms and a minute of skew.
func (s *SSO) verifier(p *peer, m metadata, now time.Time) *oidc.IDTokenVerifier {
	algs := make([]string, 0, len(acceptedAlgs()))
	for _, a := range acceptedAlgs() {
		algs = append(algs, string(a))
	}
	return oidc.NewVerifier(m.Issuer, peerKeys{set: &p.keys, address: m.JWKS}, &oidc.Config{
		ClientID: p.clientID, SupportedSigningAlgs: algs, Now: func() time.Time { return now.Add(-clockSkew) }})
}
