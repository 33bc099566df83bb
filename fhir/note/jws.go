package note

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/google/uuid"

	"github.com/televisit/televisit/identity/phi"
)

// ErrSignature means that a signature does not belong to the content and the key.
var ErrSignature = errors.New("the signature does not fit the note")

// Members of the signature's protected header beside "alg" and "kid".
const (
	headerIssuedAt = "iat"    // seconds since 1970, when it was signed
	headerSigner   = "signer" // urn:uuid of the member of staff
)

// Signature is what a verified signature says.
type Signature struct {
	KeyID    string
	Signer   uuid.UUID
	SignedAt time.Time // to the second
}

// sign makes a detached JWS over content: a compact serialization whose middle part is empty (RFC 7515 appendix F).
func sign(key SigningKey, content phi.Text, signer uuid.UUID, at time.Time) (string, error) {
	public, ok := key.Key.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return "", errors.New("the signing key is not on the curve P-256")
	}
	if key.ID == "" {
		return "", errors.New("the signing key has no id")
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", key.ID).WithHeader(headerIssuedAt, at.Unix()).WithHeader(headerSigner, signer.URN())
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(key.Key)}, options)
	if err != nil {
		return "", fmt.Errorf("prepare the signature: %w", err)
	}
	jws, err := s.Sign([]byte(content.Reveal()))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return jws.DetachedCompactSerialize()
}

// VerifySigned checks a detached JWS over the exact bytes of content, and tells what it says. Only ES256 is taken. The
// error is ErrSignature, whatever does not fit.
func VerifySigned(content phi.Text, jws string, public crypto.PublicKey) (Signature, error) {
	payload := []byte(content.Reveal())
	parsed, err := jose.ParseDetached(jws, payload, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(parsed.Signatures) != 1 {
		return Signature{}, ErrSignature
	}
	if err := parsed.DetachedVerify(payload, public); err != nil {
		return Signature{}, ErrSignature
	}
	protected := parsed.Signatures[0].Protected
	issued, ok := protected.ExtraHeaders[headerIssuedAt].(float64)
	signer, named := protected.ExtraHeaders[headerSigner].(string)
	id, err := uuid.Parse(signer)
	if !ok || !named || err != nil {
		return Signature{}, ErrSignature
	}
	return Signature{KeyID: protected.KeyID, Signer: id, SignedAt: time.Unix(int64(issued), 0).UTC()}, nil
}
