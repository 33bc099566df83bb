package fhirserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a resource, so that a hostile body cannot exhaust the stack.
const maxDepth = 64

// decodeStrict reads one JSON object and refuses what encoding/json lets pass but FHIR
// (R4 json.html) forbids: duplicate members, null, empty strings, arrays and objects.
func decodeStrict(raw []byte) (map[string]any, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	value, err := decodeValue(decoder, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is data after the JSON object")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("the body is not a JSON object")
	}
	return object, nil
}

func decodeValue(decoder *json.Decoder, path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("the body is nested too deeply")
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, errors.New("the body is not well-formed JSON")
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return decodeObject(decoder, path, depth)
		}
		return decodeArray(decoder, path, depth)
	case nil:
		return nil, fmt.Errorf("%s is null", orRoot(path))
	case string:
		if token == "" {
			return nil, fmt.Errorf("%s is an empty string", orRoot(path))
		}
	}
	return token, nil
}

func decodeObject(decoder *json.Decoder, path string, depth int) (any, error) {
	object := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, errors.New("the body is not well-formed JSON")
		}
		name := token.(string) // encoding/json yields only strings in the place of a name
		if _, seen := object[name]; seen {
			return nil, fmt.Errorf("%s has a member twice", orRoot(path))
		}
		value, err := decodeValue(decoder, join(path, name), depth+1)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("the body is not well-formed JSON")
	}
	if len(object) == 0 {
		return nil, fmt.Errorf("%s is an empty object", orRoot(path))
	}
	return object, nil
}

func decodeArray(decoder *json.Decoder, path string, depth int) (any, error) {
	var array []any
	for decoder.More() {
		value, err := decodeValue(decoder, path, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errors.New("the body is not well-formed JSON")
	}
	if len(array) == 0 {
		return nil, fmt.Errorf("%s is an empty array", orRoot(path))
	}
	return array, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func orRoot(path string) string {
	if path == "" {
		return "the resource"
	}
	return path
}

// member is one member of the outermost object, as offsets into the raw bytes of its value.
type member struct {
	name       string
	start, end int
}

// members finds the values of the outermost object without touching their bytes.
func members(raw []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	var out []member
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("member name expected")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		end := int(decoder.InputOffset())
		out = append(out, member{name: name, start: end - len(value), end: end})
	}
	return out, nil
}

// overlay returns raw with id and meta replaced or inserted; every other byte stays as it was sent.
func overlay(raw []byte, id string, version int, lastUpdated string) ([]byte, error) {
	found, err := members(raw)
	if err != nil {
		return nil, err
	}
	meta := map[string]json.RawMessage{}
	idMember, metaMember := -1, -1
	for i, m := range found {
		switch m.name {
		case "id":
			idMember = i
		case "meta":
			metaMember = i
			if err := json.Unmarshal(raw[m.start:m.end], &meta); err != nil {
				return nil, err
			}
		}
	}
	meta["versionId"] = quote(fmt.Sprint(version))
	meta["lastUpdated"] = quote(lastUpdated)
	metaJSON, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	open := bytes.IndexByte(raw, '{') + 1
	out.Write(raw[:open])
	if idMember < 0 {
		out.WriteString(`"id":` + string(quote(id)) + ",")
	}
	if metaMember < 0 {
		out.WriteString(`"meta":` + string(metaJSON) + ",")
	}
	at := open
	for i, m := range found {
		if i != idMember && i != metaMember {
			continue
		}
		out.Write(raw[at:m.start])
		if i == idMember {
			out.Write(quote(id))
		} else {
			out.Write(metaJSON)
		}
		at = m.end
	}
	out.Write(raw[at:])
	return out.Bytes(), nil
}

func quote(text string) json.RawMessage {
	quoted, err := json.Marshal(text)
	if err != nil { // a Go string always encodes
		return json.RawMessage(`""`)
	}
	return quoted
}

// extract returns every value at a dotted path, walking through arrays.
func extract(value any, path []string) []any {
	if array, ok := value.([]any); ok {
		var out []any
		for _, item := range array {
			out = append(out, extract(item, path)...)
		}
		return out
	}
	if len(path) == 0 {
		return []any{value}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	child, ok := object[path[0]]
	if !ok {
		return nil
	}
	return extract(child, path[1:])
}

func text(value any, name string) string {
	object, _ := value.(map[string]any)
	out, _ := object[name].(string)
	return out
}
