package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Introspect answers RFC 7662 with what SMART App Launch 2.2 adds.
func (s *Server) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	credentials := &op.Request[op.ClientCredentials]{Method: r.Method, URL: r.URL, Header: r.Header, Form: r.Form, Data: r.Data.ClientCredentials}
	client, err := s.VerifyClient(ctx, credentials)
	if err != nil {
		return nil, err
	}
	asker, ok := client.(*Client)
	if !ok {
		return nil, oidc.ErrServerError()
	}
	if token, ok := s.Token(r.Data.Token); ok && (asker.Introspects || token.Grant.ClientID == asker.ID) {
		return op.NewResponse(s.active(token.Grant, token.Scopes, token.Expires, token.Issued)), nil
	}
	if refresh, ok := s.storage.refresh(r.Data.Token); ok && refresh.grant.ClientID == asker.ID {
		return op.NewResponse(s.active(refresh.grant, refresh.scopes, refresh.expires, time.Time{})), nil
	}
	return op.NewResponse(map[string]any{"active": false}), nil
}

func (s *Server) active(grant *Grant, scopes []string, expires, issued time.Time) map[string]any {
	out := map[string]any{"active": true, "scope": strings.Join(scopes, " "), "client_id": grant.ClientID, "exp": expires.Unix(),
		"iss": s.config.Issuer, "sub": grant.Subject}
	if !issued.IsZero() {
		out["iat"] = issued.Unix()
	}
	if user, ok := s.storage.users.BySubject(grant.Subject); ok && grant.Session != "" {
		for name, value := range s.config.Profile.TokenExtras(grant) {
			out[name] = value
		}
		if fhirUser, ok := s.config.Profile.Claims(user, grant)["fhirUser"]; ok {
			out["fhirUser"] = fhirUser
		}
	}
	return out
}

// EndSession signs the browser out and goes where the client asked (RP-initiated logout).
func (s *Server) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	session, err := op.ValidateEndSessionRequest(ctx, r.Data, s.provider)
	if err != nil {
		return nil, err
	}
	s.config.Sessions.End(r.Header)
	if session.IDTokenHintClaims != nil {
		if sid, ok := session.IDTokenHintClaims.Claims["sid"].(string); ok {
			s.config.Sessions.EndByID(sid)
		}
	}
	return op.NewRedirect(session.RedirectURI), nil
}

// Discovery is the metadata: what this server does, not what the library could do.
func (s *Server) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(s.Metadata()), nil
}

// Metadata is OpenID Provider metadata.
func (s *Server) Metadata() *oidc.DiscoveryConfiguration {
	at := func(path string) string { return s.config.Issuer + path }
	algorithms := []string{"RS384", "ES384"}
	private := []oidc.AuthMethod{oidc.AuthMethodPrivateKeyJWT}
	d := &oidc.DiscoveryConfiguration{
		Issuer: s.config.Issuer, AuthorizationEndpoint: at(pathAuthorize), TokenEndpoint: at(pathToken), IntrospectionEndpoint: at("/introspect"),
		UserinfoEndpoint: at("/userinfo"), RevocationEndpoint: at("/revoke"), EndSessionEndpoint: at("/end-session"), JwksURI: at("/keys"),
		ScopesSupported: []string{"openid", "profile", "email"}, ResponseTypesSupported: []string{"code"}, ResponseModesSupported: []string{"query", "form_post"},
		GrantTypesSupported: []oidc.GrantType{oidc.GrantTypeCode}, SubjectTypesSupported: []string{"public"}, IDTokenSigningAlgValuesSupported: []string{"RS256"},
		TokenEndpointAuthMethodsSupported: private, TokenEndpointAuthSigningAlgValuesSupported: algorithms,
		RevocationEndpointAuthMethodsSupported: private, RevocationEndpointAuthSigningAlgValuesSupported: algorithms,
		IntrospectionEndpointAuthMethodsSupported: private, IntrospectionEndpointAuthSigningAlgValuesSupported: algorithms,
		CodeChallengeMethodsSupported: []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		ACRValuesSupported:            []string{ACRPassword, ACRFresh},
		ClaimsSupported:               []string{"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid", "name", "email", "fhirUser"},
	}
	s.config.Profile.Discovery(d)
	return d
}
