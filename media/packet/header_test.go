package packet

import (
	"errors"
	"testing"
)

// rtp builds a packet: marker, payload type 96, sequence 0x1234, timestamp
// 0x01020304, SSRC 0x0a0b0c0d, then what follows the fixed header.
func rtp(first byte, rest ...byte) []byte {
	return append([]byte{first, 0x80 | 96, 0x12, 0x34, 1, 2, 3, 4, 0x0a, 0x0b, 0x0c, 0x0d}, rest...)
}

func TestParseHeader(t *testing.T) {
	for name, c := range map[string]struct {
		in         []byte
		start, end int
		err        error
	}{
		"empty":                   {in: nil, err: ErrShort},
		"eleven bytes":            {in: rtp(0x80)[:11], err: ErrShort},
		"version 1":               {in: rtp(0x40, 1), err: ErrVersion},
		"no payload":              {in: rtp(0x80), start: 12, end: 12},
		"payload":                 {in: rtp(0x80, 1, 2, 3), start: 12, end: 15},
		"one contributor":         {in: rtp(0x81, 0, 0, 0, 9, 7), start: 16, end: 17},
		"contributor cut short":   {in: rtp(0x81, 0, 0, 0), err: ErrShort},
		"extension":               {in: rtp(0x90, 0xbe, 0xde, 0, 1, 0x10, 5, 0, 0, 7), start: 20, end: 21},
		"extension head short":    {in: rtp(0x90, 0xbe, 0xde, 0), err: ErrShort},
		"extension body short":    {in: rtp(0x90, 0xbe, 0xde, 0, 2, 0x10, 5, 0, 0), err: ErrShort},
		"padding":                 {in: rtp(0xa0, 7, 0, 2), start: 12, end: 13},
		"padding only":            {in: rtp(0xa0, 0, 2), start: 12, end: 12},
		"padding of zero":         {in: rtp(0xa0, 7, 0), err: ErrPadding},
		"padding beyond payload":  {in: rtp(0xa0, 7, 9), err: ErrPadding},
		"padding without payload": {in: rtp(0xa0), err: ErrPadding},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := ParseHeader(c.in)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if h.PayloadStart != c.start || h.PayloadEnd != c.end {
				t.Errorf("payload [%d,%d), want [%d,%d)", h.PayloadStart, h.PayloadEnd, c.start, c.end)
			}
			if !h.Marker || h.PayloadType != 96 || h.Sequence != 0x1234 || h.Timestamp != 0x01020304 || h.SSRC != 0x0a0b0c0d {
				t.Errorf("fields %+v", h)
			}
		})
	}
}

func TestExtension(t *testing.T) {
	oneByte := rtp(0x90, 0xbe, 0xde, 0, 3, 0x10, 5, 0, 0x31, 8, 9, 0, 0, 0xf0, 1, 2, 7)
	twoByte := rtp(0x90, 0x10, 0x00, 0, 3, 1, 0, 0, 40, 3, 7, 8, 9, 0, 0, 0, 7)
	for name, c := range map[string]struct {
		in   []byte
		id   uint8
		want string
	}{
		"first":                   {oneByte, 1, "\x05"},
		"after padding":           {oneByte, 3, "\x08\x09"},
		"absent":                  {oneByte, 4, ""},
		"id 15 ends the list":     {oneByte, 15, ""},
		"id 0 is none":            {oneByte, 0, ""},
		"two-byte":                {twoByte, 40, "\x07\x08\x09"},
		"two-byte, empty":         {twoByte, 1, ""},
		"no extension":            {rtp(0x80, 1), 1, ""},
		"unknown profile":         {rtp(0x90, 0xaa, 0xaa, 0, 1, 0x10, 5, 0, 0), 1, ""},
		"one-byte value cut":      {rtp(0x90, 0xbe, 0xde, 0, 1, 0, 0, 0x17, 5), 1, ""},
		"two-byte length cut":     {rtp(0x90, 0x10, 0x00, 0, 1, 0, 0, 0, 1), 1, ""},
		"two-byte value too long": {rtp(0x90, 0x10, 0x00, 0, 1, 1, 9, 0, 0), 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := ParseHeader(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(h.Extension(c.in, c.id)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(rtp(0x80, 1, 2, 3), uint8(1))
	f.Add(rtp(0x90, 0xbe, 0xde, 0, 1, 0x10, 5, 0, 0, 7), uint8(1))
	f.Add(rtp(0xb1, 0, 0, 0, 9, 0x10, 0x00, 0, 1, 1, 2, 8, 9, 7, 0, 2), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, id uint8) {
		h, err := ParseHeader(b)
		if err != nil {
			return
		}
		if h.PayloadStart < 12 || h.PayloadStart > h.PayloadEnd || h.PayloadEnd > len(b) {
			t.Fatalf("payload [%d,%d) of %d bytes", h.PayloadStart, h.PayloadEnd, len(b))
		}
		if ext := h.Extension(b, id); len(ext) > h.PayloadStart {
			t.Fatalf("extension of %d bytes in a header of %d", len(ext), h.PayloadStart)
		}
		payload := h.Payload(b)
		for _, codec := range []Codec{CodecVP8, CodecVP9, CodecH264, CodecOpus} {
			IsKeyframeStart(codec, payload)
		}
	})
}
