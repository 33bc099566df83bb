package media_test

import (
	"io"
	"net"
	"net/netip"
	"regexp"
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

// A screen is one section more: the other side is told to make room for it.
func TestScreenShare(t *testing.T) {
	node, reports := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	screen := a.track(webrtc.MimeTypeVP8, "screen")
	sender, err := a.pc.AddTrack(screen)
	if err != nil {
		t.Fatal(err)
	}
	go a.readSender(sender)
	a.offer(nil, media.Track{Mid: "0", Source: "mic"}, media.Track{Mid: "1", Source: "camera"}, media.Track{Mid: "2", Source: "screen"})
	want := b.message(media.TypeWant, nil)
	if *want.Audio != 1 || *want.Video != 2 {
		t.Fatalf("wants %d audio and %d video", *want.Audio, *want.Video)
	}
	if _, err = b.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	b.offer(nil)
	slots := b.message(media.TypeSlots, func(m media.Message) bool { return len(m.Slots) == 3 })
	for _, s := range slots.Slots {
		if (s.Mid == "2") != (s.Source == media.SourceScreen) || s.Peer != a.participant.String() {
			t.Errorf("slot %+v", s)
		}
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				a.send(screen, i, 3000, append([]byte{0x90, 0x80, 0x80, byte(i), 0}, a.stamp(i)...))
			}
		}
	}()
	b.until("the screen", func() bool { return len(b.packets["video"]) > 20 })
	reports.wait(t, "stream "+a.participant.String()+" screen")

	if err = a.pc.RemoveTrack(sender); err != nil {
		t.Fatal(err)
	}
	a.offer(nil, media.Track{Mid: "0", Source: "mic"}, media.Track{Mid: "1", Source: "camera"})
	b.until("the screen's end", func() bool {
		last := media.Message{}
		for _, m := range b.messages {
			if m.Type == media.TypeSlots {
				last = m
			}
		}
		return len(last.Slots) == 2
	})
}

// Three people: each gets the two others, once it has made room.
func TestThreePeople(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	people := []*client{
		join(t, node, room, media.RoleClinician), join(t, node, room, media.RolePatient), join(t, node, room, media.RoleGuest),
	}
	for _, c := range people {
		c.dial()
		c.talk()
	}
	for _, c := range people {
		want := c.message(media.TypeWant, nil)
		if *want.Audio != 2 || *want.Video != 2 {
			t.Fatalf("wants %d, %d", *want.Audio, *want.Video)
		}
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if _, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				t.Fatal(err)
			}
		}
		c.offer(nil)
	}
	for _, c := range people {
		for _, kind := range []string{"audio", "video"} {
			c.until(kind+" of both others", func() bool {
				who := map[uuid.UUID]bool{}
				for _, p := range c.packets[kind] {
					id, _ := unstamp(kind, p)
					who[id] = true
				}
				return len(who) == 2 && !who[c.participant]
			})
		}
	}
}

func TestPublishAndSubscribeGrants(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	mute := join(t, node, room, media.RoleGuest, func(j *media.Join) { j.Publish = false })
	deaf := join(t, node, room, media.RolePatient, func(j *media.Join) { j.Subscribe = false })
	for _, c := range []*client{a, mute, deaf} {
		c.dial()
		c.talk()
	}
	a.until("video of who may publish", func() bool { return len(a.packets["video"]) > 50 })
	for _, p := range a.got("video") {
		if who, _ := unstamp("video", p); who != deaf.participant {
			t.Fatalf("video of %s", who)
		}
	}
	mute.until("video for who may subscribe", func() bool { return len(mute.packets["video"]) > 0 })
	if got := len(deaf.got("video")) + len(deaf.got("audio")); got != 0 {
		t.Errorf("%d packets for who may not subscribe", got)
	}
}

