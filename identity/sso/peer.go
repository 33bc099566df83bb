package sso

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/identity"
)

const (
	metadataLifetime = time.Hour
	refreshEvery     = 10 * time.Minute
	retryAfter       = time.Minute
)

// peer is one configured authorization server: an EHR's, or an identity provider.
type peer struct {
	name      string
	org       uuid.UUID
	smart     bool
	base      string // FHIR base, or issuer
	discovery string
	clientID  string
	scopes    []string

	backendClientID string
	backendScopes   []string
	backend         backendToken

	rolesClaim string
	roleWords  map[string]identity.Role

	client *http.Client
	now    func() time.Time
	keys   keySet

	mu        sync.Mutex
	metadata  metadata
	fetchedAt time.Time
}

// metadata is what both discovery documents have in common (SMART App Launch 2.2; OIDC Discovery 1.0; RFC 8414).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	Introspection string   `json:"introspection_endpoint"`
	Capabilities  []string `json:"capabilities"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	AuthAlgs      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ResponseIss   bool     `json:"authorization_response_iss_parameter_supported"`
}

// discover gives the metadata, from memory while it is fresh. An older one serves when the peer does not answer now.
func (p *peer) discover(ctx context.Context) (metadata, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Sub(p.fetchedAt) < metadataLifetime {
		return p.metadata, nil
	}
	m, err := p.fetch(ctx)
	switch {
	case err == nil:
		p.metadata, p.fetchedAt = m, p.now()
	case p.metadata.Token == "":
		return metadata{}, err
	default: // do not make every launch wait for a peer that is down
		p.fetchedAt = p.now().Add(retryAfter - metadataLifetime)
	}
	return p.metadata, nil
}

// refresh fetches metadata and keys anew, whatever their age. Launches meanwhile use what is known.
func (p *peer) refresh(ctx context.Context) error {
	m, err := p.fetch(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.metadata, p.fetchedAt = m, p.now()
	p.mu.Unlock()
	return p.keys.refresh(ctx, m.JWKS)
}

func (p *peer) fetch(ctx context.Context) (metadata, error) {
	var m metadata
	if err := getJSON(ctx, p.client, p.discovery, &m); err != nil {
		return metadata{}, err
	}
	return m, p.check(&m)
}

// check resolves relative addresses against the base, as SMART allows, and refuses metadata that we cannot use safely.
func (p *peer) check(m *metadata) error {
	bad := func(what string) error { return fail("bad-metadata", errors.New(p.name+": "+what)) }
	base, err := url.Parse(p.base + "/")
	if err != nil {
		return bad("base address")
	}
	for name, field := range map[string]*string{"authorization_endpoint": &m.Authorization, "token_endpoint": &m.Token, "jwks_uri": &m.JWKS} {
		ref, err := url.Parse(*field)
		if err != nil || *field == "" {
			return bad(name + " is missing or malformed")
		}
		absolute := base.ResolveReference(ref)
		if absolute.Scheme != "https" || absolute.Host == "" || absolute.User != nil {
			return bad(name + " is no https address")
		}
		*field = absolute.String()
	}
	if m.Issuer == "" {
		return bad("issuer is missing")
	}
	if !p.smart && m.Issuer != p.base {
		return bad("the issuer differs from the configured one")
	}
	if len(m.Challenges) > 0 && !slices.Contains(m.Challenges, "S256") {
		return bad("PKCE with S256 is not supported")
	}
	return nil
}

// Warm fetches every peer's metadata and keys, so that the first launch need not wait for them. It tells what failed;
// the others are usable.
func (s *SSO) Warm(ctx context.Context) error {
	results := make([]error, len(s.peers))
	var wg sync.WaitGroup
	for i, p := range s.peers {
		wg.Go(func() { results[i] = p.refresh(ctx) })
	}
	wg.Wait()
	return errors.Join(results...)
}

// Run keeps metadata and keys warm until ctx ends.
func (s *SSO) Run(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		if err := s.Warm(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("a sign-in service could not be read; its last known metadata stay in use", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
