package phi

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every printer shows in place of a value.
const Redacted = "[phi]"

// ErrNotEncodable is returned by every encoder that meets a value of this package.
var ErrNotEncodable = errors.New("phi: value may not be encoded; reveal it explicitly or seal it")

// redacted is embedded by the value types; it answers every printer and encoder that looks for a method.
// Printers that find no method they may call (a value in an unexported field) fall back to reflection: they print
// the address of the pointer that holds the content, which is why the content is held by one.
type redacted struct {
	// Makes == a compile error: it would compare pointers in variable time, and not contents.
	_ [0]func()
}

// String returns [Redacted].
func (redacted) String() string { return Redacted }

// GoString returns [Redacted], so that %#v shows nothing.
func (redacted) GoString() string { return Redacted }

// Format writes [Redacted] for every verb and flag.
func (redacted) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// LogValue returns [Redacted] to log/slog.
func (redacted) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON fails with [ErrNotEncodable].
func (redacted) MarshalJSON() ([]byte, error) { return nil, ErrNotEncodable }

// MarshalText fails with [ErrNotEncodable]; encoding/xml and map keys of encoding/json use it.
func (redacted) MarshalText() ([]byte, error) { return nil, ErrNotEncodable }

// MarshalBinary fails with [ErrNotEncodable]; encoding/gob uses it.
func (redacted) MarshalBinary() ([]byte, error) { return nil, ErrNotEncodable }

// MarshalYAML fails with [ErrNotEncodable].
func (redacted) MarshalYAML() (any, error) { return nil, ErrNotEncodable }

// Value fails with [ErrNotEncodable], so that a plain value cannot become a query argument; seal it first.
func (redacted) Value() (driver.Value, error) { return nil, ErrNotEncodable }
