package oauth

import (
	"context"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// SetUserinfoFromScopes is deprecated in the library; SetUserinfoFromRequest does the work.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest puts the profile's claims into the id_token.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, _ []string) error {
	var grant *Grant
	switch r := request.(type) {
	case *Request:
		grant = r.grant
	case *refreshRequest:
		grant = r.grant
	default:
		return oidc.ErrServerError()
	}
	return s.claims(info, grant)
}

// SetUserinfoFromToken answers /userinfo.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, tokenID, _, _ string) error {
	t, ok := s.token(tokenID)
	if !ok || !t.Grant.Has(oidc.ScopeOpenID) {
		return oidc.ErrAccessDenied()
	}
	return s.claims(info, t.Grant)
}

func (s *storage) claims(info *oidc.UserInfo, grant *Grant) error {
	user, ok := s.users.BySubject(grant.Subject)
	if !ok {
		return oidc.ErrAccessDenied()
	}
	info.Subject = user.Subject
	if grant.Session != "" {
		info.AppendClaims("sid", grant.Session)
	}
	for name, value := range s.profile.Claims(user, grant) {
		info.AppendClaims(name, value)
	}
	return nil
}

// SetIntrospectionFromToken is not used: Server.Introspect answers itself.
func (s *storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return oidc.ErrServerError()
}

// GetPrivateClaimsFromScopes has none: access tokens are opaque.
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// SigningKey signs id_tokens.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms is RS256, which SMART asks for.
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet is the public half of the signing key.
func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.key}}, nil
}
