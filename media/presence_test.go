package media_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media"
)

func ended(reason string) func(media.Message) bool {
	return func(m media.Message) bool { return m.Reason == reason }
}

func TestPatientLeavingEndsTheCallForEveryone(t *testing.T) {
	node, reports := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	b.talk()
	a.until("video", func() bool { return len(a.packets["video"]) > 0 })
	if err := b.peer.Handle(media.Message{Type: media.TypeBye}); err != nil {
		t.Fatal(err)
	}
	a.message(media.TypeEnded, ended(media.ReasonPeerLeft))
	b.message(media.TypeEnded, ended(media.ReasonHangUp))
	reports.wait(t, "empty "+media.ReasonHangUp)
	if err := a.peer.Handle(media.Message{Type: media.TypePing, ID: &media.ID{Number: 1}}); !errors.Is(err, media.ErrPeerGone) {
		t.Errorf("a message after the end gives %v", err)
	}
	want := []string{
		"joined " + a.participant.String(), "joined " + b.participant.String(),
		"left " + b.participant.String() + " " + media.ReasonHangUp,
		"left " + a.participant.String() + " " + media.ReasonPeerLeft,
		"empty " + media.ReasonHangUp,
	}
	if got := reports.without("stream"); !equal(got, want) {
		t.Errorf("reports %q, want %q", got, want)
	}
}

func TestHostLeavingAndEndRoom(t *testing.T) {
	node, reports := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.peer.Leave(media.ReasonHangUp)
	b.message(media.TypeEnded, ended(media.ReasonEndedByHost))
	reports.wait(t, "empty "+media.ReasonHangUp)

	c := join(t, node, room, media.RolePatient) // the room begins anew
	node.EndRoom(room, media.ReasonEndedByHost)
	c.message(media.TypeEnded, ended(media.ReasonEndedByHost))
	reports.wait(t, "empty "+media.ReasonEndedByHost)
	node.EndRoom(room, media.ReasonEndedByHost) // none is there: no error
}

func TestGuestNeitherEndsNorMutes(t *testing.T) {
	node, reports := startNode(t, func(c *media.Config) { c.MuteAfter, c.Grace = 100*time.Millisecond, 100*time.Millisecond })
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	first := join(t, node, room, media.RoleGuest)
	a.message(media.TypePeer, func(m media.Message) bool {
		return m.ID.Text == first.participant.String() && m.State == "joined" && m.Role == media.RoleGuest
	})
	first.peer.Leave(media.ReasonHangUp)
	a.message(media.TypePeer, func(m media.Message) bool { return m.ID.Text == first.participant.String() && m.State == "left" })

	second := join(t, node, room, media.RoleGuest)
	second.peer.Lost()
	for _, state := range []string{"lost", "left"} {
		a.message(media.TypePeer, func(m media.Message) bool { return m.ID.Text == second.participant.String() && m.State == state })
	}
	reports.wait(t, "left "+second.participant.String()+" "+media.ReasonTimeout)
	a.never(media.TypeMuted, media.TypeEnded)
}

