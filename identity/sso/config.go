package sso

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// EHR is one chart that may launch us.
type EHR struct {
	Name     string
	Org      uuid.UUID
	Iss      string // the FHIR base, exactly as the EHR sends it in "iss"
	ClientID string
	Scopes   []string // of a launch; v2 notation
	// BackendClientID and BackendScopes are for tokens without a person (SMART Backend Services). An empty client id is
	// the launch's.
	BackendClientID string
	BackendScopes   []string
}

// Provider is an identity provider of an organisation's staff.
type Provider struct {
	Name       string // appears in the sign-in page's URL
	Org        uuid.UUID
	Issuer     string
	ClientID   string
	Scopes     []string                 // default: openid profile
	RolesClaim string                   // default: roles; a dot descends ("realm_access.roles")
	Roles      map[string]identity.Role // what the claim's values mean; empty: they are our own words
}

// Config names everybody whose word counts.
type Config struct {
	Origin string    // our own, as "https://visits.example.org"
	Home   uuid.UUID // the organisation whose trail receives what belongs to none, such as a launch by a stranger
	EHRs   []EHR
	SSO    []Provider
	Keys   *SigningKeys
	HTTP   *http.Client // trusts the configured authorities
}

// Deps are the parts that SSO stands on.
type Deps struct {
	DB      *audit.DB
	Keyring *identity.Keyring
	Now     func() time.Time
	Log     *slog.Logger
}

// SSO runs the flows. It is safe for concurrent use.
type SSO struct {
	origin  string
	home    uuid.UUID
	keys    *SigningKeys
	db      *audit.DB
	keyring *identity.Keyring
	now     func() time.Time
	log     *slog.Logger
	peers   []*peer
}

// New checks the configuration; it fetches nothing.
func New(c Config, d Deps) (*SSO, error) {
	if _, err := secureURL(c.Origin); err != nil {
		return nil, fmt.Errorf("sso: origin: %w", err)
	}
	if c.Home == uuid.Nil {
		return nil, errors.New("sso: name the organisation whose trail receives what belongs to none")
	}
	if c.Keys == nil || c.HTTP == nil || d.DB == nil || d.Keyring == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("sso: a part is missing")
	}
	s := &SSO{origin: strings.TrimSuffix(c.Origin, "/"), home: c.Home, keys: c.Keys, db: d.DB, keyring: d.Keyring, now: d.Now, log: d.Log}
	client := guarded(c.HTTP)
	for _, e := range c.EHRs {
		p, err := ehrPeer(e)
		if err != nil {
			return nil, err
		}
		s.peers = append(s.peers, p)
	}
	for _, o := range c.SSO {
		p, err := providerPeer(o)
		if err != nil {
			return nil, err
		}
		s.peers = append(s.peers, p)
	}
	names, bases := map[string]bool{}, map[string]bool{}
	for _, p := range s.peers {
		if names[p.name] || bases[p.base] {
			return nil, fmt.Errorf("sso: connection %s: its name or address is used twice", p.name)
		}
		names[p.name], bases[p.base] = true, true
		p.client, p.now = client, d.Now
		p.keys = keySet{client: client, now: d.Now}
		p.backend.turn = make(chan struct{}, 1)
	}
	return s, nil
}

func ehrPeer(e EHR) (*peer, error) {
	if _, err := secureURL(e.Iss); err != nil || e.Name == "" || e.ClientID == "" || e.Org == uuid.Nil {
		return nil, fmt.Errorf("sso: EHR %q needs a name, an organisation, a client id and an https address", e.Name)
	}
	backend := e.BackendClientID
	if backend == "" {
		backend = e.ClientID
	}
	return &peer{name: e.Name, org: e.Org, smart: true, base: e.Iss, clientID: e.ClientID, scopes: e.Scopes, backendClientID: backend,
		backendScopes: e.BackendScopes, discovery: strings.TrimSuffix(e.Iss, "/") + "/.well-known/smart-configuration"}, nil
}

func providerPeer(o Provider) (*peer, error) {
	if _, err := secureURL(o.Issuer); err != nil || o.Name == "" || o.ClientID == "" || o.Org == uuid.Nil {
		return nil, fmt.Errorf("sso: identity provider %q needs a name, an organisation, a client id and an https address", o.Name)
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"openid", "profile"}
	}
	if o.RolesClaim == "" {
		o.RolesClaim = "roles"
	}
	return &peer{name: o.Name, org: o.Org, base: o.Issuer, clientID: o.ClientID, scopes: o.Scopes, rolesClaim: o.RolesClaim, roleWords: o.Roles,
		discovery: strings.TrimSuffix(o.Issuer, "/") + "/.well-known/openid-configuration"}, nil
}

// JWKS is our public key set (RFC 7517), to be published at {origin}/.well-known/jwks.json.
func (s *SSO) JWKS() []byte { return s.keys.Public() }

func (s *SSO) ehrByIss(iss string) *peer {
	return s.find(func(p *peer) bool { return p.smart && p.base == iss })
}

func (s *SSO) byName(name string, smart bool) *peer {
	return s.find(func(p *peer) bool { return p.smart == smart && p.name == name })
}

func (s *SSO) find(is func(*peer) bool) *peer {
	for _, p := range s.peers {
		if is(p) {
			return p
		}
	}
	return nil
}

func (s *SSO) redirectURI(p *peer) string {
	if p.smart {
		return s.origin + "/launch/callback"
	}
	return s.origin + "/sso/callback"
}

func secureURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
		return nil, errors.New("needs to be an https address without query, fragment or user")
	}
	return u, nil
}
