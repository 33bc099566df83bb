package sso

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysLifetime = time.Hour
	// refetchEvery bounds how often an unknown key id makes us ask again.
	refetchEvery = 5 * time.Second
)

// acceptedAlgs are the signatures that an id_token may have, whatever the metadata say: some advertise RS256 and sign
// ES256. There is no "none" and no HMAC in it.
func acceptedAlgs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA}
}

// keySet is a peer's public keys, kept in memory.
type keySet struct {
	client *http.Client
	now    func() time.Time

	mu        sync.Mutex
	keys      []jose.JSONWebKey
	fetchedAt time.Time
}

// refresh fetches the keys while the known ones stay in use.
func (k *keySet) refresh(ctx context.Context, address string) error {
	keys, err := fetchKeys(ctx, k.client, address)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.fetchedAt = keys, k.now()
	return nil
}

func fetchKeys(ctx context.Context, client *http.Client, address string) ([]jose.JSONWebKey, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := getJSON(ctx, client, address, &document); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		// A key of a type that we do not know does not spoil the others (RFC 7517 section 5).
		if json.Unmarshal(raw, &key) != nil || !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fail("bad-metadata", errors.New("the key set holds no usable key"))
	}
	return keys, nil
}

// find gives the key of that id. A token without an id is accepted only from a peer that has one key (OIDC Core 10.1).
func (k *keySet) find(ctx context.Context, address, kid string) (*jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.fetchedAt)
	key := pick(k.keys, kid)
	if age >= keysLifetime || key == nil && age >= refetchEvery {
		fetched, err := fetchKeys(ctx, k.client, address)
		switch {
		case err == nil:
			k.keys, k.fetchedAt = fetched, k.now()
			key = pick(k.keys, kid)
		case key == nil:
			return nil, err
		}
	}
	if key == nil {
		return nil, refuse("id-token-key", "the token's key id is not in the key set, or the token names none of several keys")
	}
	return key, nil
}

func pick(keys []jose.JSONWebKey, kid string) *jose.JSONWebKey {
	if kid == "" {
		if len(keys) == 1 {
			return &keys[0]
		}
		return nil
	}
	for i := range keys {
		if keys[i].KeyID == kid {
			return &keys[i]
		}
	}
	return nil
}

// peerKeys is a key set at its address; it satisfies go-oidc's KeySet.
type peerKeys struct {
	set     *keySet
	address string
}

// VerifySignature checks a token's signature and gives its payload (go-oidc's KeySet).
func (k peerKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	parsed, err := jose.ParseSignedCompact(token, acceptedAlgs())
	if err != nil || len(parsed.Signatures) != 1 {
		return nil, refuse("id-token-malformed", "not one signature of an accepted algorithm")
	}
	key, err := k.set.find(ctx, k.address, parsed.Signatures[0].Header.KeyID)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != "" && key.Algorithm != parsed.Signatures[0].Header.Algorithm {
		return nil, refuse("id-token-signature", "the algorithm is not the key's")
	}
	payload, err := parsed.Verify(key)
	if err != nil {
		return nil, refuse("id-token-signature", "the signature is not the key's")
	}
	return payload, nil
}
