package media

import (
	"io"
	"time"

	"github.com/pion/rtcp"
)

// rtcpSink is the end of pion's RTCP receiving side for one SSRC: a
// publisher's (its sender reports) or one of our slots' (what a subscriber
// says of it). Write is called on the link's SRTCP goroutine, with the whole
// compound packet, once for every SSRC that it names.
type rtcpSink struct {
	link *link
	ssrc uint32
}

func (s *rtcpSink) Write(raw []byte) (int, error) {
	if packets, err := rtcp.Unmarshal(raw); err == nil {
		s.link.receiveRTCP(s.ssrc, packets, s.link.node.cfg.Now())
	}
	return len(raw), nil
}

func (s *rtcpSink) Read([]byte) (int, error) { return 0, io.EOF }
func (s *rtcpSink) Close() error             { return nil }

// receiveRTCP handles the parts of a compound packet that concern one SSRC.
func (l *link) receiveRTCP(ssrc uint32, packets []rtcp.Packet, now time.Time) {
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if p.SSRC == ssrc {
				l.senderReport(p, now)
			}
			l.receptionReports(ssrc, p.Reports, now)
		case *rtcp.ReceiverReport:
			l.receptionReports(ssrc, p.Reports, now)
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			if len(p.SSRCs) > 0 && p.SSRCs[0] == ssrc {
				l.down.noteLimit(int(p.Bitrate), now)
			}
		case *rtcp.PictureLossIndication:
			if p.MediaSSRC == ssrc {
				l.keyframeWanted(ssrc, now)
			}
		case *rtcp.FullIntraRequest:
			for _, entry := range p.FIR {
				if entry.SSRC == ssrc {
					l.keyframeWanted(ssrc, now)
				}
			}
		case *rtcp.TransportLayerNack:
			if slot := l.slotOf(ssrc); p.MediaSSRC == ssrc && slot != nil {
				slot.repairAll(p.Nacks, now)
			}
		}
	}
}

func (l *link) senderReport(sr *rtcp.SenderReport, now time.Time) {
	for _, p := range *l.pubs.Load() {
		if p.remote.Load() == sr.SSRC {
			p.noteReport(sr, now)
		}
	}
}

func (l *link) keyframeWanted(ssrc uint32, now time.Time) {
	slot := l.slotOf(ssrc)
	if slot == nil {
		return
	}
	slot.mu.Lock()
	source := slot.source
	slot.mu.Unlock()
	if source != nil {
		source.askKeyframe(now)
	}
}

func (l *link) receptionReports(ssrc uint32, reports []rtcp.ReceptionReport, now time.Time) {
	slot := l.slotOf(ssrc)
	if slot == nil {
		return
	}
	for _, r := range reports {
		if r.SSRC != ssrc {
			continue
		}
		slot.mu.Lock()
		sent, bits := slot.reported, slot.rate.bits.Load()
		slot.mu.Unlock()
		if r.LastSenderReport != 0 && r.LastSenderReport == sent.ntp {
			trip := now.Sub(sent.at) - time.Duration(float64(r.Delay)/65536*float64(time.Second))
			l.down.noteRoundTrip(trip)
		}
		if slot.video {
			l.down.noteLoss(float64(r.FractionLost)/256, int(bits), now)
		}
	}
}

// indexSlot and slotOf find slots by SSRC without a lock for the reader.
func (l *link) indexSlot(ssrc uint32, s *slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	index := map[uint32]*slot{ssrc: s}
	for k, v := range *l.bySSRC.Load() {
		index[k] = v
	}
	l.bySSRC.Store(&index)
}

func (l *link) slotOf(ssrc uint32) *slot { return (*l.bySSRC.Load())[ssrc] }
