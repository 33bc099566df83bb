package phi

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrBadRow is returned when a [Row] does not name a place: sealing without one would let a ciphertext be moved.
var ErrBadRow = errors.New("phi: row needs a table, a column and an id")

// Sealer encrypts for one organisation. identity/keys makes them.
type Sealer interface {
	// Seal encrypts plain, bound to aad.
	Seal(plain, aad []byte) ([]byte, error)
	// Open decrypts what Seal made with the same aad, under the current or an earlier key.
	Open(cipher, aad []byte) ([]byte, error)
	// Index returns a keyed digest for equality search over a sealed column. It does not change when keys rotate.
	// The domain separates columns, so that equal values in two of them cannot be matched.
	Index(domain, value string) []byte
}

// Row names the one column of one row that a ciphertext belongs to; moved elsewhere it does not open.
type Row struct {
	Table, Column string
	ID            uuid.UUID
}

// associatedData is unambiguous: each part is preceded by its length.
func (r Row) associatedData() ([]byte, error) {
	if r.Table == "" || r.Column == "" || r.ID == uuid.Nil {
		return nil, ErrBadRow
	}
	aad := []byte("televisit.row.v1")
	for _, part := range [][]byte{[]byte(r.Table), []byte(r.Column), r.ID[:]} {
		aad = binary.BigEndian.AppendUint32(aad, uint32(len(part)))
		aad = append(aad, part...)
	}
	return aad, nil
}

// SealText encrypts t for its row. An empty text gives nil, to be stored as NULL.
func SealText(s Sealer, t Text, row Row) ([]byte, error) { return seal(s, t.Reveal(), row) }

// OpenText decrypts what [SealText] made. Nil or empty gives the zero Text.
func OpenText(s Sealer, cipher []byte, row Row) (Text, error) {
	plain, err := open(s, cipher, row)
	if err != nil {
		return Text{}, err
	}
	return NewText(plain), nil
}

// SealDate encrypts d for its row. The zero Date gives nil, to be stored as NULL.
func SealDate(s Sealer, d Date, row Row) ([]byte, error) { return seal(s, d.Reveal(), row) }

// OpenDate decrypts what [SealDate] made. Nil or empty gives the zero Date.
func OpenDate(s Sealer, cipher []byte, row Row) (Date, error) {
	plain, err := open(s, cipher, row)
	if err != nil || plain == "" {
		return Date{}, err
	}
	return ParseDate(plain)
}

// IndexText returns the digest to store beside, or to look for in, a sealed column. The caller normalises (case,
// spaces) before. An empty text gives nil: it must not be searchable.
func IndexText(s Sealer, domain string, t Text) []byte {
	if t.IsZero() {
		return nil
	}
	return s.Index(domain, t.Reveal())
}

// IndexDate is [IndexText] for a date.
func IndexDate(s Sealer, domain string, d Date) []byte {
	if d.IsZero() {
		return nil
	}
	return s.Index(domain, d.Reveal())
}

func seal(s Sealer, plain string, row Row) ([]byte, error) {
	aad, err := row.associatedData()
	if err != nil || plain == "" {
		return nil, err
	}
	cipher, err := s.Seal([]byte(plain), aad)
	if err != nil {
		return nil, fmt.Errorf("phi: seal %s.%s: %w", row.Table, row.Column, err)
	}
	return cipher, nil
}

func open(s Sealer, cipher []byte, row Row) (string, error) {
	aad, err := row.associatedData()
	if err != nil || len(cipher) == 0 {
		return "", err
	}
	plain, err := s.Open(cipher, aad)
	if err != nil {
		return "", fmt.Errorf("phi: open %s.%s: %w", row.Table, row.Column, err)
	}
	return string(plain), nil
}
