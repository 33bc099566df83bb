package oauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	assertionLife = 5 * time.Minute // SMART App Launch 2.2, asymmetric client authentication
	skew          = 10 * time.Second
)

func assertionAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES384, jose.RS384}
}

// assertions checks client assertions (RFC 7523) as SMART asks. The library's own check
// knows neither ES384 nor RS384, takes the issuer as audience and does not notice replays.
type assertions struct {
	clients   map[string]*Client
	audiences []string
	keys      *keyCache

	mu   sync.Mutex
	seen map[string]time.Time // client and jti, until the assertion expires
}

// Errors of a client assertion; their texts are safe to tell the client.
var (
	errAssertion   = errors.New("client_assertion is not a JWT signed with ES384 or RS384")
	errHeader      = errors.New("client_assertion needs a kid and typ JWT")
	errIssuer      = errors.New("client_assertion needs iss and sub equal to a registered client_id")
	errKey         = errors.New("no key of the client matches the kid")
	errSignature   = errors.New("client_assertion has a wrong signature")
	errAudience    = errors.New("client_assertion has another audience than the token endpoint")
	errExpiry      = errors.New("client_assertion needs an exp at most five minutes away")
	errNotYet      = errors.New("client_assertion is not valid yet")
	errNoJTI       = errors.New("client_assertion needs a jti")
	errReplayed    = errors.New("client_assertion was used before")
	errWrongClient = errors.New("client_id is not the one of client_assertion")
)

func (a *assertions) verify(ctx context.Context, assertion, clientID string) (*Client, error) {
	token, err := jwt.ParseSigned(assertion, assertionAlgorithms())
	if err != nil || len(token.Headers) != 1 {
		return nil, errAssertion
	}
	header := token.Headers[0]
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); header.KeyID == "" || typ != "JWT" {
		return nil, errHeader
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, errAssertion
	}
	client, ok := a.clients[claims.Issuer]
	if !ok || claims.Subject != claims.Issuer {
		return nil, errIssuer
	}
	if clientID != "" && clientID != client.ID {
		return nil, errWrongClient
	}
	key, err := a.keyOf(ctx, client, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, errors.Join(errKey, err)
	}
	if err := token.Claims(key.Key, &claims); err != nil {
		return nil, errSignature
	}
	return client, a.check(client, claims)
}

func (a *assertions) check(client *Client, claims jwt.Claims) error {
	now := time.Now() // the client's clock is real, whatever day the sandbox plays
	switch {
	case !slices.ContainsFunc(a.audiences, claims.Audience.Contains):
		return errAudience
	case claims.Expiry == nil, claims.Expiry.Time().Before(now), claims.Expiry.Time().After(now.Add(assertionLife + skew)):
		return errExpiry
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(skew)),
		claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(skew)):
		return errNotYet
	case claims.ID == "":
		return errNoJTI
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, until := range a.seen {
		if until.Before(now) {
			delete(a.seen, key)
		}
	}
	key := client.ID + "\x00" + claims.ID
	if _, replayed := a.seen[key]; replayed {
		return errReplayed
	}
	a.seen[key] = claims.Expiry.Time()
	return nil
}

// keyOf finds a client's key among those that it was registered with, or at its address.
func (a *assertions) keyOf(ctx context.Context, client *Client, kid, algorithm string) (jose.JSONWebKey, error) {
	if client.Keys != nil {
		return pick(*client.Keys, kid, algorithm)
	}
	return a.keys.find(ctx, client.JWKSURI, kid, algorithm)
}
