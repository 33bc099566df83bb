package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
	"github.com/televisit/televisit/cmd/dev/sandbox/reqlog"
)

// Profile is what an authorization server adds to the shared one.
type Profile interface {
	// Authorize checks what is special in an authorization request and returns what to
	// remember with it. The form holds all parameters; scopes are those to be granted.
	Authorize(form url.Values, client *Client, scopes []string) (context any, err error)
	// Admit is asked once the user is known: an error refuses, a URL sends the user there first.
	Admit(r *Request, user accounts.User) (detour string, err error)
	// Claims are the claims of the id_token besides the standard ones.
	Claims(user accounts.User, grant *Grant) map[string]any
	// TokenExtras are members of the token response and of the introspection answer.
	TokenExtras(grant *Grant) map[string]any
	// AllowUser and AllowSystem decide whether a client may have a scope.
	AllowUser(client *Client, scope string) bool
	AllowSystem(client *Client, scope string) bool
	// Discovery may change the metadata.
	Discovery(*oidc.DiscoveryConfiguration)
}

// Config is what a Server needs.
type Config struct {
	// Issuer is the absolute URL of the server; its path is the prefix of its endpoints.
	Issuer string
	// LoginPage is the absolute path of the hospital's sign-in page.
	LoginPage string
	// Name tells the files and the cookie of this server from those of others.
	Name    string
	DataDir string
	Clients []*Client
	Users   *accounts.Users
	// Sessions are shared with the chart.
	Sessions *accounts.Sessions
	Profile  Profile
	// HTTP fetches the key sets of clients.
	HTTP *http.Client
	Now  func() time.Time
	Log  *slog.Logger
}

// Server is an authorization server.
type Server struct {
	*op.LegacyServer
	config     Config
	storage    *storage
	provider   *op.Provider
	assertions *assertions
	handler    http.Handler
}

const (
	pathAuthorize = "/authorize"
	pathToken     = "/token" //nolint:gosec // a path, not a credential
	pathContinue  = "/continue"
	pathSignedOut = "/signed-out"
)

// New makes a server; it answers paths below the path of its issuer.
func New(c Config) (*Server, error) {
	key, err := openSigningKey(filepath.Join(c.DataDir, "signing-"+c.Name+".pem"))
	if err != nil {
		return nil, err
	}
	library := quietLog(c.Log)
	seal, err := newSealer()
	if err != nil {
		return nil, err
	}
	clients := map[string]*Client{}
	for _, client := range c.Clients {
		client.continueU = c.Issuer + pathContinue
		client.allow = c.Profile.AllowUser
		clients[client.ID] = client
	}
	store := &storage{now: c.Now, clients: clients, users: c.Users, sessions: c.Sessions, profile: c.Profile, key: key,
		requests: map[string]*Request{}, codes: map[[32]byte]*code{}, tokens: map[string]*Token{}, refreshes: map[[32]byte]*refreshToken{}}
	provider, err := op.NewProvider(&op.Config{CodeMethodS256: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
		DefaultLogoutRedirectURI: c.Issuer + pathSignedOut}, store, op.StaticIssuer(c.Issuer), op.WithCrypto(seal), op.WithLogger(library))
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, storage: store, provider: provider,
		assertions: &assertions{clients: clients, keys: &keyCache{client: c.HTTP, sets: map[string]cachedSet{}}, seen: map[string]time.Time{},
			audiences: []string{c.Issuer + pathToken}}}
	endpoints := op.Endpoints{Authorization: op.NewEndpoint(pathAuthorize), Token: op.NewEndpoint(pathToken), Introspection: op.NewEndpoint("/introspect"),
		Userinfo: op.NewEndpoint("/userinfo"), Revocation: op.NewEndpoint("/revoke"), EndSession: op.NewEndpoint("/end-session"), JwksURI: op.NewEndpoint("/keys")}
	s.LegacyServer = op.NewLegacyServer(provider, endpoints)
	routes := op.RegisterLegacyServer(s, s.callback(op.AuthorizeCallbackHandler(provider)), op.WithFallbackLogger(library), op.WithServerCORSOptions(nil))
	mux := http.NewServeMux()
	mux.Handle("/", strict(routes))
	mux.HandleFunc("GET "+pathContinue, s.proceed)
	s.handler = mux
	return s, nil
}

