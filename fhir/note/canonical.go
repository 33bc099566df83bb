package note

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// canonical writes a tree of map[string]any, []any, string, bool, int and nil as canonical JSON: keys sorted by their
// UTF-8 bytes (which for the ASCII keys of this package is the order of RFC 8785), no whitespace between tokens, and in
// strings only those escapes that JSON demands. A key without value is left out by the caller, not written as null.
func canonical(tree any) []byte { return appendCanonical(nil, tree) }

func appendCanonical(out []byte, node any) []byte {
	switch v := node.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, v)
	case int:
		return strconv.AppendInt(out, int64(v), 10)
	case string:
		return appendString(out, v)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendCanonical(out, item)
		}
		return append(out, ']')
	case map[string]any:
		return appendObject(out, v)
	}
	// Only a mistake in this package gets here.
	panic(fmt.Sprintf("note: canonical JSON of a %T", node))
}

func appendObject(out []byte, object map[string]any) []byte {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out = append(out, '{')
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, key), ':')
		out = appendCanonical(out, object[key])
	}
	return append(out, '}')
}

// appendString follows RFC 8785 section 3.2.2.2; bytes that are not UTF-8 become U+FFFD.
func appendString(out []byte, s string) []byte {
	const short = `btn fr` // \b \t \n, nothing for 0x0b, \f \r
	out = append(out, '"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r >= 0x08 && r <= 0x0d && r != 0x0b:
			out = append(out, '\\', short[r-0x08])
		case r < 0x20:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, string(r)...)
		}
	}
	return append(out, '"')
}
