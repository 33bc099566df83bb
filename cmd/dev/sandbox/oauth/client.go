package oauth

import (
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is a registered application. It implements op.Client.
type Client struct {
	ID, Name, JWKSURI string
	// Keys are the client's public keys when it was registered with them instead of with an address (RFC 7591, "jwks").
	Keys                   *jose.JSONWebKeySet
	Redirects, PostLogouts []string
	// Scopes are the scopes the client was registered for.
	Scopes []string
	Grants []oidc.GrantType
	// Introspects marks a resource server: it may ask about the tokens of every client (RFC 7662 section 4).
	Introspects bool

	allow     func(c *Client, scope string) bool
	continueU string
}

const idTokenLife = 10 * time.Minute

// GetID is the client_id.
func (c *Client) GetID() string { return c.ID }

// RedirectURIs are matched exactly.
func (c *Client) RedirectURIs() []string { return c.Redirects }

// PostLogoutRedirectURIs are matched exactly.
func (c *Client) PostLogoutRedirectURIs() []string { return c.PostLogouts }

// ApplicationType is web: confidential clients only.
func (c *Client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }

// AuthMethod is private_key_jwt for every client.
func (c *Client) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodPrivateKeyJWT }

// ResponseTypes is code only.
func (c *Client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

// GrantTypes are those the client was registered for.
func (c *Client) GrantTypes() []oidc.GrantType { return c.Grants }

// LoginURL is where an authorization request goes on once it is stored.
func (c *Client) LoginURL(id string) string { return c.continueU + "?request=" + id }

// AccessTokenType is opaque: only this server reads its tokens.
func (c *Client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }

// IDTokenLifetime is ten minutes.
func (c *Client) IDTokenLifetime() time.Duration { return idTokenLife }

// DevMode is off: redirect URIs get no leniency.
func (c *Client) DevMode() bool { return false }

// RestrictAdditionalIdTokenScopes restricts nothing more.
func (c *Client) RestrictAdditionalIdTokenScopes() func([]string) []string { //nolint:revive,staticcheck // the name is the library's
	return slices.Clone[[]string]
}

// RestrictAdditionalAccessTokenScopes restricts nothing more.
func (c *Client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}

// IsScopeAllowed asks the profile; scopes that are not allowed are left out of the grant.
func (c *Client) IsScopeAllowed(scope string) bool { return c.allow(c, scope) }

// IDTokenUserinfoClaimsAssertion is true: the id_token carries the claims.
func (c *Client) IDTokenUserinfoClaimsAssertion() bool { return true }

// ClockSkew is none.
func (c *Client) ClockSkew() time.Duration { return 0 }
