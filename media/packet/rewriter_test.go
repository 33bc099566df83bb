package packet

import (
	"testing"
	"time"
)

const clock = 90000

func at(millis int) time.Time { return time.Unix(0, int64(millis)*int64(time.Millisecond)) }

// play sends source packets through a rewriter and returns what goes out.
type player struct {
	t  *testing.T
	r  Rewriter
	ms int
}

func (p *player) begin(sequence int64, ts uint32) {
	p.r.Switch(sequence, ts, at(p.ms), clock, 0, 0)
}

func (p *player) send(sequence int64, ts uint32) (int64, uint32) {
	p.t.Helper()
	o, ok := p.r.Map(sequence)
	if !ok {
		p.t.Fatalf("packet %d refused", sequence)
	}
	p.r.Sent(sequence, ts+o.Timestamp, at(p.ms), 0, 0, o)
	return sequence + o.Sequence, ts + o.Timestamp
}

func TestRewriterPassesTheFirstSourceThrough(t *testing.T) {
	p := &player{t: t}
	p.begin(70000, 5000)
	if s, ts := p.send(70000, 5000); s != 70000 || ts != 5000 {
		t.Errorf("out %d/%d", s, ts)
	}
	if s, ts := p.send(70003, 8000); s != 70003 || ts != 8000 {
		t.Errorf("real loss was hidden: out %d/%d", s, ts)
	}
	if s, _ := p.send(70001, 6000); s != 70001 {
		t.Errorf("late packet out as %d", s)
	}
}

func TestRewriterContinuesAcrossASwitch(t *testing.T) {
	p := &player{t: t}
	p.begin(70000, 5000)
	p.send(70000, 5000)
	p.send(70001, 8000)
	p.ms += 100
	p.begin(300, 4_000_000_000)
	s, ts := p.send(300, 4_000_000_000)
	if s != 70002 {
		t.Errorf("sequence %d, want 70002", s)
	}
	if want := uint32(8000 + 100*90); ts != want {
		t.Errorf("timestamp %d, want %d: 100 ms later", ts, want)
	}
	if s, ts = p.send(301, 4_000_003_000); s != 70003 || ts != 8000+9000+3000 {
		t.Errorf("next packet out as %d/%d", s, ts)
	}
	if _, ok := p.r.Map(299); ok {
		t.Error("a packet from before the switch was let through")
	}
}

func TestRewriterSwitchAtOneInstantStillMovesTime(t *testing.T) {
	p := &player{t: t}
	p.begin(10, 100)
	p.send(10, 100)
	p.begin(900, 7)
	if s, ts := p.send(900, 7); s != 11 || ts == 100 {
		t.Errorf("out %d/%d: two frames must not share a timestamp", s, ts)
	}
}

func TestRewriterDropClosesTheHole(t *testing.T) {
	p := &player{t: t}
	p.begin(1, 0)
	p.send(1, 0)
	p.r.Drop(2)
	p.r.Drop(3)
	if s, _ := p.send(4, 0); s != 2 {
		t.Errorf("after two dropped packets: %d, want 2", s)
	}
	p.r.Drop(6) // 5 is missing and may still come
	if s, _ := p.send(7, 0); s != 4 {
		t.Errorf("after one missing and one dropped: %d, want 4", s)
	}
	if s, _ := p.send(5, 0); s != 3 {
		t.Errorf("late packet out as %d, want 3", s)
	}
	for out, in := range map[uint16]int64{1: 1, 2: 4, 3: 5, 4: 7} {
		if got, _, ok := p.r.Source(out); !ok || got != in {
			t.Errorf("out %d came from %d (%v), want %d", out, got, ok, in)
		}
	}
	for _, never := range []uint16{0, 5, 40000} {
		if in, _, ok := p.r.Source(never); ok {
			t.Errorf("out %d was never sent, yet came from %d", never, in)
		}
	}
}

func TestRewriterDropBeforeTheFirst(t *testing.T) {
	p := &player{t: t}
	p.begin(10, 0)
	p.r.Drop(10)
	if s, _ := p.send(11, 0); s != 10 {
		t.Errorf("out %d, want 10", s)
	}
	p.r.Drop(5) // late and unwanted: nothing to close
	if s, _ := p.send(12, 0); s != 11 {
		t.Errorf("out %d, want 11", s)
	}
}

func TestZeroRewriterKnowsNothing(t *testing.T) {
	var r Rewriter
	r.Drop(1)
	if _, ok := r.Map(1); ok {
		t.Error("mapped without a source")
	}
	if _, _, ok := r.Source(1); ok {
		t.Error("found a source for a packet never sent")
	}
}

func TestRewriterVP8Offsets(t *testing.T) {
	var r Rewriter
	r.Switch(1, 0, at(0), clock, 100, 7)
	o, _ := r.Map(1)
	r.Sent(1, 0, at(0), 100, 7, o)
	r.Switch(500, 0, at(33), clock, 0x7ff0, 200)
	o, _ = r.Map(500)
	if got := (uint16(0x7ff0) + o.PictureID) & 0x7fff; got != 101 {
		t.Errorf("picture id %d, want 101", got)
	}
	if got := uint8(200) + o.TL0; got != 8 {
		t.Errorf("TL0 index %d, want 8", got)
	}
}

// FuzzRewriter checks what SRTP needs: whatever the program of losses,
// reordering, drops and switches, no outgoing number is used twice, and every
// outgoing number leads back to its packet.
func FuzzRewriter(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 0, 3, 0, 0, 4, 1})
	f.Add([]byte{1, 1, 1, 1, 0, 1, 0, 2, 4, 0, 3, 0, 1, 1})
	f.Fuzz(func(t *testing.T, program []byte) {
		var r Rewriter
		type origin struct {
			epoch int
			in    int64
		}
		sent := map[int64]origin{}
		used := map[origin]bool{}
		next, epoch := int64(100_000), 0
		r.Switch(next, 0, at(0), clock, 0, 0)
		var missing []int64
		deliver := func(in int64) {
			if used[origin{epoch, in}] {
				return // the cache refuses a packet that came before
			}
			used[origin{epoch, in}] = true
			o, ok := r.Map(in)
			if !ok {
				return
			}
			out := in + o.Sequence
			if before, twice := sent[out]; twice {
				t.Fatalf("out %d used for %v and %v", out, before, origin{epoch, in})
			}
			sent[out] = origin{epoch, in}
			r.Sent(in, 0, at(0), 0, 0, o)
			if back, _, ok := r.Source(uint16(out)); !ok || back != in {
				t.Fatalf("out %d leads back to %d (%v), want %d", out, back, ok, in)
			}
		}
		for _, op := range program {
			switch op % 5 {
			case 0:
				deliver(next)
				next++
			case 1:
				used[origin{epoch, next}] = true
				r.Drop(next)
				next++
			case 2:
				missing = append(missing, next)
				next++
			case 3:
				epoch++
				next += int64(op)
				missing = nil
				r.Switch(next, 0, at(0), clock, 0, 0)
			case 4:
				if len(missing) > 0 {
					deliver(missing[0])
					missing = missing[1:]
				}
			}
		}
	})
}
