package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
)

// ErrNotRing means that plain bytes are not a data key of this package.
var ErrNotRing = errors.New("keys: not a data key of an organisation")

// ringVersion is the first byte of a ring that has been rotated at least once: version, secret, Tink keyset.
const ringVersion = 1

// ring is the data key of an organisation. Before the first rotation it is nothing but its secret, as [Keys.NewWrapped] makes
// it, and its one key is derived from that; so a fresh data key needs no second round trip to the key service.
type ring struct {
	secret []byte
	keys   *keyset.Handle
}

func parseRing(plain []byte) (*ring, error) {
	if len(plain) == DataKeySize {
		handle, err := firstKey(plain)
		if err != nil {
			return nil, err
		}
		return &ring{secret: bytes.Clone(plain), keys: handle}, nil
	}
	if len(plain) < 1+DataKeySize || plain[0] != ringVersion {
		return nil, ErrNotRing
	}
	secret, encoded := plain[1:1+DataKeySize], plain[1+DataKeySize:]
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(encoded)))
	if err != nil {
		return nil, ErrNotRing
	}
	return &ring{secret: bytes.Clone(secret), keys: handle}, nil
}

// firstKey derives the key of a ring that was never rotated, and its id.
func firstKey(secret []byte) (*keyset.Handle, error) {
	const keyLength = 32
	derived, err := hkdf.Key(sha256.New, secret, nil, "televisit.column.v1", keyLength+4)
	if err != nil {
		return nil, fmt.Errorf("keys: derive: %w", err)
	}
	defer Wipe(derived)
	parameters, err := columnParameters()
	if err != nil {
		return nil, err
	}
	id := binary.BigEndian.Uint32(derived[keyLength:]) | 1 // 0 would mean "no id" to Tink
	key, err := aesgcm.NewKey(secretdata.NewBytesFromData(derived[:keyLength], insecuresecretdataaccess.Token{}), id, parameters)
	if err != nil {
		return nil, fmt.Errorf("keys: make key: %w", err)
	}
	manager := keyset.NewManager()
	if _, err := manager.AddKey(key); err != nil {
		return nil, fmt.Errorf("keys: add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("keys: set primary key: %w", err)
	}
	return manager.Handle()
}

// columnParameters is AES-256-GCM with Tink's prefix, which names the key that sealed a value.
func columnParameters() (*aesgcm.Parameters, error) {
	p, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink})
	if err != nil {
		return nil, fmt.Errorf("keys: parameters: %w", err)
	}
	return p, nil
}

func (r *ring) rotate() error {
	parameters, err := columnParameters()
	if err != nil {
		return err
	}
	manager := keyset.NewManagerFromHandle(r.keys)
	id, err := manager.AddNewKeyFromParameters(parameters)
	if err != nil {
		return fmt.Errorf("keys: add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return fmt.Errorf("keys: set primary key: %w", err)
	}
	r.keys, err = manager.Handle()
	return err
}

func (r *ring) retire() error {
	info := r.keys.KeysetInfo()
	manager := keyset.NewManagerFromHandle(r.keys)
	for _, key := range info.GetKeyInfo() {
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			continue
		}
		if err := manager.Delete(key.GetKeyId()); err != nil {
			return fmt.Errorf("keys: drop key: %w", err)
		}
	}
	var err error
	r.keys, err = manager.Handle()
	return err
}

func (r *ring) encode() ([]byte, error) {
	var encoded bytes.Buffer
	encoded.WriteByte(ringVersion)
	encoded.Write(r.secret)
	if err := insecurecleartextkeyset.Write(r.keys, keyset.NewBinaryWriter(&encoded)); err != nil {
		return nil, fmt.Errorf("keys: encode: %w", err)
	}
	return encoded.Bytes(), nil
}
