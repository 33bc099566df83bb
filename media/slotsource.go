package media

import (
	"time"

	"github.com/televisit/televisit/media/packet"
)

// assign gives the slot its source, or none. A key frame that is still in the
// source's cache is played at once, so that a joiner need not wait for one.
func (s *slot) assign(p *publication, now time.Time) {
	s.mu.Lock()
	old := s.source
	s.source = p
	s.begin()
	s.mu.Unlock()
	if old != nil {
		old.removeSlot(s)
	}
	if p != nil {
		p.addSlot(s)
		s.start(now)
	}
}

// begin forgets the state that belongs to a source. The lock is held.
func (s *slot) begin() {
	s.fresh, s.waitKey, s.replayed = true, s.video, 0
	s.codec, s.pt, s.rtxPT = packet.CodecOther, 0, 0
	s.filter = packet.TemporalFilter{}
	s.filter.SetTarget(s.budget.Temporal)
	s.marks = [repairMarks]repairMark{}
}

// restart begins the same source anew: it jumped, or was muted.
func (s *slot) restart(p *publication) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source == p {
		s.begin()
	}
}

// start plays a recent key frame from the cache, else asks for one.
func (s *slot) start(now time.Time) {
	s.mu.Lock()
	p := s.source
	if p == nil || !p.video || !s.waitKey || !s.link.connected.Load() {
		s.mu.Unlock()
		return // when the link is connected, the room starts its slots
	}
	replayed := s.replay(p, now)
	s.mu.Unlock()
	if !replayed {
		p.askKeyframe(now)
	}
	if report := p.lastReport(); !report.at.IsZero() {
		s.forwardReport(p, report)
	}
}

func (s *slot) replay(p *publication, now time.Time) bool {
	key, newest := p.keyAt.Load(), p.newest.Load()
	kind := p.codec.Load()
	if s.writer == nil || kind == nil || p.blocked.Load() || key == 0 ||
		newest-key >= replayPackets {
		return false
	}
	var buffer [maxPacket]byte
	for sequence := key; sequence <= newest; sequence++ {
		n, ok := p.cache.Get(uint16(sequence), buffer[:])
		if !ok {
			continue // lost so far; the subscriber asks again
		}
		h, err := packet.ParseHeader(buffer[:n])
		if err != nil {
			continue
		}
		a := arrival{raw: buffer[:n], header: h, sequence: sequence, kind: kind, key: sequence == key, at: now}
		if kind.codec == packet.CodecVP8 {
			a.vp8, a.hasVP8 = packet.ParseVP8(h.Payload(a.raw))
		}
		s.write(p, &a)
	}
	s.replayed = newest
	if s.waitKey {
		return false
	}
	s.link.node.totals.keyframesReplayed.Add(1)
	return true
}