func TestLostSocketMutesResumesAndGoesOn(t *testing.T) {
	node, reports := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	a.talk()
	b.talk()
	a.until("video", func() bool { return len(a.packets["video"]) > 0 })

	b.peer.Lost()
	a.message(media.TypeMuted, func(m media.Message) bool { return m.Reason == "peer-lost" && m.GraceMillis == 30000 })
	a.message(media.TypePeer, func(m media.Message) bool { return m.State == "lost" })
	reports.wait(t, "lost "+b.participant.String())

	secret := b.message(media.TypeWelcome, nil).Resume
	if _, err := node.Resume(t.Context(), media.Resume{Room: room, Participant: b.participant, Secret: secret + "x", Send: b.take}); !errors.Is(err, media.ErrNoResume) {
		t.Fatalf("a wrong secret gives %v", err)
	}
	if _, err := node.Resume(t.Context(), media.Resume{Room: room, Participant: a.participant, Secret: secret, Send: b.take}); !errors.Is(err, media.ErrNoResume) {
		t.Fatalf("another participant's secret gives %v", err)
	}
	peer, err := node.Resume(t.Context(), media.Resume{Room: room, Participant: b.participant, Secret: secret, Send: b.take})
	if err != nil || peer.Participant() != b.participant.String() {
		t.Fatalf("resume: %v, %v", err, peer)
	}
	b.peer.Lost() // the old socket's owner is late: it has no say any more
	b.peer.Leave(media.ReasonHangUp)
	if err := b.peer.Handle(media.Message{Type: media.TypeBye}); !errors.Is(err, media.ErrPeerGone) {
		t.Errorf("a message on the old socket gives %v", err)
	}
	b.peer = peer
	a.message(media.TypeUnmuted, nil)
	reports.wait(t, "resumed "+b.participant.String())
	renewed := b.message(media.TypeWelcome, func(m media.Message) bool { return m.Resume != secret })
	if renewed.Peer != b.participant.String() {
		t.Errorf("resumed as %s", renewed.Peer)
	}
	b.offer(&webrtc.OfferOptions{ICERestart: true})
	had := len(a.got("video"))
	a.until("video after the resume", func() bool { return len(a.packets["video"]) > had+50 })
	if _, err := node.Resume(t.Context(), media.Resume{Room: room, Participant: b.participant, Secret: secret, Send: b.take}); !errors.Is(err, media.ErrNoResume) {
		t.Errorf("a used secret gives %v", err)
	}
	a.never(media.TypeEnded)
}

// The network of one side goes dead: no bye, no socket close, no packet.
func TestSilentNetworkMutesThenTimesOut(t *testing.T) {
	node, reports := startNode(t, func(c *media.Config) { c.Grace = time.Second })
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	b.talk()
	a.until("video", func() bool { return len(a.packets["video"]) > 0 })
	if err := b.pc.Close(); err != nil {
		t.Fatal(err)
	}
	a.message(media.TypeMuted, func(m media.Message) bool { return m.Reason == "peer-lost" })
	b.message(media.TypeMuted, func(m media.Message) bool { return m.Reason == "self-lost" })
	for _, c := range []*client{a, b} {
		c.message(media.TypeEnded, ended(media.ReasonTimeout))
	}
	reports.wait(t, "empty "+media.ReasonTimeout)
}

// A browser that starts over brings a new DTLS fingerprint; its peer stays.
func TestResumeWithANewConnection(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	talking := b.talk()
	a.talk()
	a.until("video", func() bool { return len(a.packets["video"]) > 0 })
	talking.end()
	if err := b.pc.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	b.dial()
	heard, had := len(b.got("video")), len(a.got("video"))
	b.talk()
	b.until("video on the new connection", func() bool { return len(b.packets["video"]) > heard })
	a.until("video from the new connection", func() bool { return len(a.packets["video"]) > had+20 })
	last := a.got("video")
	for i := 1; i < len(last); i++ {
		if last[i].SSRC != last[0].SSRC {
			t.Fatal("the slot's SSRC changed")
		}
	}
	a.never(media.TypeEnded)
}

func TestJoiningTwiceReplacesTheOlder(t *testing.T) {
	node, reports := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	again := join(t, node, room, media.RolePatient, func(j *media.Join) { j.Participant = b.participant })
	b.message(media.TypeEnded, ended(media.ReasonReplaced))
	again.message(media.TypeWelcome, func(m media.Message) bool { return len(m.Peers) == 1 && m.Peers[0].ID == a.participant.String() })
	reports.wait(t, "left "+b.participant.String()+" "+media.ReasonReplaced)
	b.peer.Leave(media.ReasonHangUp) // the old socket's end must not end the call
	a.never(media.TypeEnded)
	again.never(media.TypeEnded)
}

