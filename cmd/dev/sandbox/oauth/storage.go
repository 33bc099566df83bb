package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
)

// Lifetimes. A code lives a minute (SMART App Launch 2.2); tokens of client credentials
// at most five (SMART Backend Services).
const (
	requestLife = 10 * time.Minute
	codeLife    = time.Minute
	accessLife  = 15 * time.Minute
	systemLife  = 300 * time.Second
	refreshLife = 12 * time.Hour
)

var (
	errNoRequest = errors.New("no such authorization request")
	errNoCode    = errors.New("the code is unknown, used or expired")
	errNoRefresh = errors.New("the refresh token is unknown, used or expired")
)

type code struct {
	request *Request
	expires time.Time
	used    bool
}

// storage implements op.Storage and op.ClientCredentialsStorage in memory: a restart ends every grant.
type storage struct {
	mu       sync.Mutex
	now      func() time.Time
	clients  map[string]*Client
	users    *accounts.Users
	sessions *accounts.Sessions
	profile  Profile
	key      *signingKey

	requests  map[string]*Request
	codes     map[[32]byte]*code
	tokens    map[string]*Token
	refreshes map[[32]byte]*refreshToken
}

func hash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

func (s *storage) addRequest(r *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	s.requests[r.id] = r
}

// sweep forgets what has expired; codes and refresh tokens stay as long as their reuse must be noticed.
func (s *storage) sweep() {
	now := s.now()
	for id, r := range s.requests {
		if r.expires.Before(now) {
			delete(s.requests, id)
		}
	}
	for key, c := range s.codes {
		if c.expires.Add(accessLife).Before(now) {
			delete(s.codes, key)
		}
	}
	for id, t := range s.tokens {
		if t.Expires.Before(now) {
			delete(s.tokens, id)
		}
	}
	for key, r := range s.refreshes {
		if r.expires.Before(now) {
			delete(s.refreshes, key)
		}
	}
}

func (s *storage) request(id string) (*Request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok || r.expires.Before(s.now()) {
		return nil, errNoRequest
	}
	return r, nil
}

// complete signs the user of a session in for a request.
func (s *storage) complete(r *Request, session accounts.Session, acr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.grant != nil {
		return
	}
	r.grant = &Grant{ID: rand.Text(), ClientID: r.clientID, Subject: session.Subject, Scopes: r.scopes,
		AuthTime: session.AuthTime, ACR: acr, Session: session.ID, Context: r.Context}
}

// CreateAuthRequest is not used: Server.Authorize stores the request itself, because it needs the HTTP request.
func (s *storage) CreateAuthRequest(context.Context, *oidc.AuthRequest, string) (op.AuthRequest, error) {
	return nil, oidc.ErrServerError()
}

// AuthRequestByID finds a request after the sign-in.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	return s.request(id)
}

