package sso

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

const (
	rsaBits           = 3072
	assertionLifetime = 4 * time.Minute // SMART: at most five; the rest is for clocks that differ
)

// SigningKeys are the private keys by which this server proves itself to EHRs and identity providers. A SMART client
// has to support both ES384 and RS384.
type SigningKeys struct {
	private []jose.JSONWebKey
	public  []byte
}

// LoadSigningKeys reads the keys from a file (a JWK set readable by its owner alone), making it if there is none. Of
// several keys for an algorithm the first signs and all are published, so that a successor can be published before use.
func LoadSigningKeys(path string) (*SigningKeys, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createSigningKeys(path); err != nil {
			return nil, err
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("sso: signing keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, errors.New("sso: the file of the signing keys can be read by others; make it 0600")
	}
	encoded, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("sso: signing keys: %w", err)
	}
	return parseSigningKeys(encoded)
}

// Public is the key set to publish (RFC 7517).
func (k *SigningKeys) Public() []byte { return bytes.Clone(k.public) }

func parseSigningKeys(encoded []byte) (*SigningKeys, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(encoded, &set); err != nil {
		return nil, errors.New("sso: the file of the signing keys is no JWK set")
	}
	var public jose.JSONWebKeySet
	seen := map[string]bool{}
	for _, k := range set.Keys {
		if k.KeyID == "" || seen[k.KeyID] || !k.Valid() || k.IsPublic() {
			return nil, errors.New("sso: the file of the signing keys holds a key that is not private or has no id of its own")
		}
		seen[k.KeyID] = true
		public.Keys = append(public.Keys, k.Public())
	}
	keys := &SigningKeys{private: set.Keys}
	for _, alg := range []jose.SignatureAlgorithm{jose.ES384, jose.RS384} {
		if keys.forAlg(alg) == nil {
			return nil, fmt.Errorf("sso: the file of the signing keys lacks one for %s", alg)
		}
	}
	var err error
	if keys.public, err = json.Marshal(public); err != nil {
		return nil, fmt.Errorf("sso: encode the public keys: %w", err)
	}
	return keys, nil
}

func createSigningKeys(path string) error {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return fmt.Errorf("sso: make a signing key: %w", err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return fmt.Errorf("sso: make a signing key: %w", err)
	}
	set := jose.JSONWebKeySet{}
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.ES384: ec, jose.RS384: rs} {
		k := jose.JSONWebKey{Key: key, Algorithm: string(alg), Use: "sig"}
		print, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			return fmt.Errorf("sso: name a signing key: %w", err)
		}
		k.KeyID = base64.RawURLEncoding.EncodeToString(print)
		set.Keys = append(set.Keys, k)
	}
	encoded, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("sso: encode the signing keys: %w", err)
	}
	return writeOnce(path, encoded)
}

// writeOnce leaves either a whole file or none; of two processes that start together one makes the file.
func writeOnce(path string, content []byte) error {
	temporary, err := os.OpenFile(path+"."+uuid.NewString(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("sso: signing keys: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Link(temporary.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("sso: signing keys: %w", err)
	}
	return nil
}

func (k *SigningKeys) forAlg(alg jose.SignatureAlgorithm) *jose.JSONWebKey {
	for i := range k.private {
		if k.private[i].Algorithm == string(alg) {
			return &k.private[i]
		}
	}
	return nil
}

// assertion proves that we are the client (RFC 7523, SMART "Client Authentication: Asymmetric"). Each has its own jti.
func (k *SigningKeys) assertion(m metadata, clientID string, now time.Time) (string, error) {
	alg := jose.RS384 // what a server that lists nothing is likeliest to know
	if slices.Contains(m.AuthAlgs, string(jose.ES384)) {
		alg = jose.ES384
	} else if len(m.AuthAlgs) > 0 && !slices.Contains(m.AuthAlgs, string(jose.RS384)) {
		return "", fail("bad-metadata", errors.New("neither ES384 nor RS384 is accepted from clients"))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: *k.forAlg(alg)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sso: use a signing key: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{Issuer: clientID, Subject: clientID, Audience: jwt.Audience{m.Token}, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLifetime))}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sso: sign an assertion: %w", err)
	}
	return token, nil
}
