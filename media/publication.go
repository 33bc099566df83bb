package media

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtcp"

	"github.com/televisit/televisit/media/packet"
)

// Sizes of the packet cache: about a second at usual rates.
const (
	videoCache        = 64 << 10
	videoCacheLimit   = 1 << 20
	videoCachePackets = 512
	audioCache        = 16 << 10
	audioCachePackets = 128
	replayPackets     = 40 // a key frame older than this is asked for anew
	lateLimit         = 100
	keyframeInterval  = 500 * time.Millisecond
)

// publication is one track that a peer sends.
type publication struct {
	id     uuid.UUID
	peer   *member
	link   *link
	mid    string
	kind   string
	source string
	video  bool

	slots   atomic.Pointer[[]*slot]     // who receives it
	tap     atomic.Pointer[tappedTrack] // nil when not recorded
	blocked atomic.Bool                 // muted: forward and record nothing
	limit   atomic.Int64                // bits a second told to the publisher, 0 = default

	cache      *packet.Cache
	newest     atomic.Int64 // extended sequence number
	keyAt      atomic.Int64 // where the newest key frame starts, 0 = none
	keyWanted  atomic.Bool
	keyAsked   atomic.Int64 // Unix nanoseconds
	rate       meter
	codec      atomic.Pointer[payloadType]
	remote     atomic.Uint32 // ssrc, for goroutines other than the SRTP one
	uplinkLoss atomic.Int32  // of the last receiver report, in 1/256

	// Only the SRTP goroutine of the link touches these.
	ssrc     uint32
	typed    uint8
	arrivals packet.Arrivals
	wanted   []uint16

	mu     sync.Mutex
	report senderReport
}

type senderReport struct {
	ntp uint64
	rtp uint32
	at  time.Time
}

// arrival is one packet on its way to the slots.
type arrival struct {
	raw      []byte
	header   packet.Header
	sequence int64 // extended
	kind     *payloadType
	key      bool // a decoder can begin here
	vp8      packet.VP8
	hasVP8   bool
	at       time.Time
}

func newPublication(l *link, mid, kind, source string) *publication {
	p := &publication{id: uuid.New(), peer: l.peer, link: l, mid: mid, kind: kind, source: source, video: kind == kindVideo}
	if p.video {
		p.cache = packet.NewCache(videoCache, videoCacheLimit, videoCachePackets)
	} else {
		p.cache = packet.NewCache(audioCache, audioCache, audioCachePackets)
	}
	p.slots.Store(&[]*slot{})
	return p
}

// receive handles one packet, on the link's SRTP goroutine.
func (p *publication) receive(table *mediaTable, raw []byte, h *packet.Header, now time.Time) {
	kind := &table.types[h.PayloadType]
	if kind.codec == packet.CodecOther {
		return
	}
	if h.SSRC != p.ssrc {
		p.begin(h, kind, now)
	}
	if h.PayloadType != p.typed {
		p.typed = h.PayloadType
		p.codec.Store(kind)
	}
	sequence, isNew, reset := p.arrivals.Note(h.Sequence, now)
	if reset {
		p.cache.Reset()
		p.keyAt.Store(0)
		p.restartSlots()
	}
	if !isNew && p.newest.Load()-sequence > lateLimit {
		return
	}
	if isNew {
		p.arrivals.NoteTime(h.Timestamp, now, kind.clock)
		p.newest.Store(sequence)
	}
	p.rate.add(len(raw), now)
	p.askRepairs(now)
	// A packet that is there already came twice; sent twice it would differ
	// under the same SRTP index.
	if p.blocked.Load() || !p.cache.Put(h.Sequence, raw, now.UnixMilli()) {
		return
	}
	p.forward(&arrival{raw: raw, header: *h, sequence: sequence, kind: kind, at: now})
}

func (p *publication) forward(a *arrival) {
	if p.video {
		payload := a.header.Payload(a.raw)
		if a.kind.codec == packet.CodecVP8 {
			a.vp8, a.hasVP8 = packet.ParseVP8(payload)
		}
		if packet.IsKeyframeStart(a.kind.codec, payload) {
			a.key = true
			p.keyAt.Store(a.sequence)
			p.keyWanted.Store(false)
		} else if p.keyWanted.Load() {
			p.askKeyframe(a.at)
		}
	}
	if tap := p.tap.Load(); tap != nil {
		tap.write(a.raw, a.at)
	}
	for _, s := range *p.slots.Load() {
		s.forward(p, a)
	}
}

// begin is the first packet of a new SSRC on this section.
func (p *publication) begin(h *packet.Header, kind *payloadType, now time.Time) {
	first := p.ssrc == 0
	p.ssrc, p.typed = h.SSRC, h.PayloadType
	p.remote.Store(h.SSRC)
	p.codec.Store(kind)
	if first {
		p.peer.room.streamStarted(p, now)
		return
	}
	p.arrivals = packet.Arrivals{}
	p.cache.Reset()
	p.keyAt.Store(0)
	p.restartSlots()
}

func (p *publication) restartSlots() {
	for _, s := range *p.slots.Load() {
		s.restart(p)
	}
}

func (p *publication) askRepairs(now time.Time) {
	if !p.video || p.arrivals.Missing() == 0 {
		return
	}
	p.wanted = p.arrivals.Due(p.wanted[:0], now, time.Duration(p.link.rtt.Load()))
	if len(p.wanted) == 0 {
		return
	}
	p.link.node.totals.nacksSent.Add(uint64(len(p.wanted)))
	p.link.send(&rtcp.TransportLayerNack{
		SenderSSRC: p.link.ssrc, MediaSSRC: p.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(p.wanted),
	})
}

// askKeyframe asks the publisher, at most once in half a second; a request in
// between is remembered and made when the time is up.
func (p *publication) askKeyframe(now time.Time) {
	if !p.video || p.codec.Load() == nil {
		return
	}
	p.keyWanted.Store(true)
	last := p.keyAsked.Load()
	if now.UnixNano()-last < int64(keyframeInterval) || !p.keyAsked.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	p.link.node.totals.keyframesAsked.Add(1)
	p.link.send(&rtcp.PictureLossIndication{SenderSSRC: p.link.ssrc, MediaSSRC: p.remote.Load()})
}

// noteReport remembers a sender report and passes it on.
func (p *publication) noteReport(sr *rtcp.SenderReport, now time.Time) {
	report := senderReport{ntp: sr.NTPTime, rtp: sr.RTPTime, at: now}
	p.mu.Lock()
	p.report = report
	p.mu.Unlock()
	if p.blocked.Load() {
		return
	}
	if tap := p.tap.Load(); tap != nil {
		tap.senderReport(report)
	}
	for _, s := range *p.slots.Load() {
		s.forwardReport(p, report)
	}
}

func (p *publication) lastReport() senderReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report
}

// addSlot and removeSlot replace the list; the forwarding path reads it without a lock.
func (p *publication) addSlot(s *slot) {
	list := append([]*slot(nil), *p.slots.Load()...)
	list = append(list, s)
	p.slots.Store(&list)
}

func (p *publication) removeSlot(s *slot) {
	var list []*slot
	for _, have := range *p.slots.Load() {
		if have != s {
			list = append(list, have)
		}
	}
	p.slots.Store(&list)
}
