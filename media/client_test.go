package media_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media"
)

const patience = 15 * time.Second // a limit for what never happens, not a measure

// client is a browser's part, played by pion: it offers, sends and receives.
type client struct {
	t           *testing.T
	node        *media.Node
	room        uuid.UUID
	participant uuid.UUID
	peer        *media.Peer
	pc          *webrtc.PeerConnection
	mic, camera *webrtc.TrackLocalStaticRTP
	neg         int
	registry    interceptor.Registry
	rewrite     func(sdp string) string // of answers, nil = none

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each change
	messages []media.Message
	packets  map[string][]*rtp.Packet // by kind, as read
	dropNext func(*rtp.Packet) bool
	senders  []*webrtc.RTPSender
	tracks   []*webrtc.TrackRemote
	rtcp     []rtcp.Packet
}

func join(t *testing.T, node *media.Node, room uuid.UUID, role string, change ...func(*media.Join)) *client {
	t.Helper()
	c := &client{
		t: t, node: node, room: room, participant: uuid.New(),
		changed: make(chan struct{}), packets: map[string][]*rtp.Packet{},
	}
	j := media.Join{
		Room: room, Participant: c.participant, Role: role, Publish: true, Subscribe: true,
		Host: role == media.RoleClinician, Send: c.take,
	}
	for _, f := range change {
		f(&j)
	}
	c.participant = j.Participant
	peer, err := node.Join(t.Context(), j)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	c.peer = peer
	return c
}

// take is the signalling sink. Messages go through JSON, as on the wire.
func (c *client) take(m media.Message) bool {
	raw, err := json.Marshal(m)
	if err != nil {
		c.t.Errorf("marshal %s: %v", m.Type, err)
		return true
	}
	parsed, err := media.ParseServer(raw)
	if err != nil {
		c.t.Errorf("message %s cannot be read: %v", raw, err)
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, parsed)
	c.notify()
	return true
}

func (c *client) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// until waits for a condition on what the client has got.
func (c *client) until(what string, condition func() bool) {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		ok, changed := condition(), c.changed
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.t.Fatalf("%s: gave up waiting for %s; messages: %s", c.participant, what, c.seen())
		}
	}
}

func (c *client) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := ""
	for _, m := range c.messages {
		text += m.Type + "(" + m.State + m.Reason + ") "
	}
	return text
}

// message waits for a message that fits.
func (c *client) message(kind string, fits func(media.Message) bool) media.Message {
	c.t.Helper()
	var found media.Message
	c.until(kind, func() bool {
		for _, m := range c.messages {
			if m.Type == kind && (fits == nil || fits(m)) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// dial makes the PeerConnection, with a camera and a mic, and connects it.
func (c *client) dial(settings ...func(*webrtc.SettingEngine)) {
	c.t.Helper()
	engine := &webrtc.MediaEngine{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		c.t.Fatal(err)
	}
	se := webrtc.SettingEngine{}
	se.SetIncludeLoopbackCandidate(true)
	se.SetICEMulticastDNSMode(1)
	for _, f := range settings {
		f(&se)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(se),
		webrtc.WithInterceptorRegistry(&c.registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.pc = pc
	c.t.Cleanup(func() { _ = pc.GracefulClose() })
	c.mic = c.track(webrtc.MimeTypeOpus, "mic")
	c.camera = c.track(webrtc.MimeTypeVP8, "camera")
	for _, track := range []*webrtc.TrackLocalStaticRTP{c.mic, c.camera} {
		sender, err := pc.AddTrack(track)
		if err != nil {
			c.t.Fatal(err)
		}
		c.senders = append(c.senders, sender)
		go c.readSender(sender)
	}
	pc.OnTrack(c.readTrack)
	c.offer(nil)
	connected := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	if pc.ConnectionState() == webrtc.PeerConnectionStateConnected {
		return
	}
	select {
	case <-connected:
	case <-time.After(patience):
		c.t.Fatal("media did not connect")
	}
}

func (c *client) track(mime, id string) *webrtc.TrackLocalStaticRTP {
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, id, c.participant.String())
	if err != nil {
		c.t.Fatal(err)
	}
	return track
}

// offer makes an offer and applies the answer.
func (c *client) offer(options *webrtc.OfferOptions, tracks ...media.Track) {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(options)
	if err != nil {
		c.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	<-gathered
	c.neg++
	m := media.Message{Type: media.TypeOffer, SDP: c.pc.LocalDescription().SDP, Negotiation: c.neg, Tracks: tracks}
	if err := c.peer.Handle(m); err != nil {
		c.t.Fatalf("offer: %v", err)
	}
	answer := c.message(media.TypeAnswer, func(m media.Message) bool { return m.Negotiation == c.neg })
	if c.rewrite != nil {
		answer.SDP = c.rewrite(answer.SDP)
	}
	err = c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) readSender(s *webrtc.RTPSender) {
	for {
		packets, _, err := s.ReadRTCP()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.rtcp = append(c.rtcp, packets...)
		c.notify()
		c.mu.Unlock()
	}
}

func (c *client) readTrack(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	c.mu.Lock()
	c.tracks = append(c.tracks, track)
	c.mu.Unlock()
	for {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		c.mu.Lock()
		if c.dropNext == nil || !c.dropNext(p) {
			c.packets[track.Kind().String()] = append(c.packets[track.Kind().String()], p)
			c.notify()
		}
		c.mu.Unlock()
	}
}

// got returns a copy of the packets of a kind.
func (c *client) got(kind string) []*rtp.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*rtp.Packet(nil), c.packets[kind]...)
}

// never fails if a message of these types has come.
func (c *client) never(kinds ...string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.messages {
		for _, kind := range kinds {
			if m.Type == kind {
				c.t.Errorf("unexpected %s (%s)", m.Type, m.Reason)
			}
		}
	}
}
