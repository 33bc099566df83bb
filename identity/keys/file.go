package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// maxKeyFile bounds what is read as a key file; a keyset of a hundred keys is far below it.
const maxKeyFile = 1 << 20

// fileKEK is a Tink keyset from a local file. Decryption fails in one way only: the bytes do not belong to it.
type fileKEK struct{ primitive tink.AEAD }

func (f fileKEK) EncryptWithContext(_ context.Context, plain, aad []byte) ([]byte, error) {
	return f.primitive.Encrypt(plain, aad)
}

func (f fileKEK) DecryptWithContext(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	plain, err := f.primitive.Decrypt(wrapped, aad)
	if err != nil {
		return nil, ErrNotOpened
	}
	return plain, nil
}

func openFile(path string) (tink.AEADWithContext, error) {
	handle, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKeyFile(path); err != nil {
			return nil, err
		}
		handle, err = readKeyFile(path)
	}
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%w: key file %s holds no usable AEAD keyset", ErrConfig, path)
	}
	return fileKEK{primitive}, nil
}

// readKeyFile checks the permissions of the very file it reads, not of whatever has the name a moment earlier.
func readKeyFile(path string) (*keyset.Handle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keys: open key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keys: stat key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: key file %s is not a regular file", ErrConfig, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: key file %s has mode %04o: others than its owner could read or change it; run chmod 600 on it", ErrConfig, path, mode)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("keys: read key file: %w", err)
	}
	defer Wipe(content)
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(content)))
	if err != nil {
		// The cause is left out: a parser may quote what it could not read.
		return nil, fmt.Errorf("%w: key file %s is not a Tink keyset in JSON", ErrConfig, path)
	}
	return handle, nil
}

// createKeyFile makes a new keyset. Where two processes start at once, one file wins and both use it.
func createKeyFile(path string) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("keys: make keyset: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keys: make folder of key file: %w", err)
	}
	err = writeKeyFile(path, handle, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// RotateFile adds a new primary key to a key file; older keys stay for unwrapping. Servers read the file at start.
// Afterwards [Keys.Rewrap] moves stored data keys under the new one.
func RotateFile(path string) error {
	handle, err := readKeyFile(path)
	if err != nil {
		return err
	}
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("keys: add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return fmt.Errorf("keys: set primary key: %w", err)
	}
	if handle, err = manager.Handle(); err != nil {
		return fmt.Errorf("keys: keyset: %w", err)
	}
	return writeKeyFile(path, handle, os.Rename)
}

// writeKeyFile writes a whole keyset beside path and puts it in place: by link, which refuses to replace, or by rename.
// Both the file and its directory entry are on disk before it returns, so that nothing is ever wrapped by a key that a
// power cut takes back.
func writeKeyFile(path string, handle *keyset.Handle, place func(from, to string) error) error {
	var content bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&content)); err != nil {
		return fmt.Errorf("keys: encode keyset: %w", err)
	}
	defer func() { Wipe(content.Bytes()) }()
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keys: make key file: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content.Bytes())
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("keys: write key file: %w", err)
	}
	if err := place(temp.Name(), path); err != nil {
		return fmt.Errorf("keys: place key file: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("keys: open folder of key file: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("keys: sync folder of key file: %w", err)
	}
	return nil
}
