package recorder

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestReordererEmitsInOrderAndOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		const count = 500
		lostOnes := map[int]bool{}
		var order []int
		for i := range count {
			if i > 0 && rng.IntN(20) == 0 {
				lostOnes[i] = true
				continue
			}
			order = append(order, i)
			if rng.IntN(10) == 0 {
				order = append(order, i) // twice
			}
		}
		for i := 1; i < len(order)-5; i++ { // the first stays: it is where the stream begins
			if rng.IntN(5) == 0 {
				j := i + rng.IntN(5)
				order[i], order[j] = order[j], order[i]
			}
		}
		var r reorderer
		var got []int
		gaps := 0
		emit := func(p timedPacket, lost bool) {
			got = append(got, int(p.Timestamp))
			if lost {
				gaps++
			}
		}
		for n, i := range order {
			at := time.Unix(0, 0).Add(time.Duration(n) * 20 * time.Millisecond)
			r.push(timedPacket{Packet: &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(65300 + i), Timestamp: uint32(i)}}, at: at}, emit)
		}
		r.flush(emit)
		want := 0
		for i := range count {
			if !lostOnes[i] && !slices.Contains(got, i) {
				want++
			}
		}
		if want != 0 || !slices.IsSorted(got) || len(got) != count-len(lostOnes) || len(lostOnes) > 0 && gaps == 0 {
			t.Fatalf("round %d: %d of %d packets, %d missing, %d gaps, sorted %v", round, len(got), count-len(lostOnes), want, gaps, slices.IsSorted(got))
		}
	}
}

func TestAssemblerGivesUpWaitingForAKeyFrame(t *testing.T) {
	key := []byte{0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 0, 0, 0, 0} // VP8 descriptor (S), key frame tag
	delta := []byte{0x10, 1, 0, 0, 0}
	var frames []time.Duration
	losses := 0
	base := time.Unix(100, 0)
	a := newAssembler(codecFor("video/VP8"), func(f frame) error {
		frames = append(frames, f.at.Sub(base))
		return nil
	}, func(time.Time) { losses++ })
	push := func(ms int, payload []byte, lost bool) {
		p := timedPacket{Packet: &rtp.Packet{Header: rtp.Header{Timestamp: uint32(ms * 90), Marker: true}, Payload: payload}, at: base.Add(time.Duration(ms) * time.Millisecond)}
		if err := a.push(p, lost); err != nil {
			t.Fatal(err)
		}
	}
	push(0, delta, false) // nothing to decode it with
	push(5000, delta, false)
	push(6000, key, false)
	push(6040, delta, false)
	push(6080, delta, true)  // damaged, from here
	push(7000, delta, false) // still
	push(8100, delta, false) // better damaged than none
	push(8140, []byte{0x10}, false)
	if want := []time.Duration{6000, 6040, 8100}; len(frames) != 3 || frames[0] != want[0]*time.Millisecond || frames[1] != want[1]*time.Millisecond || frames[2] != want[2]*time.Millisecond {
		t.Errorf("frames at %v", frames)
	}
	if losses == 0 {
		t.Error("the loss was not marked")
	}
}

func FuzzDepacketize(f *testing.F) {
	f.Add("video/VP8", []byte{0x90, 0x80, 0x81, 0x00, 0x10, 0, 0, 0x9d, 1, 0x2a})
	f.Add("video/VP9", []byte{0x8a, 0x80, 0x01, 0x82, 0x49, 0x83, 0x42})
	f.Add("video/H264", []byte{0x18, 0, 4, 0x67, 0x42, 0, 0x1f, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88})
	f.Add("audio/opus", []byte{0xfc})
	f.Fuzz(func(t *testing.T, mimeType string, payload []byte) {
		kind := codecFor(mimeType)
		if kind == nil {
			return
		}
		a := newAssembler(kind, func(frame frame) error {
			if frame.key {
				kind.describe(frame.data)
			}
			return nil
		}, func(time.Time) {})
		for i := range 3 {
			_ = a.push(timedPacket{Packet: &rtp.Packet{Header: rtp.Header{Marker: i > 0, Timestamp: uint32(i)}, Payload: payload}}, i == 2)
		}
	})
}

func TestGridIsEvenAndLargeEnough(t *testing.T) {
	for panels := range 40 {
		g := gridFor(panels)
		if g.columns*g.rows < panels || g.width%2+g.height%2 != 0 || g.columns*g.width > 1280 {
			t.Errorf("%d panels: %+v", panels, g)
		}
	}
}
