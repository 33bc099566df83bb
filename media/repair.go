package media

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/televisit/televisit/media/packet"
)

// repairAll answers a NACK from the source's cache.
func (s *slot) repairAll(pairs []rtcp.NackPair, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pair := range pairs {
		pair.Range(func(sequence uint16) bool {
			if s.repair(sequence, now) {
				s.link.node.totals.nacksAnswered.Add(1)
			} else {
				s.link.node.totals.nacksMissed.Add(1)
			}
			return true
		})
	}
}

// repair sends one packet again: on the repair stream where the client has
// one, else as it was. The lock is held.
func (s *slot) repair(sequence uint16, now time.Time) bool {
	if s.source == nil || s.writer == nil || s.fresh || !s.mayRepair(sequence, now) {
		return false
	}
	in, offsets, ok := s.rewriter.Source(sequence)
	if !ok {
		return false
	}
	raw := s.scratch[2:]
	n, ok := s.source.cache.Get(uint16(in), raw)
	if !ok {
		return false
	}
	h, err := packet.ParseHeader(raw[:n])
	if err != nil || h.PayloadStart < 2 || h.PayloadEnd == h.PayloadStart {
		return false
	}
	payload := h.Payload(raw)
	if s.codec == packet.CodecVP8 {
		if d, ok := packet.ParseVP8(payload); ok {
			d.Rewrite(payload, offsets)
		}
	}
	if s.rtxPT == 0 {
		s.header.Marker, s.header.PayloadType = h.Marker, s.pt
		s.header.SequenceNumber, s.header.Timestamp = sequence, h.Timestamp+offsets.Timestamp
		return s.transmit(&s.header, payload, now)
	}
	// RFC 4588 section 4: the original sequence number precedes the payload.
	start := h.PayloadStart + 2 // in scratch
	s.scratch[start-2], s.scratch[start-1] = byte(sequence>>8), byte(sequence)
	s.rtxSeq++
	s.rtx.Marker, s.rtx.PayloadType = h.Marker, s.rtxPT
	s.rtx.SequenceNumber, s.rtx.Timestamp = s.rtxSeq, h.Timestamp+offsets.Timestamp
	return s.transmit(&s.rtx, s.scratch[start-2:2+h.PayloadEnd], now)
}

// mayRepair allows three repairs of a packet, 100 ms apart.
func (s *slot) mayRepair(sequence uint16, now time.Time) bool {
	for i := range s.marks {
		m := &s.marks[i]
		if m.count == 0 || m.sequence != sequence {
			continue
		}
		if m.count >= repairLimit || now.Sub(m.at) < repairPause {
			return false
		}
		m.count++
		m.at = now
		return true
	}
	s.marks[s.markAt] = repairMark{sequence: sequence, count: 1, at: now}
	s.markAt = (s.markAt + 1) % repairMarks
	return true
}
