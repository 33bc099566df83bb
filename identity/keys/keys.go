package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	// DataKeySize is the length in bytes of a fresh data key: 256 bits.
	DataKeySize = 32
	// maxPlain is the most that AWS KMS encrypts in one request (KMS API reference, Encrypt: Plaintext).
	maxPlain = 4096
)

var (
	// ErrNotOpened means that wrapped bytes were altered, belong to another place (associated data) or were wrapped by
	// another key-encryption key. Trying again does not help.
	ErrNotOpened = errors.New("keys: wrapped key was altered, moved, or wrapped by another key-encryption key")
	// ErrUnavailable means that the key service did not answer or refused this caller; the cause is wrapped.
	ErrUnavailable = errors.New("keys: key service is not usable")
	// ErrNoContext means that a data key was to be wrapped or unwrapped without saying where it belongs.
	ErrNoContext = errors.New("keys: associated data is required")
	// ErrConfig means that the configuration names no key-encryption key, several, or one that is unsafe to use.
	ErrConfig = errors.New("keys: configuration")
)

// Config chooses the key-encryption key: exactly one of File and KMSKeyARN.
type Config struct {
	// File is the path of the local key file. If it does not exist it is made, readable by its owner alone.
	// Losing it loses everything encrypted under it: back it up apart from the data.
	File string
	// KMSKeyARN is the ARN of a symmetric AWS KMS key, or of an alias of one.
	KMSKeyARN string
	// KMSEndpoint replaces the endpoint of AWS (a VPC endpoint, or a server speaking the same protocol). Plain http is accepted for
	// loopback addresses only.
	KMSEndpoint string
	// Region defaults to the one named by the ARN.
	Region string
}

// Keys wraps and unwraps data keys. It is safe for concurrent use.
type Keys struct {
	kek tink.AEADWithContext
}

// Open makes the key-encryption key ready and proves that it works by wrapping and unwrapping a throw-away key.
func Open(ctx context.Context, c Config) (*Keys, error) {
	var kek tink.AEADWithContext
	var err error
	switch {
	case c.File != "" && c.KMSKeyARN != "":
		return nil, fmt.Errorf("%w: both a key file and a KMS key are named; choose one", ErrConfig)
	case c.File != "":
		kek, err = openFile(c.File)
	case c.KMSKeyARN != "":
		kek, err = openKMS(ctx, c)
	default:
		return nil, fmt.Errorf("%w: name a key file or a KMS key", ErrConfig)
	}
	if err != nil {
		return nil, err
	}
	k := &Keys{kek: kek}
	if err := k.probe(ctx); err != nil {
		return nil, fmt.Errorf("keys: the key-encryption key does not work: %w", err)
	}
	return k, nil
}

func (k *Keys) probe(ctx context.Context) error {
	aad := []byte("televisit.probe")
	plain, wrapped, err := k.NewWrapped(ctx, aad)
	if err != nil {
		return err
	}
	defer Wipe(plain)
	again, err := k.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return err
	}
	defer Wipe(again)
	if string(again) != string(plain) {
		return fmt.Errorf("%w: it returned another plaintext than it was given", ErrUnavailable)
	}
	return nil
}

// NewWrapped makes a data key of [DataKeySize] random bytes. The caller stores wrapped, and wipes plain after use.
//
// The associated data says where the key belongs, and [Keys.Unwrap] needs the same again: use a type word and UUIDs,
// as "recording/<uuid>". AWS KMS writes it to CloudTrail, so it must identify no person.
func (k *Keys) NewWrapped(ctx context.Context, aad []byte) (plain, wrapped []byte, err error) {
	plain = make([]byte, DataKeySize)
	if _, err := rand.Read(plain); err != nil {
		return nil, nil, fmt.Errorf("keys: random source: %w", err)
	}
	wrapped, err = k.wrap(ctx, plain, aad)
	if err != nil {
		Wipe(plain)
		return nil, nil, err
	}
	return plain, wrapped, nil
}

// Unwrap returns the data key. It fails with [ErrNotOpened] or [ErrUnavailable].
func (k *Keys) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	if len(aad) == 0 {
		return nil, ErrNoContext
	}
	plain, err := k.kek.DecryptWithContext(ctx, wrapped, aad)
	if err != nil {
		return nil, classify(err)
	}
	return plain, nil
}

// Rewrap wraps the same data key anew, under the current version of the key-encryption key.
func (k *Keys) Rewrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	plain, err := k.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return nil, err
	}
	defer Wipe(plain)
	return k.wrap(ctx, plain, aad)
}

// Rotate gives the data key of an organisation a new primary key and returns its new wrapped form. What the older keys
// sealed still opens. The caller replaces the stored form and makes its sealers anew.
func (k *Keys) Rotate(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	return k.changeRing(ctx, wrapped, aad, (*ring).rotate)
}

// Retire drops every key but the primary from the data key of an organisation. What the dropped keys sealed is lost:
// seal every row again first.
func (k *Keys) Retire(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	return k.changeRing(ctx, wrapped, aad, (*ring).retire)
}

func (k *Keys) changeRing(ctx context.Context, wrapped, aad []byte, change func(*ring) error) ([]byte, error) {
	plain, err := k.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return nil, err
	}
	defer Wipe(plain)
	r, err := parseRing(plain)
	if err != nil {
		return nil, err
	}
	if err := change(r); err != nil {
		return nil, err
	}
	changed, err := r.encode()
	if err != nil {
		return nil, err
	}
	defer Wipe(changed)
	return k.wrap(ctx, changed, aad)
}

func (k *Keys) wrap(ctx context.Context, plain, aad []byte) ([]byte, error) {
	if len(aad) == 0 {
		return nil, ErrNoContext
	}
	if len(plain) > maxPlain {
		return nil, errors.New("keys: too many generations in one data key; seal the rows again and retire the old ones")
	}
	wrapped, err := k.kek.EncryptWithContext(ctx, plain, aad)
	if err != nil {
		return nil, classify(err)
	}
	return wrapped, nil
}

// Wipe overwrites a plain key. See the package comment for what it cannot do.
func Wipe(b []byte) { clear(b) }
