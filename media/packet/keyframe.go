package packet

import "strings"

// Codec says how a payload is read. Only what forwarding needs is read.
type Codec uint8

// The codecs that the media node negotiates.
const (
	CodecOther Codec = iota
	CodecOpus
	CodecVP8
	CodecVP9
	CodecH264
)

// CodecOf returns the codec of a MIME type such as "video/VP8".
func CodecOf(mime string) Codec {
	switch strings.ToLower(mime) {
	case "audio/opus":
		return CodecOpus
	case "video/vp8":
		return CodecVP8
	case "video/vp9":
		return CodecVP9
	case "video/h264":
		return CodecH264
	}
	return CodecOther
}

// IsKeyframeStart reports whether a payload is the first packet from which a
// decoder can begin: a VP8 key frame, a VP9 frame without prediction in its
// lowest layers, an H.264 packet with a sequence parameter set or, failing
// that, the start of an IDR slice.
func IsKeyframeStart(codec Codec, payload []byte) bool {
	switch codec {
	case CodecVP8:
		d, ok := ParseVP8(payload)
		return ok && d.Start && len(payload) > d.Size && payload[d.Size]&0x01 == 0
	case CodecVP9:
		return vp9KeyframeStart(payload)
	case CodecH264:
		return h264KeyframeStart(payload)
	}
	return false
}

// vp9KeyframeStart reads the payload descriptor of RFC 9628 section 4.2.
func vp9KeyframeStart(b []byte) bool {
	if len(b) < 1 {
		return false
	}
	const (
		pictureID = 0x80
		predicted = 0x40
		layers    = 0x20
		begin     = 0x08
	)
	if b[0]&predicted != 0 || b[0]&begin == 0 {
		return false
	}
	if b[0]&layers == 0 {
		return true
	}
	pos := 1
	if b[0]&pictureID != 0 {
		if len(b) <= pos {
			return false
		}
		if b[pos]&0x80 != 0 {
			pos++
		}
		pos++
	}
	if len(b) <= pos {
		return false
	}
	temporal, spatial, interLayer := b[pos]>>5, b[pos]>>1&0x07, b[pos]&0x01
	return temporal == 0 && spatial == 0 && interLayer == 0
}

// NAL unit types of H.264 (RFC 6184 section 5.2).
const (
	nalIDR   = 5
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

func h264KeyframeStart(b []byte) bool {
	if len(b) < 1 {
		return false
	}
	switch b[0] & 0x1f {
	case nalIDR, nalSPS:
		return true
	case nalSTAPA:
		return stapHasKey(b[1:])
	case nalFUA:
		return len(b) > 1 && b[1]&0x80 != 0 && (b[1]&0x1f == nalIDR || b[1]&0x1f == nalSPS)
	}
	return false
}

func stapHasKey(b []byte) bool {
	for len(b) > 2 {
		n := int(b[0])<<8 | int(b[1])
		if n == 0 || len(b) < 2+n {
			return false
		}
		if t := b[2] & 0x1f; t == nalSPS || t == nalIDR {
			return true
		}
		b = b[2+n:]
	}
	return false
}
