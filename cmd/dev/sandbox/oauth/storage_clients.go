package oauth

import (
	"context"
	"crypto/rand"
	"slices"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// GetClientByClientID finds a client.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	client, ok := s.clients[id]
	if !ok {
		return nil, oidc.ErrInvalidClient().WithDescription("unknown client")
	}
	return client, nil
}

// ClientCredentials is not used: Server.VerifyClient checks the assertion itself.
func (s *storage) ClientCredentials(context.Context, string, string) (op.Client, error) {
	return nil, oidc.ErrInvalidClient()
}

// ClientCredentialsTokenRequest makes a grant for the client itself.
func (s *storage) ClientCredentialsTokenRequest(_ context.Context, clientID string, scopes []string) (op.TokenRequest, error) {
	client, ok := s.clients[clientID]
	if !ok {
		return nil, oidc.ErrInvalidClient()
	}
	granted := slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return !s.profile.AllowSystem(client, scope) })
	if len(granted) == 0 {
		return nil, oidc.ErrInvalidScope().WithDescription("no scope asked for is registered for this client")
	}
	return &clientRequest{grant: &Grant{ID: rand.Text(), ClientID: clientID, Subject: clientID, Scopes: granted}}, nil
}

// AuthorizeClientIDSecret refuses: there are no client secrets here.
func (s *storage) AuthorizeClientIDSecret(context.Context, string, string) error {
	return oidc.ErrInvalidClient().WithDescription("this server takes private_key_jwt only")
}

// GetKeyByIDAndClientID is not used: Server.VerifyClient checks the assertion itself.
func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, oidc.ErrInvalidClient()
}

// ValidateJWTProfileScopes refuses the JWT bearer grant, which nobody is registered for.
func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, oidc.ErrUnauthorizedClient()
}

// Health is always well.
func (s *storage) Health(context.Context) error { return nil }
