package media_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media"
)

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
