package mediabench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/media/packet"
)

const (
	joinTogether = 4 // visits joining at a time when there are many
	fewVisits    = 10
	vp8Header    = 4 // X, I, two bytes of picture id
)

func joinSFU(ctx context.Context, p *party) error {
	var group errgroup.Group
	group.SetLimit(joinTogether)
	if p.work.Visits <= fewVisits {
		group.SetLimit(1)
	}
	for visit := range p.work.Visits {
		group.Go(func() error {
			room := uuid.New()
			for side, role := range []string{media.RoleClinician, media.RolePatient} {
				phase := frameEvery * time.Duration(2*visit+side) / time.Duration(2*p.work.Visits)
				if err := joinOne(ctx, p, room, role, side == 1, phase); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// visitor is one participant, played by pion without interceptors.
type visitor struct {
	party *party
	heard *firstHeard
	conn  net.Conn
	pc    *webrtc.PeerConnection
	mic   *outgoing
	cam   *outgoing
	up    chan struct{}
	cc    uint16 // transport-wide sequence number
}

func joinOne(ctx context.Context, p *party, room uuid.UUID, role string, second bool, phase time.Duration) error {
	v := &visitor{party: p, heard: newFirstHeard(second), up: make(chan struct{})}
	var err error
	if v.conn, err = net.Dial("tcp", p.work.Address); err != nil {
		return err
	}
	if err = v.say(hello{Room: room, Participant: uuid.New(), Role: role}); err != nil {
		return err
	}
	if err = v.dial(); err != nil {
		return err
	}
	p.keep(v.heard, func() { _ = v.pc.Close(); _ = v.conn.Close() })
	lines := bufio.NewScanner(v.conn)
	lines.Buffer(nil, media.MaxMessage+1)
	answered := make(chan error, 3) // what the server may say: an answer, an error, the end
	go v.listen(lines, answered)
	select {
	case err = <-answered:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	select {
	case <-v.up:
	case <-time.After(settle):
		return errors.New("a participant did not connect")
	}
	if !p.work.Idle {
		p.pace.add(v, phase)
	}
	return nil
}

func (v *visitor) say(message any) error { return json.NewEncoder(v.conn).Encode(message) }

func (v *visitor) listen(lines *bufio.Scanner, answered chan<- error) {
	for lines.Scan() {
		m, err := media.ParseServer(lines.Bytes())
		if err == nil && m.Type == media.TypeAnswer {
			answered <- v.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: m.SDP})
		}
		if err == nil && m.Type == media.TypeError {
			answered <- errors.New(m.Code + ": " + m.Text)
		}
	}
	answered <- errors.New("the server closed a participant's connection")
}

func (v *visitor) dial() error {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine); err != nil {
		return err
	}
	settings := webrtc.SettingEngine{BufferFactory: v.buffer}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetFireOnTrackBeforeFirstRTP(true)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	var err error
	if v.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	var once sync.Once
	v.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(v.up) })
		}
	})
	v.mic = &outgoing{visitor: v, kind: webrtc.RTPCodecTypeAudio}
	v.cam = &outgoing{visitor: v, kind: webrtc.RTPCodecTypeVideo}
	for _, track := range []*outgoing{v.mic, v.cam} {
		if _, err = v.pc.AddTrack(track); err != nil {
			return err
		}
	}
	offer, err := v.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(v.pc)
	if err = v.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	return v.say(media.Message{Type: media.TypeOffer, SDP: v.pc.LocalDescription().SDP, Negotiation: 1})
}

func registerCodecs(engine *webrtc.MediaEngine) error {
	audio := webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}}
	video := webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}},
	}}
	rtx := webrtc.RTPCodecParameters{PayloadType: 97, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=96",
	}}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		extension := webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}
		if err := engine.RegisterHeaderExtension(extension, kind); err != nil {
			return err
		}
	}
	return errors.Join(engine.RegisterCodec(audio, webrtc.RTPCodecTypeAudio),
		engine.RegisterCodec(video, webrtc.RTPCodecTypeVideo), engine.RegisterCodec(rtx, webrtc.RTPCodecTypeVideo))
}

// outgoing is a track with a reused header.
type outgoing struct {
	visitor *visitor
	kind    webrtc.RTPCodecType
	writer  webrtc.TrackLocalWriter
	header  rtp.Header
	cc      [2]byte
	hasCC   bool
	payload [1200]byte
	picture uint16
}

func (o *outgoing) ID() string                            { return o.kind.String() }
func (o *outgoing) RID() string                           { return "" }
func (o *outgoing) StreamID() string                      { return "load" }
func (o *outgoing) Kind() webrtc.RTPCodecType             { return o.kind }
func (o *outgoing) Unbind(webrtc.TrackLocalContext) error { return nil }

func (o *outgoing) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec := ctx.CodecParameters()[0]
	o.header = rtp.Header{Version: 2, SSRC: uint32(ctx.SSRC()), PayloadType: uint8(codec.PayloadType)}
	for _, extension := range ctx.HeaderExtensions() {
		if extension.URI == sdp.TransportCCURI {
			o.hasCC = true
			if err := o.header.SetExtension(uint8(extension.ID), o.cc[:]); err != nil {
				return codec, err
			}
		}
	}
	o.writer = ctx.WriteStream()
	return codec, nil
}

func (o *outgoing) send(size int, marker bool) {
	v := o.visitor
	v.cc++
	o.cc = [2]byte{byte(v.cc >> 8), byte(v.cc)}
	o.header.SequenceNumber++
	o.header.Marker = marker
	_, _ = o.writer.WriteRTP(&o.header, o.payload[:size])
}

func (v *visitor) audio(stamp []byte) {
	copy(v.mic.payload[:], stamp)
	v.mic.header.Timestamp += 960
	v.mic.send(audioSize, false)
}

// video writes one packet of a frame: descriptor, the frame's first byte
// (its lowest bit clear for a key frame), and the stamp.
func (v *visitor) video(stamp []byte, first, last, key bool) {
	o := v.cam
	if first {
		o.picture++
		o.header.Timestamp += 3000
	}
	o.payload[0] = 0x80
	if first {
		o.payload[0] |= 0x10
	}
	o.payload[1], o.payload[2], o.payload[3] = 0x80, 0x80|byte(o.picture>>8)&0x7f, byte(o.picture)
	o.payload[vp8Header] = 1
	if key && first {
		o.payload[vp8Header] = 0
	}
	copy(o.payload[vp8Header+1:], stamp)
	o.send(videoSize, last)
}

// buffer receives what arrives, on pion's own goroutine.
func (v *visitor) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	return &incoming{visitor: v, media: kind == packetio.RTPBufferPacket}
}

type incoming struct {
	visitor *visitor
	media   bool
}

func (i *incoming) Write(raw []byte) (int, error) {
	if !i.media {
		return len(raw), nil
	}
	h, err := packet.ParseHeader(raw)
	if err != nil {
		return len(raw), nil
	}
	payload := h.Payload(raw)
	if h.PayloadType == 96 && len(payload) > vp8Header+1 {
		payload = payload[vp8Header+1:]
	}
	i.visitor.heard.note()
	i.visitor.party.gauge.arrived(payload)
	return len(raw), nil
}

func (i *incoming) Read([]byte) (int, error) { return 0, io.EOF }
func (i *incoming) Close() error             { return nil }
