package media

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media/packet"
)

const (
	maxPacket    = 1500
	repairMarks  = 64 // packets whose repairs are counted at a time
	repairPause  = 100 * time.Millisecond
	repairLimit  = 3
	absSendTicks = 1 << 18 // a second, in abs-send-time's 6.18 fixed point
)

// slot is one media section on which a client receives. It is the sender's
// track for pion; its SSRC stays while its source changes.
type slot struct {
	link  *link
	mid   string
	kind  string
	video bool
	index int // among this link's slots of the kind

	mu       sync.Mutex
	writer   webrtc.TrackLocalWriter // nil until the answer is applied
	ssrc     uint32
	rtxSSRC  uint32
	source   *publication
	fresh    bool // the next packet begins a new source
	waitKey  bool // video: nothing until a key frame
	replayed int64
	rewriter packet.Rewriter
	filter   packet.TemporalFilter
	budget   packet.Budget
	codec    packet.Codec
	pt       uint8
	rtxPT    uint8

	header    rtp.Header
	rtx       rtp.Header
	sendTime  [3]byte
	rtxSeq    uint16
	timestamp uint32 // offset of the present source, for its sender reports
	packets   uint32
	octets    uint32
	rate      meter
	marks     [repairMarks]repairMark
	markAt    int
	scratch   [maxPacket + 2]byte
	reported  struct { // the newest sender report passed on, for round trips
		ntp uint32
		at  time.Time
	}
}

type repairMark struct {
	sequence uint16
	count    uint8
	at       time.Time
}

func newSlot(l *link, mid, kind string, index int) *slot {
	return &slot{
		link: l, mid: mid, kind: kind, video: kind == kindVideo, index: index,
		rtxSeq: uint16(rand.Uint32()), budget: packet.Budget{Video: true, Temporal: packet.MaxTemporal},
	}
}

// ID, RID, StreamID, Kind, Bind and Unbind are webrtc.TrackLocal. Audio and
// video slots of one index share a stream, so that browsers play them in sync.
func (s *slot) ID() string       { return fmt.Sprintf("%s-%d", s.kind, s.index) }
func (s *slot) RID() string      { return "" }
func (s *slot) StreamID() string { return fmt.Sprintf("slot-%d", s.index) }

func (s *slot) Kind() webrtc.RTPCodecType {
	if s.video {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

// Bind is called by pion when the answer has been applied.
func (s *slot) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := ctx.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer = ctx.WriteStream()
	s.ssrc, s.rtxSSRC = uint32(ctx.SSRC()), uint32(ctx.SSRCRetransmission())
	s.header = rtp.Header{Version: 2, SSRC: s.ssrc}
	s.rtx = rtp.Header{Version: 2, SSRC: s.rtxSSRC}
	s.link.indexSlot(s.ssrc, s)
	// Without a repair stream a repair repeats the packet under its own SRTP
	// index, so it must be the same to the byte: no send time then.
	if s.rtxSSRC == 0 || !s.video {
		return codecs[0], nil
	}
	for _, extension := range ctx.HeaderExtensions() {
		if extension.URI != uriAbsSendTime {
			continue
		}
		for _, header := range []*rtp.Header{&s.header, &s.rtx} {
			if err := header.SetExtension(uint8(extension.ID), s.sendTime[:]); err != nil {
				return webrtc.RTPCodecParameters{}, err
			}
		}
	}
	return codecs[0], nil
}

// Unbind is called by pion when the connection ends.
func (s *slot) Unbind(webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer = nil
	return nil
}

// forward sends one packet of the publication, on the publisher's goroutine.
func (s *slot) forward(p *publication, a *arrival) {
	s.mu.Lock()
	ready := s.source == p && s.writer != nil && s.link.connected.Load() && a.sequence > s.replayed
	wrote := ready && s.write(p, a)
	s.mu.Unlock()
	if !wrote {
		s.link.node.totals.packetsDropped.Add(1)
	}
}

// write maps and sends a packet. The lock is held.
func (s *slot) write(p *publication, a *arrival) bool {
	if a.kind.codec != s.codec && !s.useCodec(a.kind.codec) {
		return false
	}
	payload := a.header.Payload(a.raw)
	if s.waitKey {
		if !a.key || !s.budget.Video {
			if s.budget.Video {
				p.askKeyframe(a.at)
			}
			return false
		}
	}
	if s.fresh || s.waitKey {
		s.fresh, s.waitKey = false, false
		s.rewriter.Switch(a.sequence, a.header.Timestamp, a.at, a.kind.clock, a.vp8.PictureID, a.vp8.TL0)
	}
	if len(payload) == 0 || (a.hasVP8 && !s.filter.Keep(a.vp8)) {
		s.rewriter.Drop(a.sequence)
		return false
	}
	offsets, ok := s.rewriter.Map(a.sequence)
	if !ok {
		return false
	}
	var picture uint16
	var tl0 uint8
	if a.hasVP8 {
		picture, tl0 = a.vp8.Rewrite(payload, offsets)
	}
	s.header.Marker, s.header.PayloadType = a.header.Marker, s.pt
	s.header.SequenceNumber = uint16(a.sequence + offsets.Sequence)
	s.header.Timestamp = a.header.Timestamp + offsets.Timestamp
	s.rewriter.Sent(a.sequence, s.header.Timestamp, a.at, picture, tl0, offsets)
	s.timestamp = offsets.Timestamp
	if !s.transmit(&s.header, payload, a.at) {
		s.overflow(p)
		return false
	}
	s.packets++
	s.octets += uint32(len(payload))
	return true
}

// transmit writes to the transport; false when it has no room.
func (s *slot) transmit(h *rtp.Header, payload []byte, now time.Time) bool {
	ticks := uint64(now.UnixNano()) / 1000 * absSendTicks / 1_000_000
	s.sendTime[0], s.sendTime[1], s.sendTime[2] = byte(ticks>>16), byte(ticks>>8), byte(ticks)
	n, err := s.writer.WriteRTP(h, payload)
	if err != nil || n == 0 {
		return false
	}
	s.rate.add(n, now)
	s.link.node.totals.packetsOut.Add(1)
	s.link.node.totals.bytesOut.Add(uint64(n))
	return true
}

// overflow skips to the next key frame: what follows a hole cannot be shown.
func (s *slot) overflow(p *publication) {
	if s.video && s.link.connected.Load() {
		s.waitKey = true
	}
}

func (s *slot) useCodec(codec packet.Codec) bool {
	table := s.link.table.Load()
	if table == nil {
		return false
	}
	pt, rtx := table.sending(codec)
	if pt == 0 {
		return false
	}
	if s.rtxSSRC == 0 {
		rtx = 0
	}
	s.codec, s.pt, s.rtxPT = codec, pt, rtx
	s.waitKey = s.video
	return true
}

// forwardReport sends the source's sender report in the slot's own terms, so
// that browsers can play its audio and video in sync.
func (s *slot) forwardReport(p *publication, report senderReport) {
	s.mu.Lock()
	if s.source != p || s.fresh || s.packets == 0 {
		s.mu.Unlock()
		return
	}
	out := &rtcp.SenderReport{
		SSRC: s.ssrc, NTPTime: report.ntp, RTPTime: report.rtp + s.timestamp,
		PacketCount: s.packets, OctetCount: s.octets,
	}
	s.reported.ntp, s.reported.at = uint32(report.ntp>>16), s.link.node.cfg.Now()
	s.mu.Unlock()
	s.link.send(out)
}
