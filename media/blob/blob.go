package blob

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

var (
	// ErrNotFound means that no object has the key.
	ErrNotFound = errors.New("blob: no such object")
	// ErrBadKey means that a key is not made of a-z, 0-9 and "-_./", or could leave the store.
	ErrBadKey = errors.New("blob: bad key")
	// ErrRange means that a range starts beyond the object's end, or is empty.
	ErrRange = errors.New("blob: range not satisfiable")
	// ErrSize means that Put was given more or fewer bytes than announced; nothing was stored.
	ErrSize = errors.New("blob: size differs from the one announced")
	// ErrNotEncrypted means that the store did not encrypt as asked.
	ErrNotEncrypted = errors.New("blob: the store does not encrypt with SSE-KMS although it was asked to")
	// ErrConfig means that the configuration is unusable, or that the store cannot do what it asks for.
	ErrConfig = errors.New("blob: configuration")
)

// Info describes a stored object.
type Info struct {
	Key  string
	Size int64 // bytes of the whole object, for ranges too
	// SHA256 is the digest of the content. Put always gives it; the others give it where the store keeps one.
	SHA256   []byte
	Modified time.Time
	// Encryption is what the store says it did: "aws:kms", "AES256", or "" for none.
	Encryption string
}

const (
	maxKey     = 512
	maxSegment = 200
)

// checkKey accepts lower-case paths only: what every file system and every S3 server keeps apart in the same way.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w: length %d is not in 1..%d", ErrBadKey, len(key), maxKey)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment[0] == '.' || len(segment) > maxSegment || strings.Contains(segment, "..") {
			return fmt.Errorf("%w: an element is empty, too long, starts with a dot or holds two", ErrBadKey)
		}
	}
	return checkAlphabet(key)
}

// checkPrefix accepts the beginnings of keys, "" for all.
func checkPrefix(prefix string) error {
	if len(prefix) > maxKey || strings.Contains(prefix, "..") || strings.Contains(prefix, "//") || strings.HasPrefix(prefix, "/") {
		return fmt.Errorf("%w: prefix", ErrBadKey)
	}
	return checkAlphabet(prefix)
}

func checkAlphabet(key string) error {
	for i := range len(key) {
		c := key[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '/' && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("%w: byte %d is not one of a-z 0-9 - _ . /", ErrBadKey, i)
		}
	}
	return nil
}

// measuredReader digests what passes and fails the read at which the size turns out to differ from the one announced, so
// that an upload is broken off before it is completed.
type measuredReader struct {
	r    io.Reader
	want int64 // -1: not announced
	n    int64
	hash hash.Hash
}

func measure(r io.Reader, size int64) *measuredReader {
	return &measuredReader{r: r, want: max(size, -1), hash: sha256.New()}
}

func (m *measuredReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.hash.Write(p[:n])
	if m.want >= 0 && (m.n > m.want || err == io.EOF && m.n < m.want) {
		return n, ErrSize
	}
	return n, err
}
