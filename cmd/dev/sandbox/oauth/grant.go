package oauth

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Grant is what one authorization allowed one client; every token of it ends with it.
type Grant struct {
	ID, ClientID, Subject string
	Scopes                []string
	AuthTime              time.Time
	ACR                   string
	// Session is the sid of the browser session the grant came from; empty for client credentials.
	Session string
	// Context is what the profile attached at authorization (the launch context of SMART).
	Context any

	revoked bool
}

// Has reports whether the grant holds a scope.
func (g *Grant) Has(scope string) bool { return slices.Contains(g.Scopes, scope) }

const scopeOnlineAccess = "online_access"

// offline reports whether the grant outlives the browser session.
func (g *Grant) offline() bool { return g.Session == "" || g.Has(oidc.ScopeOfflineAccess) }

// Token is a live access token.
type Token struct {
	Grant   *Grant
	Scopes  []string
	Expires time.Time
	Issued  time.Time
	id      string
}

type refreshToken struct {
	grant   *Grant
	scopes  []string
	expires time.Time
	used    bool
}

// Request is a stored authorization request. It implements op.AuthRequest.
type Request struct {
	id, clientID, redirectURI, state, nonce string
	responseMode                            oidc.ResponseMode
	scopes                                  []string
	challenge                               string
	maxAge                                  *uint
	prompt, acrValues                       []string
	created, expires                        time.Time
	// browser is the secret of the browser that began the request; see bindBrowser.
	browser string

	grant *Grant // nil until the user has signed in
	// Context is the profile's; it moves into the grant.
	Context any
}

// GetID is the id of the request.
func (r *Request) GetID() string { return r.id }

// GetACR is the class of the sign-in.
func (r *Request) GetACR() string {
	if r.grant == nil {
		return ""
	}
	return r.grant.ACR
}

// GetAMR says that a password was used.
func (r *Request) GetAMR() []string { return []string{"pwd"} }

// GetAudience is the client.
func (r *Request) GetAudience() []string { return []string{r.clientID} }

// GetAuthTime is when the user entered the password.
func (r *Request) GetAuthTime() time.Time {
	if r.grant == nil {
		return time.Time{}
	}
	return r.grant.AuthTime
}

// GetClientID is the client.
func (r *Request) GetClientID() string { return r.clientID }

// GetCodeChallenge is always S256.
func (r *Request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.challenge, Method: oidc.CodeChallengeMethodS256}
}

// GetNonce is the client's nonce.
func (r *Request) GetNonce() string { return r.nonce }

// GetRedirectURI is where the answer goes.
func (r *Request) GetRedirectURI() string { return r.redirectURI }

// GetResponseType is code.
func (r *Request) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }

// GetResponseMode is as the client asked.
func (r *Request) GetResponseMode() oidc.ResponseMode { return r.responseMode }

// GetScopes are the granted scopes. SMART's online_access asks for a refresh token too,
// which the library gives only for offline_access; it is taken out of the answer again.
func (r *Request) GetScopes() []string {
	if slices.Contains(r.scopes, scopeOnlineAccess) && !slices.Contains(r.scopes, oidc.ScopeOfflineAccess) {
		return append(slices.Clone(r.scopes), oidc.ScopeOfflineAccess)
	}
	return r.scopes
}

// Scopes are the granted scopes as they are.
func (r *Request) Scopes() []string { return r.scopes }

// GetState is the client's state.
func (r *Request) GetState() string { return r.state }

// GetSubject is the user.
func (r *Request) GetSubject() string {
	if r.grant == nil {
		return ""
	}
	return r.grant.Subject
}

// Done reports whether the user has signed in.
func (r *Request) Done() bool { return r.grant != nil }

// refreshRequest implements op.RefreshTokenRequest.
type refreshRequest struct {
	grant  *Grant
	scopes []string
}

func (r *refreshRequest) GetAMR() []string            { return []string{"pwd"} }
func (r *refreshRequest) GetAudience() []string       { return []string{r.grant.ClientID} }
func (r *refreshRequest) GetAuthTime() time.Time      { return r.grant.AuthTime }
func (r *refreshRequest) GetClientID() string         { return r.grant.ClientID }
func (r *refreshRequest) GetScopes() []string         { return r.scopes }
func (r *refreshRequest) GetSubject() string          { return r.grant.Subject }
func (r *refreshRequest) SetCurrentScopes(s []string) { r.scopes = s }

// clientRequest is a grant of client credentials. It implements op.TokenRequest.
type clientRequest struct{ grant *Grant }

func (r *clientRequest) GetSubject() string    { return r.grant.Subject }
func (r *clientRequest) GetAudience() []string { return []string{r.grant.ClientID} }
func (r *clientRequest) GetScopes() []string   { return r.grant.Scopes }
