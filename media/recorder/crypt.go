package recorder

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrUnreadable means that stored bytes were altered, are not what they are said to be, or belong to another key.
var ErrUnreadable = errors.New("recorder: stored data is damaged or its key is another one")

// DataKeySize is the length in bytes of a recording's data key.
const DataKeySize = 32

// KeyContext is the associated data under which the data key of a recording is wrapped.
func KeyContext(recording uuid.UUID) []byte { return []byte("recording/" + recording.String()) }

// vault encrypts everything of one recording by AES-256-GCM, each purpose under a key of its own derived from the data key. Nonces
// are random: a day of recording makes about a million chunks, far from the bound of 2^32 (NIST SP 800-38D, 8.3).
type vault struct {
	recording uuid.UUID
	segments  cipher.AEAD
	files     cipher.AEAD
	manifest  cipher.AEAD
}

// newVault takes over dataKey and wipes it.
func newVault(recording uuid.UUID, dataKey []byte) (*vault, error) {
	defer clear(dataKey)
	if len(dataKey) != DataKeySize {
		return nil, fmt.Errorf("recorder: data key has %d bytes, not %d", len(dataKey), DataKeySize)
	}
	v := &vault{recording: recording}
	for purpose, aead := range map[string]*cipher.AEAD{"segments": &v.segments, "files": &v.files, "manifest": &v.manifest} {
		key, err := hkdf.Key(sha256.New, dataKey, nil, "televisit.recording."+purpose+".v1", DataKeySize)
		if err != nil {
			return nil, fmt.Errorf("recorder: derive key: %w", err)
		}
		block, err := aes.NewCipher(key)
		clear(key)
		if err != nil {
			return nil, fmt.Errorf("recorder: cipher: %w", err)
		}
		if *aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("recorder: cipher: %w", err)
		}
	}
	return v, nil
}

// identity is the associated data of a piece: the recording, which object, and numbers that place it there.
func (v *vault) identity(object uuid.UUID, numbers ...uint64) []byte {
	aad := append([]byte(nil), v.recording[:]...)
	aad = append(aad, object[:]...)
	for _, n := range numbers {
		aad = binary.BigEndian.AppendUint64(aad, n)
	}
	return aad
}

func open(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	plain, err := aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, ErrUnreadable
	}
	return plain, nil
}
