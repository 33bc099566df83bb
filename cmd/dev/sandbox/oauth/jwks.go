package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

const (
	jwksFresh   = 5 * time.Minute
	jwksRefetch = time.Second // at most this often for an unknown kid
	jwksMaxBody = 1 << 20
	jwksTimeout = 10 * time.Second
)

// keyCache keeps the key sets of clients and fetches again when a kid is new to it.
type keyCache struct {
	client *http.Client
	mu     sync.Mutex
	sets   map[string]cachedSet
}

type cachedSet struct {
	set     jose.JSONWebKeySet
	fetched time.Time
}

var errNoKey = errors.New("the client's key set has no such key")

// find returns the one signing key with the kid that fits the algorithm.
func (c *keyCache) find(ctx context.Context, uri, kid, algorithm string) (jose.JSONWebKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, ok := c.sets[uri]
	age := time.Since(cached.fetched)
	if ok && age < jwksFresh {
		if key, err := pick(cached.set, kid, algorithm); err == nil || age < jwksRefetch {
			return key, err
		}
	}
	set, err := c.fetch(ctx, uri)
	if err != nil {
		return jose.JSONWebKey{}, err
	}
	c.sets[uri] = cachedSet{set: set, fetched: time.Now()}
	return pick(set, kid, algorithm)
}

func pick(set jose.JSONWebKeySet, kid, algorithm string) (jose.JSONWebKey, error) {
	found := set.Key(kid)
	if len(found) != 1 {
		return jose.JSONWebKey{}, errNoKey
	}
	key := found[0]
	if (key.Use != "" && key.Use != "sig") || (key.Algorithm != "" && key.Algorithm != algorithm) || !key.IsPublic() {
		return jose.JSONWebKey{}, errNoKey
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if algorithm == string(jose.RS384) && public.N.BitLen() >= keyBits {
			return key, nil
		}
	case *ecdsa.PublicKey:
		if algorithm == string(jose.ES384) {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, errNoKey
}

func (c *keyCache) fetch(ctx context.Context, uri string) (jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	var set jose.JSONWebKeySet
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return set, fmt.Errorf("jwks_uri: %w", err)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return set, fmt.Errorf("fetch jwks_uri: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return set, fmt.Errorf("fetch jwks_uri: status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, jwksMaxBody)).Decode(&set); err != nil {
		return set, fmt.Errorf("parse jwks_uri: %w", err)
	}
	return set, nil
}
