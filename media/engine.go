package media

import (
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// URIs of the header extensions that we negotiate.
const (
	uriAudioLevel  = sdp.AudioLevelURI
	uriTransportCC = sdp.TransportCCURI
	uriAbsSendTime = sdp.ABSSendTimeURI
	uriMid         = sdp.SDESMidURI
)

const (
	replayWindow      = 512 // Firefox probes with RTX far behind; 64 would refuse it
	dtlsRetransmit    = 100 * time.Millisecond
	iceDisconnected   = 3 * time.Second
	iceKeepalive      = time.Second
	receiveMTU        = 1500
	opusParameters    = "minptime=10;useinbandfec=1;usedtx=1"
	h264Parameters    = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	vp9Parameters     = "profile-id=0"
	audioClock        = 48000
	videoClock        = 90000
	opusChannels      = 2
	firstPayloadAudio = 111
)

// newMediaEngine registers exactly the codecs that a room forwards. VP8 is
// first because every browser has it: a room then needs no other.
func newMediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	audio := []webrtc.RTCPFeedback{{Type: "transport-cc"}}
	video := []webrtc.RTCPFeedback{
		{Type: "goog-remb"}, {Type: "transport-cc"}, {Type: "ccm", Parameter: "fir"},
		{Type: "nack"}, {Type: "nack", Parameter: "pli"},
	}
	codecs := []struct {
		kind  webrtc.RTPCodecType
		mime  string
		rate  uint32
		chan_ uint16
		fmtp  string
		fb    []webrtc.RTCPFeedback
		pt    webrtc.PayloadType
	}{
		{webrtc.RTPCodecTypeAudio, webrtc.MimeTypeOpus, audioClock, opusChannels, opusParameters, audio, firstPayloadAudio},
		{webrtc.RTPCodecTypeVideo, webrtc.MimeTypeVP8, videoClock, 0, "", video, 96},
		{webrtc.RTPCodecTypeVideo, webrtc.MimeTypeRTX, videoClock, 0, "apt=96", nil, 97},
		{webrtc.RTPCodecTypeVideo, webrtc.MimeTypeH264, videoClock, 0, h264Parameters, video, 102},
		{webrtc.RTPCodecTypeVideo, webrtc.MimeTypeRTX, videoClock, 0, "apt=102", nil, 103},
		{webrtc.RTPCodecTypeVideo, webrtc.MimeTypeVP9, videoClock, 0, vp9Parameters, video, 98},
		{webrtc.RTPCodecTypeVideo, webrtc.MimeTypeRTX, videoClock, 0, "apt=98", nil, 99},
	}
	for _, c := range codecs {
		err := m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: c.mime, ClockRate: c.rate, Channels: c.chan_, SDPFmtpLine: c.fmtp, RTCPFeedback: c.fb,
			},
			PayloadType: c.pt,
		}, c.kind)
		if err != nil {
			return nil, err
		}
	}
	return m, registerExtensions(m)
}

func registerExtensions(m *webrtc.MediaEngine) error {
	kinds := map[string][]webrtc.RTPCodecType{
		uriAudioLevel:  {webrtc.RTPCodecTypeAudio},
		uriTransportCC: {webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo},
		uriAbsSendTime: {webrtc.RTPCodecTypeVideo},
		uriMid:         {webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo},
	}
	for _, uri := range []string{uriMid, uriTransportCC, uriAbsSendTime, uriAudioLevel} {
		for _, kind := range kinds[uri] {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// newSettings configures pion for one link; buffers receives its packets.
func (n *Node) newSettings(l *link) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: n.ports.pionLogger}
	s.BufferFactory = func(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
		if kind == packetio.RTPBufferPacket {
			return &rtpSink{link: l, ssrc: ssrc}
		}
		return &rtcpSink{link: l, ssrc: ssrc}
	}
	s.SetICEUDPMux(peerUDP{n.ports.udp, &l.heard})
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if n.ports.tcp != nil {
		s.SetICETCPMux(peerTCP{n.ports.tcp, &l.heard})
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(networks)
	s.SetIncludeLoopbackCandidate(n.cfg.IncludeLoopback)
	s.SetIPFilter(func(ip net.IP) bool { return n.cfg.IncludeLoopback || !ip.IsLoopback() })
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetLite(false)
	s.SetICETimeouts(iceDisconnected, n.cfg.MuteAfter+n.cfg.Grace+time.Minute, iceKeepalive)
	s.DisableActiveTCP(true)
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.SetSRTCPReplayProtectionWindow(replayWindow)
	s.SetDTLSEllipticCurves(elliptic.X25519, elliptic.P256, elliptic.P384)
	s.SetDTLSRetransmissionInterval(dtlsRetransmit)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.DisableCloseByDTLS(true) // a resumed browser may bring a new DTLS association
	s.DisableMediaEngineCopy(true)
	s.SetFireOnTrackBeforeFirstRTP(true) // nobody reads tracks: packets come to the buffers
	s.SetReceiveMTU(receiveMTU)
	if len(n.cfg.AnnounceIPs) == 0 {
		return s, nil
	}
	return s, s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
		External: addressStrings(n.cfg.AnnounceIPs), AsCandidateType: webrtc.ICECandidateTypeHost,
		Mode: webrtc.ICEAddressRewriteReplace,
	})
}

func addressStrings(addresses []netip.Addr) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = a.String()
	}
	return list
}

func (n *Node) newPeerConnection(l *link) (*webrtc.PeerConnection, *webrtc.API, error) {
	engine, err := newMediaEngine()
	if err != nil {
		return nil, nil, err
	}
	settings, err := n.newSettings(l)
	if err != nil {
		return nil, nil, err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{n.certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
	return pc, api, err
}