func TestJoinRefusals(t *testing.T) {
	node, _ := startNode(t)
	whole := media.Join{Room: uuid.New(), Participant: uuid.New(), Role: media.RoleGuest, Send: func(media.Message) bool { return true }}
	for name, spoil := range map[string]func(*media.Join){
		"no room":        func(j *media.Join) { j.Room = uuid.Nil },
		"no participant": func(j *media.Join) { j.Participant = uuid.Nil },
		"no role":        func(j *media.Join) { j.Role = "" },
		"no sink":        func(j *media.Join) { j.Send = nil },
	} {
		j := whole
		spoil(&j)
		if _, err := node.Join(t.Context(), j); !errors.Is(err, media.ErrBadJoin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	node.Close()
	if _, err := node.Join(t.Context(), whole); !errors.Is(err, media.ErrClosed) {
		t.Errorf("joining a closed node: %v", err)
	}
	node.Close() // twice is fine
}

func TestCloseTellsEveryone(t *testing.T) {
	node, reports := startNode(t)
	a := join(t, node, uuid.New(), media.RoleClinician)
	a.dial()
	node.Close()
	a.message(media.TypeEnded, ended(media.ReasonShutdown))
	reports.wait(t, "empty "+media.ReasonShutdown) // delivered before Close returns
}

// What is off is not forwarded, whatever the client goes on sending.
func TestStateStopsForwarding(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	b.talk()
	a.until("audio", func() bool { return len(a.packets["audio"]) > 0 })
	off, on := false, true
	if err := b.peer.Handle(media.Message{Type: media.TypeState, Mic: &off, Camera: &on}); err != nil {
		t.Fatal(err)
	}
	a.message(media.TypePeer, func(m media.Message) bool {
		return m.ID.Text == b.participant.String() && m.Mic != nil && !*m.Mic && *m.Camera
	})
	// A packet may be on its way; one second of video bounds how long.
	pictures := len(a.got("video"))
	a.until("video to go on", func() bool { return len(a.packets["video"]) > pictures+30 })
	sounds := len(a.got("audio"))
	pictures = len(a.got("video"))
	a.until("more video", func() bool { return len(a.packets["video"]) > pictures+50 })
	if got := len(a.got("audio")); got != sounds {
		t.Fatalf("%d audio packets came while the mic was off", got-sounds)
	}
	if err := b.peer.Handle(media.Message{Type: media.TypeState, Mic: &on, Camera: &on}); err != nil {
		t.Fatal(err)
	}
	a.until("audio again", func() bool { return len(a.packets["audio"]) > sounds+10 })
	packets := a.got("audio")
	if step := packets[sounds].SequenceNumber - packets[sounds-1].SequenceNumber; step != 1 {
		t.Errorf("the pause shows as %d lost packets", step-1)
	}
}

func TestBadOffersAreRefusedAndChangeNothing(t *testing.T) {
	node, _ := startNode(t)
	a := join(t, node, uuid.New(), media.RoleClinician)
	candidate := "candidate:1 1 udp 1 192.0.2.1 5000 typ host"
	var refused *media.SignalError
	err := a.peer.Handle(media.Message{Type: media.TypeCandidate, Candidate: &candidate})
	if !errors.As(err, &refused) || refused.Code != "no-offer" {
		t.Errorf("candidate before the offer: %v", err)
	}
	secret := []byte("unmistakable")
	for name, sdp := range map[string]string{
		"no SDP":         "unmistakable",
		"no sections":    "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
		"no fingerprint": "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=unmistakable\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
		"no ICE":         "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 unmistakable\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n",
	} {
		err := a.peer.Handle(media.Message{Type: media.TypeOffer, SDP: sdp, Negotiation: 1})
		if !errors.As(err, &refused) || refused.Code != "bad-offer" || bytes.Contains([]byte(err.Error()), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, kind := range []string{media.TypeHello, media.TypeRenew} {
		if err := a.peer.Handle(media.Message{Type: kind}); !errors.Is(err, media.ErrNotHandled) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	a.dial() // still possible
	bad := "candidate:nonsense"
	if err := a.peer.Handle(media.Message{Type: media.TypeCandidate, Candidate: &bad}); !errors.As(err, &refused) || refused.Code != "bad-candidate" {
		t.Errorf("nonsense candidate: %v", err)
	}
}
