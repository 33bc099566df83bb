package media_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/televisit/televisit/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startNode(t *testing.T, change ...func(*media.Config)) (*media.Node, *reports) {
	t.Helper()
	cfg := media.Config{UDPAddr: "127.0.0.1:0", IncludeLoopback: true, MuteAfter: time.Second, Grace: 30 * time.Second}
	for _, f := range change {
		f(&cfg)
	}
	r := newReports()
	node, err := media.NewNode(cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	return node, r
}

func TestTwoPeopleHearAndSeeEachOther(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	a.talk()
	b.talk()
	for _, pair := range [][2]*client{{a, b}, {b, a}} {
		listener, speaker := pair[0], pair[1]
		for _, kind := range []string{"audio", "video"} {
			listener.until(kind+" from the other side", func() bool { return len(listener.packets[kind]) >= 50 })
			packets := listener.got(kind)
			for i, p := range packets {
				who, count := unstamp(kind, p)
				if who != speaker.participant {
					t.Fatalf("%s packet from %s, want %s", kind, who, speaker.participant)
				}
				if i == 0 {
					continue
				}
				_, before := unstamp(kind, packets[i-1])
				step := uint16(count - before)
				if got := p.SequenceNumber - packets[i-1].SequenceNumber; got != step {
					t.Fatalf("%s: sequence moved by %d while the source moved by %d", kind, got, step)
				}
			}
		}
		slots := listener.message(media.TypeSlots, func(m media.Message) bool { return len(m.Slots) == 2 })
		for _, s := range slots.Slots {
			if s.Peer != speaker.participant.String() {
				t.Fatalf("slot %s shows %s", s.Mid, s.Peer)
			}
		}
	}
	if _, count := unstamp("video", a.got("video")[0]); count%10 != 0 {
		t.Fatalf("video began with packet %d, which is no key frame", count)
	}
}
