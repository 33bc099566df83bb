package media_test

import (
	"net/netip"
	"testing"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media"
)

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