// A client behind a firewall comes by TCP; when it stops reading, packets for
// it are dropped and the others go on.
func TestSlowSubscriberDelaysNobody(t *testing.T) {
	node, _ := startNode(t, func(c *media.Config) { c.TCPAddr, c.MuteAfter = "127.0.0.1:0", 30*time.Second })
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	slow := join(t, node, room, media.RoleGuest)
	a.dial()
	b.dial()
	proxy := &stallingProxy{t: t, stalled: make(chan struct{})}
	slow.rewrite = proxy.takeOver
	slow.dial(func(s *webrtc.SettingEngine) {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	})
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // enough to fill every buffer on the way
		defer close(done)
		payload := append([]byte{0x90, 0x80, 0x80, 0, 0}, make([]byte, 1000)...)
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			copy(payload[5:], a.stamp(i))
			a.send(a.camera, i, 90, payload)
			if i%20 == 19 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	slow.until("video by TCP", func() bool { return len(slow.packets["video"]) > 0 })
	before := node.Stats().PacketsDropped
	close(proxy.stalled)
	waitFor(t, "packets dropped for the slow one", func() bool {
		return node.Stats().PacketsDropped > before+100
	})
	had := len(b.got("video"))
	b.until("video for the other", func() bool { return len(b.packets["video"]) > had+500 })
}

// stallingProxy stands before the node's TCP port and, once stalled closes,
// passes nothing more to the client and reads nothing more from the node.
type stallingProxy struct {
	t       *testing.T
	stalled chan struct{}
}

var tcpCandidate = regexp.MustCompile(`(tcp \d+ 127\.0\.0\.1 )(\d+)( typ host tcptype passive)`)

// takeOver puts the proxy's port in the place of the node's.
func (p *stallingProxy) takeOver(sdp string) string {
	found := tcpCandidate.FindStringSubmatch(sdp)
	if found == nil {
		p.t.Fatalf("no TCP candidate in %s", sdp)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	go p.serve(listener, "127.0.0.1:"+found[2])
	p.t.Cleanup(func() { _ = listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return tcpCandidate.ReplaceAllString(sdp, "${1}"+port+"${3}")
}

func (p *stallingProxy) serve(listener net.Listener, node string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", node)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.t.Cleanup(func() { _, _ = client.Close(), server.Close() })
		go func() { _, _ = io.Copy(server, client) }()
		go func() {
			buffer := make([]byte, 4096)
			for {
				n, err := server.Read(buffer)
				if err != nil {
					return
				}
				select {
				case <-p.stalled:
					return
				default:
				}
				if _, err = client.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]media.Config{
		"negative grace":      {Grace: -1},
		"negative buffer":     {RcvBuf: -1},
		"unusable address":    {UDPAddr: "nowhere:port"},
		"TCP in use":          {UDPAddr: "127.0.0.1:0", TCPAddr: "256.0.0.1:1"},
		"unspecified address": {AnnounceIPs: []netip.Addr{netip.IPv4Unspecified()}},
	} {
		if node, err := media.NewNode(c, newReports()); err == nil {
			node.Close()
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestAnnouncedAddressIsInTheAnswer(t *testing.T) {
	public := netip.MustParseAddr("198.51.100.7")
	node, _ := startNode(t, func(c *media.Config) { c.AnnounceIPs = []netip.Addr{public} })
	if !node.UDPAddr().IsValid() || node.Stats().ReceiveBuffer == 0 {
		t.Error("no port or no buffer")
	}
	a := join(t, node, uuid.New(), media.RoleClinician)
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.GracefulClose() }()
	if _, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = a.peer.Handle(media.Message{Type: media.TypeOffer, SDP: offer.SDP, Negotiation: 1}); err != nil {
		t.Fatal(err)
	}
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: a.message(media.TypeAnswer, nil).SDP}
	parsed, err := answer.Unmarshal()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, attribute := range parsed.MediaDescriptions[0].Attributes {
		if attribute.Key == "candidate" {
			found = true
			if !contains(attribute.Value, public.String()) || contains(attribute.Value, "127.0.0.1") {
				t.Errorf("candidate %s", attribute.Value)
			}
		}
	}
	if !found {
		t.Error("no candidate in the answer")
	}
}
