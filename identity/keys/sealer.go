package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/televisit/televisit/identity/phi"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrNotSealed means that a sealed value was altered, moved to another row, or sealed by a key that is not in the ring.
var ErrNotSealed = errors.New("keys: sealed value was altered, moved, or sealed by another key")

// OrgKey seals the columns of one organisation. It is safe for concurrent use.
type OrgKey struct {
	columns       tink.AEAD
	primaryPrefix []byte
	index         []byte
}

var _ phi.Sealer = (*OrgKey)(nil)

// OrgSealer makes the sealer of an organisation from its plain data key: what [Keys.NewWrapped] or [Keys.Unwrap]
// returned. The caller may wipe plain afterwards.
func OrgSealer(plain []byte) (*OrgKey, error) {
	r, err := parseRing(plain)
	if err != nil {
		return nil, err
	}
	defer Wipe(r.secret)
	columns, err := aead.New(r.keys)
	if err != nil {
		return nil, fmt.Errorf("keys: data key: %w", err)
	}
	index, err := hkdf.Key(sha256.New, r.secret, nil, "televisit.index.v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("keys: derive: %w", err)
	}
	// Tink's prefix: 0x01 and the key's id (Tink wire format).
	prefix := binary.BigEndian.AppendUint32([]byte{1}, r.keys.KeysetInfo().GetPrimaryKeyId())
	return &OrgKey{columns: columns, primaryPrefix: prefix, index: index}, nil
}

// Seal encrypts plain with AES-256-GCM under the primary key, bound to aad.
func (k *OrgKey) Seal(plain, aad []byte) ([]byte, error) {
	sealed, err := k.columns.Encrypt(plain, aad)
	if err != nil {
		return nil, fmt.Errorf("keys: seal: %w", err)
	}
	return sealed, nil
}

// Open decrypts what this or an earlier key of the ring sealed. It fails with [ErrNotSealed].
func (k *OrgKey) Open(sealed, aad []byte) ([]byte, error) {
	plain, err := k.columns.Decrypt(sealed, aad)
	if err != nil {
		return nil, ErrNotSealed
	}
	return plain, nil
}

// Current reports whether the primary key sealed the value; if not, seal it again before [Keys.Retire].
func (k *OrgKey) Current(sealed []byte) bool { return bytes.HasPrefix(sealed, k.primaryPrefix) }

// Index returns HMAC-SHA-256 over the domain and the value, under a key that rotation leaves alone (32 bytes).
func (k *OrgKey) Index(domain, value string) []byte {
	mac := hmac.New(sha256.New, k.index)
	// The length keeps ("ab","c") apart from ("a","bc"). A hash never returns an error on Write.
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(domain))))
	mac.Write([]byte(domain))
	mac.Write([]byte(value))
	return mac.Sum(nil)
}
