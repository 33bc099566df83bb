package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
)

func testVault(t testing.TB) *vault {
	t.Helper()
	v, err := newVault(uuid.MustParse("7f2c6f6e-9c0f-4a58-9a0c-3b1d0c8f6e11"), bytes.Repeat([]byte{3}, DataKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVaultTakesOverAndWipesTheKey(t *testing.T) {
	key := bytes.Repeat([]byte{3}, DataKeySize)
	if _, err := newVault(uuid.New(), key); err != nil || !bytes.Equal(key, make([]byte, DataKeySize)) {
		t.Errorf("%v, key %x", err, key)
	}
	if _, err := newVault(uuid.New(), make([]byte, 16)); err == nil {
		t.Error("a key of 128 bits was accepted")
	}
}

// segmentBytes writes a segment of so many chunks, each with one packet.
func segmentBytes(t testing.TB, v *vault, id segmentID, chunks int) []byte {
	t.Helper()
	s, err := createSegment(v, id, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range chunks {
		if err := s.append(appendRTP(nil, fmt.Appendf(nil, "packet %d", i), time.Unix(1, int64(i))), i == chunks-1); err != nil {
			t.Fatal(err)
		}
	}
	name, err := s.close()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func read(v *vault, id segmentID, content []byte) (packets int, complete bool, err error) {
	complete, err = readSegment(v, id, bytes.NewReader(content), func(r record) error {
		if string(r.rtp) != fmt.Sprintf("packet %d", packets) {
			return errors.New("another packet")
		}
		packets++
		return nil
	})
	return packets, complete, err
}

func TestSegmentCannotBeChangedUnnoticed(t *testing.T) {
	v, id := testVault(t), segmentID{capture: uuid.New(), seq: 7}
	id.recording = v.recording
	const chunks = 5
	good := segmentBytes(t, v, id, chunks)
	if n, complete, err := read(v, id, good); n != chunks || !complete || err != nil {
		t.Fatalf("%d packets, complete %v, %v", n, complete, err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if n, complete, err := read(v, id, bad); err == nil && complete {
			t.Errorf("byte %d changed, and %d packets pass as complete", i, n)
		}
	}
	for n := range good {
		packets, complete, err := read(v, id, good[:n])
		if complete || packets > chunks-1 || n >= len(segmentMagic) && err != nil {
			t.Errorf("cut to %d bytes: %d packets, complete %v, %v", n, packets, complete, err)
		}
		size, whole, err := wholeChunks(bytes.NewReader(good[:n]))
		if err != nil || size > int64(n) || whole != packets {
			t.Errorf("cut to %d bytes: %d whole chunks in %d bytes, %v, want %d", n, whole, size, err, packets)
		}
	}
	if _, _, err := read(v, id, append(bytes.Clone(good), 0)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("something behind the end: %v", err)
	}
	for name, other := range map[string]segmentID{
		"another number": {v.recording, id.capture, 8}, "another capture": {v.recording, uuid.New(), 7},
	} {
		if n, _, err := read(v, other, good); !errors.Is(err, ErrUnreadable) || n != 0 {
			t.Errorf("as %s: %d packets, %v", name, n, err)
		}
	}
	// The first chunk of another segment in the place of this one's.
	other := segmentBytes(t, v, segmentID{v.recording, uuid.New(), 7}, chunks)
	size := (len(good) - len(segmentMagic)) / chunks
	copy(other[len(segmentMagic)+size:], good[len(segmentMagic)+size:])
	if n, complete, err := read(v, id, other); err == nil {
		t.Errorf("mixture of two segments: %d packets, complete %v", n, complete)
	}
}

func FuzzReadSegment(f *testing.F) {
	v, id := testVault(f), segmentID{seq: 1}
	id.recording = v.recording
	f.Add(segmentBytes(f, v, id, 3))
	f.Add([]byte(segmentMagic + "\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		size, _, err := wholeChunks(bytes.NewReader(content))
		if err != nil || size > int64(len(content)) {
			t.Errorf("%d of %d bytes are whole, %v", size, len(content), err)
		}
		_, _ = readSegment(v, id, bytes.NewReader(content), func(record) error { return nil })
	})
}

func FuzzRecords(f *testing.F) {
	at := time.Unix(1, 2)
	seed, _ := appendInfo(nil, trackHeader{Kind: "audio"}, at)
	f.Add(appendGap(appendReport(appendRTP(seed, []byte("x"), at), 1, 2, at), gapQueue, at))
	f.Add([]byte{byte(kindRTP), 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, chunk []byte) {
		var again []byte
		err := eachRecord(chunk, func(r record) error {
			switch r.kind {
			case kindRTP:
				again = appendRTP(again, r.rtp, r.at)
			case kindReport:
				again = appendReport(again, r.ntp, r.rtpTS, r.at)
			case kindGap:
				again = appendGap(again, r.gap, r.at)
			case kindInfo:
				return io.EOF // JSON need not come out as it went in
			}
			return nil
		})
		if err == nil && !bytes.Equal(again, chunk) {
			t.Errorf("%x decodes as %x", chunk, again)
		}
	})
}

func TestNTPTime(t *testing.T) {
	for _, tc := range []struct {
		ntp  uint64
		want time.Time
	}{
		{2208988800 << 32, time.Unix(0, 0)},
		{2208988800<<32 | 1<<31, time.Unix(0, 5e8)},
		{3996000000 << 32, time.Date(2026, 8, 18, 0, 0, 0, 0, time.UTC)},
	} {
		if got := ntpTime(tc.ntp); !got.Equal(tc.want) {
			t.Errorf("%x: %v, want %v", tc.ntp, got, tc.want)
		}
	}
}

func TestStreamClock(t *testing.T) {
	base := time.Unix(1_800_000_000, 0)
	ms := func(n int) time.Time { return base.Add(time.Duration(n) * time.Millisecond) }
	report := func(wall, arrival int, rtp uint32) senderReport {
		return senderReport{ntp: ms(wall), rtp: rtp, arrival: ms(arrival)}
	}
	type step struct {
		rtp           uint32
		arrival, want int
	}
	for name, tc := range map[string]struct {
		reports []senderReport
		steps   []step
	}{
		"by arrival":   {nil, []step{{1000, 0, 0}, {1000 + 960, 35, 20}, {1000 + 2*960, 36, 40}}},
		"wraps around": {nil, []step{{0xffffffff - 479, 0, 0}, {480, 20, 20}, {480 + 960, 40, 40}}},
		"late packet":  {nil, []step{{1000, 0, 0}, {1000 + 4*960, 80, 80}, {1000 + 960, 90, 20}}},
		"by report, clock an hour ahead": {
			[]senderReport{report(3_600_000, 30, 1000), report(3_601_000, 1010, 1000+48000)},
			// The offset is the least delay, 10 ms: a packet of RTP time 1000 left at 10.
			[]step{{1000, 25, 10}, {1000 + 960, 50, 30}, {1000 + 48000, 1015, 1010}},
		},
		"report before any packet": {[]senderReport{report(0, 0, 500)}, []step{{500 + 480, 12, 10}}},
		"clocks drift": {
			[]senderReport{report(0, 0, 0), report(10_000, 10_000, 480_480)}, // 0.1 % fast
			[]step{{0, 0, 0}, {480_480, 10_001, 10_000}, {480_480 + 960, 10_020, 10_020}},
		},
		"mad report":      {[]senderReport{report(0, 0, 0), report(10, 20, 48_000*60)}, []step{{0, 0, 0}, {960, 20, 20}, {1920, 40, 40}}},
		"stream restarts": {nil, []step{{1000, 0, 0}, {0x70000000, 100, 100}, {0x70000000 + 960, 125, 120}}},
	} {
		t.Run(name, func(t *testing.T) {
			offset, known := clockOffset(tc.reports)
			clock := newStreamClock(48000, tc.reports, offset, known)
			for i, s := range tc.steps {
				if got := clock.at(s.rtp, ms(s.arrival)); distance(got, ms(s.want)) > time.Millisecond {
					t.Errorf("packet %d at %v, want %v", i, got.Sub(base), ms(s.want).Sub(base))
				}
			}
		})
	}
	noRate := newStreamClock(0, nil, 0, false)
	if got := noRate.at(5, base); !got.Equal(base) {
		t.Errorf("without a clock rate: %v", got)
	}
}

func TestSharedOffset(t *testing.T) {
	const hour = time.Hour
	for _, tc := range []struct {
		own    time.Duration
		others []time.Duration
		want   time.Duration
	}{
		{0, nil, 0}, {hour + 30*time.Millisecond, []time.Duration{hour, hour + time.Millisecond}, hour},
		{hour, []time.Duration{0, hour + 10*time.Millisecond}, hour}, // another device of the same person
	} {
		if got := sharedOffset(tc.own, tc.others); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

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
