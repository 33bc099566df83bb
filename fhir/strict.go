package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Problems of a body that is no FHIR JSON at all. None repeats any of it.
var (
	ErrNotJSON    = errors.New("the body is not one JSON object in UTF-8")
	ErrDuplicate  = errors.New("a property is given twice in the same object")
	ErrTooDeep    = errors.New("the body is nested too deeply")
	ErrEmptyValue = errors.New("null, an empty object, an empty array or an empty string is not FHIR")
)

// maxDepth is far beyond any real resource.
const maxDepth = 64

// Strict checks that body is one JSON object by the rules of FHIR's JSON format: UTF-8, no property twice (decoders
// disagree on which one counts), nothing empty, null only inside an array of primitives.
func Strict(body []byte) error {
	if !utf8.Valid(body) {
		return ErrNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return ErrNotJSON
	}
	if err := strictObject(d, 1); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrNotJSON
	}
	return nil
}

func strictObject(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return ErrTooDeep
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ErrNotJSON
		}
		name, _ := key.(string)
		if seen[name] {
			return ErrDuplicate
		}
		seen[name] = true
		if err := strictValue(d, depth, false); err != nil {
			return err
		}
	}
	if err := closing(d); err != nil {
		return err
	}
	if len(seen) == 0 {
		return ErrEmptyValue
	}
	return nil
}

func strictArray(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return ErrTooDeep
	}
	n := 0
	for ; d.More(); n++ {
		if err := strictValue(d, depth, true); err != nil {
			return err
		}
	}
	if err := closing(d); err != nil {
		return err
	}
	if n == 0 {
		return ErrEmptyValue
	}
	return nil
}

func strictValue(d *json.Decoder, depth int, inArray bool) error {
	t, err := d.Token()
	if err != nil {
		return ErrNotJSON
	}
	switch t {
	case json.Delim('{'):
		return strictObject(d, depth+1)
	case json.Delim('['):
		return strictArray(d, depth+1)
	case "":
		return ErrEmptyValue
	case nil:
		if !inArray {
			return ErrEmptyValue
		}
	}
	return nil
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return ErrNotJSON
	}
	return nil
}
