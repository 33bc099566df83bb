package media_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media"
)

// lossy drops every nth video packet that leaves, or arrives, once each.
type lossy struct {
	interceptor.NoOp
	every             uint16
	sending, received bool
	dropped           atomic.Int64
}

func (l *lossy) NewInterceptor(string) (interceptor.Interceptor, error) { return l, nil }

func (l *lossy) lose(info *interceptor.StreamInfo, sequence uint16) bool {
	if info.MimeType != webrtc.MimeTypeVP8 || sequence%l.every != 0 {
		return false
	}
	l.dropped.Add(1)
	return true
}

func (l *lossy) BindLocalStream(info *interceptor.StreamInfo, next interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if l.sending && h.SSRC == info.SSRC && l.lose(info, h.SequenceNumber) {
			return len(payload), nil
		}
		return next.Write(h, payload, a)
	})
}

func (l *lossy) BindRemoteStream(info *interceptor.StreamInfo, next interceptor.RTPReader) interceptor.RTPReader {
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		for {
			n, attributes, err := next.Read(b, a)
			if err != nil || !l.received || !l.lose(info, uint16(b[2])<<8|uint16(b[3])) {
				return n, attributes, err
			}
		}
	})
}

// Every seventh packet is lost on the way in and every eleventh on the way
// out; each is asked for, repaired on the repair stream, and arrives.
func TestLossIsRepairedBothWays(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	in, out := &lossy{every: 7, sending: true}, &lossy{every: 11, received: true}
	responder, err := nack.NewResponderInterceptor()
	if err != nil {
		t.Fatal(err)
	}
	generator, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(20 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	b.registry.Add(in) // the first added is nearest to the wire
	b.registry.Add(responder)
	a.registry.Add(out)
	a.registry.Add(generator)
	a.dial()
	b.dial()
	b.talk()
	whole := func() bool {
		have := map[uint32]bool{}
		first := ^uint32(0)
		for _, p := range a.packets["video"] {
			_, count := unstamp("video", p)
			have[count] = true
			first = min(first, count)
		}
		for i := range uint32(200) {
			if !have[first+i] {
				return false
			}
		}
		return len(have) > 0
	}
	a.until("200 packets without a hole", whole)
	if in.dropped.Load() == 0 || out.dropped.Load() == 0 {
		t.Fatalf("nothing was lost: %d in, %d out", in.dropped.Load(), out.dropped.Load())
	}
	s := node.Stats()
	if s.NacksSent == 0 || s.NacksAnswered == 0 {
		t.Errorf("repairs asked %d, answered %d", s.NacksSent, s.NacksAnswered)
	}
	seen := map[uint16]uint32{}
	for _, p := range a.got("video") {
		_, count := unstamp("video", p)
		if before, ok := seen[p.SequenceNumber]; ok && before != count {
			t.Fatalf("sequence %d carried %d and %d", p.SequenceNumber, before, count)
		}
		seen[p.SequenceNumber] = count
	}
}

// A packet that never comes is asked for five times and no more.
func TestRepairsAreGivenUp(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	for i := range uint32(400) {
		if i != 50 {
			b.sendVideo(i, i%10 == 0)
		}
		time.Sleep(5 * time.Millisecond)
	}
	a.until("the last packet", func() bool {
		packets := a.packets["video"]
		if len(packets) == 0 {
			return false
		}
		_, count := unstamp("video", packets[len(packets)-1])
		return count == 399
	})
	if got := node.Stats().NacksSent; got != 5 {
		t.Errorf("asked %d times, want 5", got)
	}
}

// Who joins late sees the cached key frame at once: nobody is asked for one.
func TestJoinerGetsTheCachedKeyframe(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	a.dial()
	b := join(t, node, room, media.RolePatient)
	for i := range uint32(20) {
		a.sendVideo(i, i == 0)
	}
	waitFor(t, "the packets to reach the node", func() bool { return node.Stats().PacketsIn >= 20 })
	asked := node.Stats().KeyframesAsked
	b.dial()
	b.until("the cached frames", func() bool { return len(b.packets["video"]) >= 20 })
	for i, p := range b.got("video") {
		if _, count := unstamp("video", p); count != uint32(i) {
			t.Fatalf("packet %d is number %d", i, count)
		}
	}
	s := node.Stats()
	if s.KeyframesReplayed != 1 || s.KeyframesAsked != asked {
		t.Errorf("replayed %d, asked %d more", s.KeyframesReplayed, s.KeyframesAsked-asked)
	}
	a.sendVideo(20, false)
	b.until("live video after the replay", func() bool { return len(b.packets["video"]) >= 21 })
	packets := b.got("video")
	if step := packets[20].SequenceNumber - packets[19].SequenceNumber; step != 1 {
		t.Errorf("sequence moved by %d between replay and live", step)
	}
}

// An older key frame is not replayed: the publisher is asked, once for all.
func TestKeyframeRequestsAreCoalesced(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	a.sendVideo(0, true)
	b.until("video", func() bool { return len(b.packets["video"]) > 0 })
	before := node.Stats().KeyframesAsked
	b.mu.Lock()
	var ssrc uint32
	for _, track := range b.tracks {
		if track.Kind() == webrtc.RTPCodecTypeVideo {
			ssrc = uint32(track.SSRC())
		}
	}
	b.mu.Unlock()
	for range 20 {
		if err := b.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}); err != nil {
			t.Fatal(err)
		}
	}
	a.until("a request", func() bool {
		for _, p := range a.rtcp {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				return true
			}
		}
		return false
	})
	if asked := node.Stats().KeyframesAsked - before; asked > 2 {
		t.Errorf("20 requests became %d", asked)
	}
}

// The publisher's sender report reaches the subscriber in the slot's terms,
// and the publisher gets reports and congestion feedback.
func TestReports(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	b.talk()
	a.until("video", func() bool { return len(a.packets["video"]) > 0 })
	var receiver *webrtc.RTPReceiver
	for _, r := range a.pc.GetReceivers() {
		if track := r.Track(); track != nil && track.Kind() == webrtc.RTPCodecTypeVideo {
			receiver = r
		}
	}
	reports := make(chan *rtcp.SenderReport, 16)
	go func() {
		for {
			packets, _, err := receiver.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if sr, ok := p.(*rtcp.SenderReport); ok {
					reports <- sr
				}
			}
		}
	}()
	ssrc := uint32(b.senders[1].GetParameters().Encodings[0].SSRC)
	const ntp, ts = 0x0102030405060708, 12345
	if err := b.pc.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp, RTPTime: ts}}); err != nil {
		t.Fatal(err)
	}
	select {
	case sr := <-reports:
		packets := a.got("video")
		_, count := unstamp("video", packets[0])
		offset := packets[0].Timestamp - count*3000
		if sr.SSRC != uint32(receiver.Track().SSRC()) || sr.NTPTime != ntp || sr.RTPTime != ts+offset || sr.PacketCount == 0 {
			t.Errorf("report %+v, offset %d", sr, offset)
		}
	case <-time.After(patience):
		t.Fatal("no sender report")
	}
	b.until("a receiver report and a bandwidth limit", func() bool {
		report, limit := false, false
		for _, p := range b.rtcp {
			switch p := p.(type) {
			case *rtcp.ReceiverReport:
				report = report || len(p.Reports) > 0
			case *rtcp.ReceiverEstimatedMaximumBitrate:
				limit = limit || p.Bitrate > 0
			}
		}
		return report && limit
	})
}
