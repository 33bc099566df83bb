package media_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"

	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/media/packet"
)

// tape is a Tap that keeps what it gets; hold makes it slow.
type tape struct {
	mu     sync.Mutex
	hold   chan struct{} // nil, or closed to go on
	tracks []*tapeTrack
}

type tapeTrack struct {
	tape    *tape
	info    packet.TrackInfo
	counts  []uint32
	gaps    int
	reports int
	closed  bool
}

func (k *tape) TrackStarted(info packet.TrackInfo) packet.TrackSink {
	k.mu.Lock()
	defer k.mu.Unlock()
	track := &tapeTrack{tape: k, info: info}
	k.tracks = append(k.tracks, track)
	return track
}

func (s *tapeTrack) WriteRTP(raw []byte, arrival time.Time) {
	if s.tape.hold != nil {
		<-s.tape.hold
	}
	p := &rtp.Packet{}
	if err := p.Unmarshal(raw); err != nil || arrival.IsZero() {
		panic("the tap got no packet")
	}
	_, count := unstamp(s.info.Kind, p)
	s.tape.mu.Lock()
	defer s.tape.mu.Unlock()
	s.counts = append(s.counts, count)
}

func (s *tapeTrack) SenderReport(uint64, uint32, time.Time) { s.note(func() { s.reports++ }) }
func (s *tapeTrack) Gap()                                   { s.note(func() { s.gaps++ }) }
func (s *tapeTrack) Close()                                 { s.note(func() { s.closed = true }) }

func (s *tapeTrack) note(f func()) {
	s.tape.mu.Lock()
	defer s.tape.mu.Unlock()
	f()
}

func (k *tape) all(fits func(*tapeTrack) bool) (int, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, track := range k.tracks {
		if !fits(track) {
			return len(k.tracks), false
		}
	}
	return len(k.tracks), true
}

func TestRecordingGetsEveryTrack(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	if err := node.Record(room, &tape{}); !errors.Is(err, media.ErrNoRoom) {
		t.Fatalf("recording no room: %v", err)
	}
	a := join(t, node, room, media.RoleClinician)
	a.dial()
	a.talk()
	k := &tape{}
	if err := node.Record(room, k); err != nil {
		t.Fatal(err)
	}
	if err := node.Record(room, k); !errors.Is(err, media.ErrRecording) {
		t.Errorf("recording twice: %v", err)
	}
	b := join(t, node, room, media.RolePatient) // comes while it runs
	b.message(media.TypeRecording, func(m media.Message) bool { return m.State == "running" })
	b.dial()
	b.talk()
	waitFor(t, "four tracks of 50 packets", func() bool {
		n, long := k.all(func(s *tapeTrack) bool { return len(s.counts) >= 50 })
		return n == 4 && long
	})
	node.StopRecording(room)
	if _, closed := k.all(func(s *tapeTrack) bool { return s.closed }); !closed {
		t.Error("a track is open after StopRecording")
	}
	for _, c := range []*client{a, b} {
		c.message(media.TypeRecording, func(m media.Message) bool { return m.State == "stopped" })
	}
	sources := map[string]int{}
	for _, s := range k.tracks {
		sources[s.info.Source+" "+strings.ToLower(s.info.MimeType)]++
		if s.info.SSRC == 0 || s.info.ID == uuid.Nil || (s.info.Participant != a.participant && s.info.Participant != b.participant) {
			t.Errorf("track %+v", s.info)
		}
		for i := 1; i < len(s.counts); i++ {
			if s.counts[i] != s.counts[i-1]+1 {
				t.Fatalf("%s: packet %d after %d", s.info.Source, s.counts[i], s.counts[i-1])
			}
		}
	}
	if sources["mic audio/opus"] != 2 || sources["camera video/vp8"] != 2 {
		t.Errorf("tracks %v", sources)
	}
	node.StopRecording(room) // again: nothing to do
}

// A tap that hangs costs the recording packets, marked by a gap, and the
// people nothing.
func TestSlowTapDelaysNobody(t *testing.T) {
	node, _ := startNode(t)
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	b.dial()
	a.talk()
	k := &tape{hold: make(chan struct{})}
	if err := node.Record(room, k); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the tap's queue to be full", func() bool { return node.Stats().RecordingDropped > 0 })
	had := len(b.got("video"))
	b.until("video", func() bool { return len(b.packets["video"]) > had+50 })
	close(k.hold)
	waitFor(t, "gaps to be marked", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, s := range k.tracks {
			if s.gaps > 0 {
				return true
			}
		}
		return false
	})
}

// Nothing is recorded while someone is lost.
func TestMutedRoomIsNotRecorded(t *testing.T) {
	node, _ := startNode(t, func(c *media.Config) { c.MuteAfter = 300 * time.Millisecond })
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	a.dial()
	a.talk()
	k := &tape{}
	if err := node.Record(room, k); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a recording", func() bool {
		n, long := k.all(func(s *tapeTrack) bool { return len(s.counts) > 10 })
		return n == 2 && long
	})
	secret := b.message(media.TypeWelcome, nil).Resume
	b.peer.Lost()
	a.message(media.TypeMuted, nil)
	waitFor(t, "packets that are dropped", func() bool {
		before := node.Stats()
		time.Sleep(50 * time.Millisecond)
		return node.Stats().PacketsIn > before.PacketsIn
	})
	lengths := func() (sum int) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, s := range k.tracks {
			sum += len(s.counts)
		}
		return sum
	}
	settled := lengths()
	in := node.Stats().PacketsIn
	waitFor(t, "100 packets more", func() bool { return node.Stats().PacketsIn > in+100 })
	if got := lengths(); got != settled {
		t.Errorf("%d packets recorded while muted", got-settled)
	}
	if _, err := node.Resume(t.Context(), media.Resume{Room: room, Participant: b.participant, Secret: secret, Send: b.take}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the recording to go on after a gap", func() bool {
		n, ok := k.all(func(s *tapeTrack) bool { return s.gaps == 1 })
		return n == 2 && ok && lengths() > settled
	})
}

// waitFor polls for what no message announces.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}

func contains(text, part string) bool { return strings.Contains(text, part) }
