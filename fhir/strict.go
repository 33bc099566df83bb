package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// Problems of a body that is no FHIR JSON at all. None repeats any of it.
var (
	ErrNotJSON    = errors.New("the body is not one JSON object in UTF-8")
	ErrDuplicate  = errors.New("a property is given twice in the same object")
	ErrTooDeep    = errors.New("the body is nested too deeply")
	ErrEmptyValue = errors.New("null, an empty object, an empty array or an empty string is not FHIR")
	ErrOtherType  = errors.New("the resourceType is not the one that this address takes")
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
	kinds := map[string]kind{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ErrNotJSON
		}
		name, _ := key.(string)
		if _, twice := kinds[name]; twice {
			return ErrDuplicate
		}
		if kinds[name], err = strictValue(d, depth); err != nil {
			return err
		}
	}
	if err := closing(d); err != nil {
		return err
	}
	if len(kinds) == 0 {
		return ErrEmptyValue
	}
	return nullsHaveTwins(kinds)
}

// kind is what a value, or the elements of an array, are.
type kind uint8

const (
	null kind = 1 << iota
	primitive
	complexValue
	listed // it was an array
)

// nullsHaveTwins: null keeps a place in an array of primitives or of their extensions, whose twin ("given" and "_given")
// has the other half of the element (R4 json.html, "JSON representation of repeating elements").
func nullsHaveTwins(kinds map[string]kind) error {
	for name, k := range kinds {
		if k&null == 0 {
			continue
		}
		twin, isExtension := strings.CutPrefix(name, "_")
		if !isExtension {
			twin = "_" + name
		}
		if k&listed == 0 || kinds[twin]&listed == 0 || !isExtension && k&complexValue != 0 {
			return ErrEmptyValue
		}
	}
	return nil
}

func strictArray(d *json.Decoder, depth int) (kind, error) {
	if depth > maxDepth {
		return 0, ErrTooDeep
	}
	k := listed
	for d.More() {
		element, err := strictValue(d, depth)
		if err != nil {
			return 0, err
		}
		k |= element
	}
	if err := closing(d); err != nil {
		return 0, err
	}
	if k == listed {
		return 0, ErrEmptyValue
	}
	return k, nil
}

func strictValue(d *json.Decoder, depth int) (kind, error) {
	t, err := d.Token()
	if err != nil {
		return 0, ErrNotJSON
	}
	switch t {
	case json.Delim('{'):
		return complexValue, strictObject(d, depth+1)
	case json.Delim('['):
		return strictArray(d, depth+1)
	case "":
		return 0, ErrEmptyValue
	case nil:
		return null, nil
	}
	return primitive, nil
}

func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return ErrNotJSON
	}
	return nil
}
