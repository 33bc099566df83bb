package phi

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Text is a string that identifies or describes a patient. The zero Text is empty.
type Text struct {
	redacted
	content *string
}

// NewText wraps s.
func NewText(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{content: &s}
}

// Reveal returns the content. Only code that shows it to somebody who may see it, or sends it to the EHR, calls this.
func (t Text) Reveal() string {
	if t.content == nil {
		return ""
	}
	return *t.content
}

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal reports whether both hold the same bytes, in time that depends on neither content.
func (t Text) Equal(other Text) bool { return equal(t.Reveal(), other.Reveal()) }

// UnmarshalText reads a value in: a decoder may fill a Text, no encoder may empty it.
func (t *Text) UnmarshalText(b []byte) error {
	*t = NewText(string(b))
	return nil
}

// equal compares digests, because a comparison of the contents themselves would return early for unequal lengths.
func equal(a, b string) bool {
	da, db := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(da[:], db[:]) == 1
}
