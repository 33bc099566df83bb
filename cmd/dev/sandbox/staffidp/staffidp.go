package staffidp

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
	"github.com/televisit/televisit/cmd/dev/sandbox/oauth"
)

// Client is the registration of an application.
type Client struct {
	ID, JWKSURI                          string
	RedirectURIs, PostLogoutRedirectURIs []string
}

// Config is what a Server needs.
type Config struct {
	Origin, FHIRBase, DataDir, LoginPage string
	Clients                              []Client
	Users                                *accounts.Users
	Sessions                             *accounts.Sessions
	HTTP                                 *http.Client
	Now                                  func() time.Time
	Log                                  *slog.Logger
}

type profile struct{ fhirBase string }

// New makes a provider whose issuer is {origin}/staff.
func New(c Config) (*oauth.Server, error) {
	var clients []*oauth.Client
	for _, client := range c.Clients {
		clients = append(clients, &oauth.Client{ID: client.ID, Name: client.ID, JWKSURI: client.JWKSURI, Redirects: client.RedirectURIs,
			PostLogouts: client.PostLogoutRedirectURIs, Scopes: scopes(), Grants: []oidc.GrantType{oidc.GrantTypeCode}})
	}
	return oauth.New(oauth.Config{Issuer: c.Origin + "/staff", LoginPage: c.LoginPage, Name: "staff", DataDir: c.DataDir, Clients: clients,
		Users: c.Users, Sessions: c.Sessions, Profile: profile{fhirBase: c.FHIRBase}, HTTP: c.HTTP, Now: c.Now, Log: c.Log})
}

func scopes() []string {
	return []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, "roles", "fhirUser"}
}

func (profile) Authorize(_ url.Values, _ *oauth.Client, granted []string) (any, error) {
	if !slices.Contains(granted, oidc.ScopeOpenID) {
		return nil, oidc.ErrInvalidScope().WithDescription("openid is required")
	}
	return nil, nil
}

func (profile) Admit(*oauth.Request, accounts.User) (string, error) { return "", nil }

// Claims are always complete: a hospital maps its own attributes whatever the scopes are.
func (p profile) Claims(user accounts.User, _ *oauth.Grant) map[string]any {
	claims := map[string]any{"name": user.Name, "email": user.Email, "email_verified": true, "preferred_username": user.Username, "roles": user.Roles}
	if user.Practitioner != "" {
		claims["fhirUser"] = p.fhirBase + "/" + user.Practitioner
	}
	return claims
}

func (profile) TokenExtras(*oauth.Grant) map[string]any { return nil }

func (profile) AllowUser(client *oauth.Client, scope string) bool {
	return slices.Contains(client.Scopes, scope)
}

func (profile) AllowSystem(*oauth.Client, string) bool { return false }

func (profile) Discovery(d *oidc.DiscoveryConfiguration) {
	d.ScopesSupported = scopes()
	d.ClaimsSupported = append(d.ClaimsSupported, "roles", "preferred_username", "email_verified")
}
