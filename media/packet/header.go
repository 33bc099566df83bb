package packet

import (
	"encoding/binary"
	"errors"
)

// Errors of ParseHeader.
var (
	ErrShort   = errors.New("packet: shorter than its RTP header")
	ErrVersion = errors.New("packet: not RTP version 2")
	ErrPadding = errors.New("packet: padding longer than the payload")
)

const (
	fixedHeaderSize    = 12
	profileOneByte     = 0xBEDE
	profileTwoByte     = 0x1000
	profileTwoByteMask = 0xFFF0
)

// Header is an RTP header read in place (RFC 3550 section 5.1). Offsets refer
// to the packet it was read from, which it does not keep.
type Header struct {
	Marker       bool
	PayloadType  uint8
	Sequence     uint16
	Timestamp    uint32
	SSRC         uint32
	PayloadStart int // first byte of the payload
	PayloadEnd   int // one past its last byte, padding excluded

	extProfile uint16
	extStart   int
	extEnd     int
}

// ParseHeader reads the header of an RTP packet. It copies nothing.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < fixedHeaderSize {
		return Header{}, ErrShort
	}
	if b[0]>>6 != 2 {
		return Header{}, ErrVersion
	}
	h := Header{
		Marker:      b[1]&0x80 != 0,
		PayloadType: b[1] & 0x7f,
		Sequence:    binary.BigEndian.Uint16(b[2:]),
		Timestamp:   binary.BigEndian.Uint32(b[4:]),
		SSRC:        binary.BigEndian.Uint32(b[8:]),
	}
	pos := fixedHeaderSize + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		if len(b) < pos+4 {
			return Header{}, ErrShort
		}
		h.extProfile = binary.BigEndian.Uint16(b[pos:])
		h.extStart = pos + 4
		h.extEnd = h.extStart + 4*int(binary.BigEndian.Uint16(b[pos+2:]))
		pos = h.extEnd
	}
	if len(b) < pos {
		return Header{}, ErrShort
	}
	h.PayloadStart, h.PayloadEnd = pos, len(b)
	if b[0]&0x20 != 0 {
		pad := 0
		if len(b) > pos {
			pad = int(b[len(b)-1])
		}
		if pad == 0 || pad > len(b)-pos {
			return Header{}, ErrPadding
		}
		h.PayloadEnd -= pad
	}
	return h, nil
}

// Payload returns the payload of the packet that h was read from.
func (h *Header) Payload(b []byte) []byte { return b[h.PayloadStart:h.PayloadEnd] }

// Extension returns the value of the header extension with the given id, or
// nil. Both the one-byte and the two-byte form are read (RFC 8285).
func (h *Header) Extension(b []byte, id uint8) []byte {
	if id == 0 || h.extEnd == 0 || h.extEnd > len(b) {
		return nil
	}
	ext := b[h.extStart:h.extEnd]
	if h.extProfile == profileOneByte {
		return oneByteExtension(ext, id)
	}
	if h.extProfile&profileTwoByteMask == profileTwoByte {
		return twoByteExtension(ext, id)
	}
	return nil
}

func oneByteExtension(ext []byte, id uint8) []byte {
	for len(ext) > 0 {
		if ext[0] == 0 {
			ext = ext[1:]
			continue
		}
		got, n := ext[0]>>4, int(ext[0]&0x0f)+1
		if got == 15 || len(ext) < 1+n {
			return nil
		}
		if got == id {
			return ext[1 : 1+n]
		}
		ext = ext[1+n:]
	}
	return nil
}

func twoByteExtension(ext []byte, id uint8) []byte {
	for len(ext) > 0 {
		if ext[0] == 0 {
			ext = ext[1:]
			continue
		}
		if len(ext) < 2 || len(ext) < 2+int(ext[1]) {
			return nil
		}
		n := int(ext[1])
		if ext[0] == id {
			return ext[2 : 2+n]
		}
		ext = ext[2+n:]
	}
	return nil
}
