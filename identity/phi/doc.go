// Package phi owns the value types that hold protected health information and the way they are sealed into a
// database column.
//
// A [Text] or a [Date] can be passed around, compared and stored freely, because nothing that prints or encodes
// values can see inside: every fmt verb, log/slog, text templates and %#v give "[phi]", and JSON, XML, text, binary,
// gob and database/sql encoders fail with [ErrNotEncodable]. The content leaves only through Reveal, a word to grep for,
// or sealed, through [SealText] and [SealDate].
//
// Imports: the standard library and github.com/google/uuid. It is a leaf: it imports nothing of Televisit.
//
// Never: it does not hold keys (identity/keys implements [Sealer]), it puts no value into an error, and it does not log.
package phi
