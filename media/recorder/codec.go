package recorder

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/at-wat/ebml-go/webm"
	"github.com/pion/rtp/codecs"
)

// codec is how one MIME type is depacketised and described in Matroska.
type codec struct {
	depacketizer
	video bool
	// vague means that a packet which begins a unit need not begin a frame (H264), so that after a loss no frame is known to be whole.
	vague bool
	webm  bool // WebM allows it; the others go to Matroska and then MP4
	// describe makes the track's entry from its first key frame.
	describe func(first []byte) webm.TrackEntry
}

// codecFor returns nil for a MIME type that cannot be written to a file; its segments stay.
func codecFor(mimeType string) *codec {
	switch strings.ToLower(mimeType) {
	case "audio/opus":
		return &codec{depacketizer: opus{}, webm: true, describe: describeOpus}
	case "video/vp8":
		return &codec{depacketizer: vp8{}, video: true, webm: true, describe: describeVP8}
	case "video/vp9":
		return &codec{depacketizer: vp9{}, video: true, webm: true, describe: describeVP9}
	case "video/h264":
		return &codec{depacketizer: &h264{codecs.H264Packet{IsAVC: true}}, video: true, vague: true, describe: describeH264}
	}
	return nil
}

type opus struct{}

func (opus) unpack(payload []byte) ([]byte, bool, error) { return payload, true, nil }
func (opus) keyframe([]byte) bool                        { return true }

func describeOpus([]byte) webm.TrackEntry {
	head := []byte("OpusHead\x01\x02") // version, channels (RFC 7845, 5.1)
	head = binary.LittleEndian.AppendUint16(head, 312)
	head = binary.LittleEndian.AppendUint32(head, 48000)
	head = append(head, 0, 0, 0) // gain, mapping family
	return webm.TrackEntry{
		CodecID: "A_OPUS", TrackType: 2, CodecPrivate: head, CodecDelay: 6_500_000, SeekPreRoll: 80_000_000,
		Audio: &webm.Audio{SamplingFrequency: 48000, Channels: 2},
	}
}

type vp8 struct{}

func (vp8) unpack(payload []byte) ([]byte, bool, error) {
	var p codecs.VP8Packet
	data, err := p.Unmarshal(payload)
	return data, p.S == 1 && p.PID == 0, err
}

// keyframe reads the frame tag (RFC 6386, 9.1).
func (vp8) keyframe(data []byte) bool {
	return len(data) >= 10 && data[0]&1 == 0 && data[3] == 0x9d && data[4] == 0x01 && data[5] == 0x2a
}

func describeVP8(first []byte) webm.TrackEntry {
	width := binary.LittleEndian.Uint16(first[6:]) & 0x3fff
	height := binary.LittleEndian.Uint16(first[8:]) & 0x3fff
	return videoEntry("V_VP8", uint64(width), uint64(height))
}

func videoEntry(id string, width, height uint64) webm.TrackEntry {
	return webm.TrackEntry{CodecID: id, TrackType: 1, Video: &webm.Video{PixelWidth: width, PixelHeight: height}}
}

type vp9 struct{}

func (vp9) unpack(payload []byte) ([]byte, bool, error) {
	var p codecs.VP9Packet
	data, err := p.Unmarshal(payload)
	return data, p.B, err
}

func (vp9) keyframe(data []byte) bool {
	_, _, ok := vp9KeyframeSize(data)
	return ok
}

func describeVP9(first []byte) webm.TrackEntry {
	width, height, _ := vp9KeyframeSize(first)
	return videoEntry("V_VP9", width, height)
}

// vp9KeyframeSize reads the uncompressed header of a key frame (VP9 bitstream specification, 6.2).
func vp9KeyframeSize(data []byte) (width, height uint64, ok bool) {
	b := bits{data: data}
	if b.read(2) != 2 {
		return 0, 0, false
	}
	profile := b.read(1) | b.read(1)<<1
	if profile == 3 {
		b.read(1)
	}
	showExisting, interFrame := b.read(1) == 1, b.read(1) == 1
	if showExisting || interFrame {
		return 0, 0, false
	}
	b.read(2) // show_frame, error_resilient_mode
	if b.read(24) != 0x498342 {
		return 0, 0, false
	}
	if profile >= 2 {
		b.read(1) // ten_or_twelve_bit
	}
	if srgb := b.read(3) == 7; !srgb {
		b.read(1) // color_range
		if profile&1 == 1 {
			b.read(3)
		}
	} else if profile&1 == 1 {
		b.read(1)
	}
	width, height = b.read(16)+1, b.read(16)+1
	return width, height, !b.short
}

// bits reads big-endian bit fields.
type bits struct {
	data  []byte
	pos   int
	short bool
}

func (b *bits) read(n int) (v uint64) {
	for range n {
		if b.pos/8 >= len(b.data) {
			b.short = true
			return 0
		}
		v = v<<1 | uint64(b.data[b.pos/8]>>(7-b.pos%8)&1)
		b.pos++
	}
	return v
}

// h264 makes length-prefixed NAL units. The depacketiser keeps the fragments of a unit until its last packet.
type h264 struct{ packet codecs.H264Packet }

func (h *h264) unpack(payload []byte) ([]byte, bool, error) {
	const fragment, startBit = 28, 0x80 // FU-A (RFC 6184, 5.8)
	if len(payload) < 2 {
		return nil, false, errors.New("short H264 payload")
	}
	head := payload[0]&0x1f != fragment || payload[1]&startBit != 0
	if head {
		h.packet = codecs.H264Packet{IsAVC: true} // drops the fragments of a unit whose end was lost
	}
	data, err := h.packet.Unmarshal(payload)
	return data, head, err
}

func (h *h264) keyframe(data []byte) bool {
	units := nalUnits(data)
	return units[nalIDR] != nil && units[nalSPS] != nil && units[nalPPS] != nil
}

const nalIDR, nalSPS, nalPPS = 5, 7, 8

// nalUnits returns the first unit of each type in length-prefixed data.
func nalUnits(data []byte) map[byte][]byte {
	units := map[byte][]byte{}
	for len(data) > 4 {
		length := uint64(binary.BigEndian.Uint32(data))
		if length == 0 || length > uint64(len(data)-4) {
			break
		}
		unit := data[4 : 4+length]
		if kind := unit[0] & 0x1f; units[kind] == nil {
			units[kind] = unit
		}
		data = data[4+length:]
	}
	return units
}

// describeH264 makes the AVC decoder configuration (ISO/IEC 14496-15, 5.3.3) from the parameter sets in the first key frame. The size
// is left to the demuxer, which reads it there.
func describeH264(first []byte) webm.TrackEntry {
	units := nalUnits(first)
	sps, pps := units[nalSPS], units[nalPPS]
	private := []byte{1, 0, 0, 0, 0xff, 0xe1}
	copy(private[1:4], sps[1:])
	private = append(binary.BigEndian.AppendUint16(private, uint16(len(sps))), sps...)
	private = append(private, 1)
	private = append(binary.BigEndian.AppendUint16(private, uint16(len(pps))), pps...)
	entry := videoEntry("V_MPEG4/ISO/AVC", 640, 480)
	entry.CodecPrivate = private
	return entry
}