// SaveAuthCode keeps a code; the request itself is over.
func (s *storage) SaveAuthCode(_ context.Context, id, secret string) error {
	r, err := s.request(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	s.codes[hash(secret)] = &code{request: r, expires: s.now().Add(codeLife)}
	return nil
}

// AuthRequestByCode takes a code. It works once; a second use revokes what the first one got (RFC 6749 section 4.1.2).
func (s *storage) AuthRequestByCode(_ context.Context, secret string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[hash(secret)]
	if !ok {
		return nil, errNoCode
	}
	if c.used {
		c.request.grant.revoked = true
		return nil, errNoCode
	}
	c.used = true
	if c.expires.Before(s.now()) {
		return nil, errNoCode
	}
	return c.request, nil
}

// clientOfCode tells whose code it is, without using it.
func (s *storage) clientOfCode(secret string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.codes[hash(secret)]; ok {
		return c.request.clientID
	}
	return ""
}

// DeleteAuthRequest has nothing to do: the request went when its code was made.
func (s *storage) DeleteAuthRequest(context.Context, string) error { return nil }

// CreateAccessToken makes an access token.
func (s *storage) CreateAccessToken(_ context.Context, request op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grant, scopes, life := grantOf(request)
	if grant == nil || grant.revoked {
		return "", time.Time{}, oidc.ErrInvalidGrant()
	}
	now := s.now()
	t := &Token{Grant: grant, Scopes: scopes, Issued: now, Expires: now.Add(life), id: rand.Text()}
	s.tokens[t.id] = t
	// The library subtracts the time of day from this to tell the client how long the token lives.
	return t.id, time.Now().Add(life), nil
}

func grantOf(request op.TokenRequest) (*Grant, []string, time.Duration) {
	switch r := request.(type) {
	case *Request:
		return r.grant, r.scopes, accessLife
	case *refreshRequest:
		return r.grant, r.scopes, accessLife
	case *clientRequest:
		return r.grant, r.grant.Scopes, systemLife
	}
	return nil, nil, 0
}

// CreateAccessAndRefreshTokens makes both and retires the refresh token that was used.
func (s *storage) CreateAccessAndRefreshTokens(ctx context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	if err := s.retire(current); err != nil {
		return "", "", time.Time{}, err
	}
	id, expires, err := s.CreateAccessToken(ctx, request)
	if err != nil {
		return "", "", time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	grant, _, _ := grantOf(request)
	secret := rand.Text() + rand.Text()
	s.refreshes[hash(secret)] = &refreshToken{grant: grant, scopes: grant.Scopes, expires: s.now().Add(refreshLife)}
	return id, secret, expires, nil
}

func (s *storage) retire(current string) error {
	if current == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.refreshes[hash(current)]
	if !ok || r.used {
		return oidc.ErrInvalidGrant().WithParent(errNoRefresh)
	}
	r.used = true
	return nil
}

// TokenRequestByRefreshToken finds the grant of a refresh token. Reuse of a retired one
// means that somebody has a copy, so the whole grant ends (RFC 9700 section 4.14.2).
func (s *storage) TokenRequestByRefreshToken(_ context.Context, secret string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.refreshes[hash(secret)]
	if !ok {
		return nil, errNoRefresh
	}
	if r.used {
		r.grant.revoked = true
	}
	if r.grant.revoked || r.expires.Before(s.now()) {
		return nil, errNoRefresh
	}
	if !r.grant.offline() && !s.sessions.Alive(r.grant.Session) {
		return nil, errNoRefresh // online_access ends with the session of the user
	}
	return &refreshRequest{grant: r.grant, scopes: r.scopes}, nil
}

// TerminateSession ends what one user gave one client.
func (s *storage) TerminateSession(_ context.Context, userID, clientID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.Grant.Subject == userID && t.Grant.ClientID == clientID {
			t.Grant.revoked = true
		}
	}
	return nil
}

// RevokeToken ends an access token, or the grant of a refresh token (RFC 7009).
func (s *storage) RevokeToken(_ context.Context, tokenOrID, _, clientID string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.refreshes[hash(tokenOrID)]; ok && r.grant.ClientID == clientID {
		r.grant.revoked = true
	}
	if t, ok := s.tokens[tokenOrID]; ok && t.Grant.ClientID == clientID {
		delete(s.tokens, tokenOrID)
	}
	return nil
}

// GetRefreshTokenInfo tells whose refresh token it is.
func (s *storage) GetRefreshTokenInfo(_ context.Context, clientID, secret string) (string, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.refreshes[hash(secret)]
	if !ok || r.grant.ClientID != clientID {
		return "", "", op.ErrInvalidRefreshToken
	}
	return r.grant.Subject, secret, nil
}

// token returns a live access token by its id.
func (s *storage) token(id string) (*Token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[id]
	if !ok || t.Grant.revoked || !t.Expires.After(s.now()) {
		return nil, false
	}
	return t, true
}

func (s *storage) dropToken(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, id)
}

// refresh returns a live refresh token for introspection.
func (s *storage) refresh(secret string) (*refreshToken, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.refreshes[hash(secret)]
	if !ok || r.used || r.grant.revoked || r.expires.Before(s.now()) {
		return nil, false
	}
	return r, true
}