// ServeHTTP answers paths relative to the issuer (the caller strips its path).
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// strict adds what the library leaves open: credentials come by POST in the body only,
// nothing is cached, and only public metadata may be read by scripts of other origins.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		switch r.URL.Path {
		case pathToken, "/introspect", "/revoke":
			if r.Method != http.MethodPost || r.URL.RawQuery != "" {
				w.Header().Set("Allow", http.MethodPost)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusMethodNotAllowed)
				_, _ = w.Write([]byte(`{"error":"invalid_request","error_description":"POST with the parameters in the body"}`))
				return
			}
			const maxForm = 64 << 10
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		case oidc.DiscoveryEndpoint, "/keys":
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Cache-Control", "public, max-age=300")
			w.Header().Del("Pragma")
		}
		next.ServeHTTP(w, r)
	})
}

// VerifyClient authenticates a client by its assertion, at every endpoint that asks for one.
func (s *Server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	if r.Header.Get("Authorization") != "" || r.Data.ClientSecret != "" || r.Data.ClientAssertion == "" {
		return nil, invalidClient("client authentication is private_key_jwt", nil)
	}
	client, err := s.assertions.verify(ctx, r.Data.ClientAssertion, r.Form.Get("client_id"))
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return nil, invalidClient(text, err)
	}
	reqlog.Note(ctx, func(e *reqlog.Entry) { e.Client, e.Grant = client.ID, r.Form.Get("grant_type") })
	return client, nil
}

func invalidClient(description string, parent error) error {
	return op.NewStatusError(oidc.ErrInvalidClient().WithDescription("%s", description).WithParent(parent), http.StatusUnauthorized)
}

// CodeExchange redeems a code for the client it was issued to, with the verifier of its challenge.
func (s *Server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	if owner := s.storage.clientOfCode(r.Data.Code); owner != r.Client.GetID() {
		return nil, oidc.ErrInvalidGrant().WithDescription("the code is unknown, used or expired")
	}
	if r.Data.CodeVerifier == "" {
		// The code is spent all the same: a request without the verifier may be a stolen code being tried.
		if _, err := s.storage.AuthRequestByCode(ctx, r.Data.Code); err != nil {
			return nil, oidc.ErrInvalidGrant().WithParent(err)
		}
		return nil, oidc.ErrInvalidGrant().WithDescription("code_verifier is missing")
	}
	response, err := s.LegacyServer.CodeExchange(ctx, r)
	return s.tokenResponse(response, err)
}

// RefreshToken rotates.
func (s *Server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	response, err := s.LegacyServer.RefreshToken(ctx, r)
	return s.tokenResponse(response, err)
}

// ClientCredentialsExchange is SMART Backend Services; there is neither a user nor a refresh token.
func (s *Server) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	response, err := s.LegacyServer.ClientCredentialsExchange(ctx, r)
	return s.tokenResponse(response, err)
}

// JWTProfile is not offered.
func (s *Server) JWTProfile(context.Context, *op.Request[oidc.JWTProfileGrantRequest]) (*op.Response, error) {
	return nil, oidc.ErrUnsupportedGrantType()
}

// tokenResponse puts the granted scopes and the profile's context into a token response.
func (s *Server) tokenResponse(response *op.Response, err error) (*op.Response, error) {
	if err != nil {
		return nil, err
	}
	answer, ok := response.Data.(*oidc.AccessTokenResponse)
	if !ok {
		return nil, oidc.ErrServerError()
	}
	token, ok := s.Token(answer.AccessToken)
	if !ok {
		return nil, oidc.ErrServerError()
	}
	out := map[string]any{"access_token": answer.AccessToken, "token_type": answer.TokenType, "expires_in": answer.ExpiresIn,
		"scope": strings.Join(token.Scopes, " ")}
	if answer.RefreshToken != "" {
		out["refresh_token"] = answer.RefreshToken
	}
	if answer.IDToken != "" && slices.Contains(token.Scopes, oidc.ScopeOpenID) {
		out["id_token"] = answer.IDToken
	}
	if token.Grant.Session != "" {
		for name, value := range s.config.Profile.TokenExtras(token.Grant) {
			out[name] = value
		}
	}
	return op.NewResponse(out), nil
}

// Token reads an access token.
func (s *Server) Token(accessToken string) (*Token, bool) {
	opened, err := s.provider.Crypto().Decrypt(accessToken)
	if err != nil {
		return nil, false
	}
	id, _, _ := strings.Cut(opened, ":")
	return s.storage.token(id)
}

// RevokeAccess ends one access token.
func (s *Server) RevokeAccess(accessToken string) {
	if token, ok := s.Token(accessToken); ok {
		s.storage.dropToken(token.id)
	}
}
