package packet

import (
	"slices"
	"testing"
	"time"
)

func TestArrivalsExtendsAcrossTheWrap(t *testing.T) {
	var a Arrivals
	first, isNew, reset := a.Note(65534, at(0))
	if !isNew || reset {
		t.Fatal("the first packet is new, and no jump")
	}
	for i, s := range []uint16{65535, 0, 1} {
		got, isNew, _ := a.Note(s, at(0))
		if got != first+int64(i)+1 || !isNew {
			t.Errorf("%d extended to %d", s, got)
		}
	}
	late, isNew, _ := a.Note(65533, at(0))
	if late != first-1 || isNew {
		t.Errorf("late packet extended to %d, new %v", late, isNew)
	}
	if a.Extend(2) != first+4 || a.Extend(65535) != first+1 {
		t.Error("Extend differs from Note")
	}
}

func TestArrivalsAsksAndGivesUp(t *testing.T) {
	var a Arrivals
	a.Note(10, at(0))
	a.Note(13, at(0)) // 11 and 12 missing
	if got := a.Due(nil, at(19), 0); len(got) != 0 {
		t.Errorf("asked for %v before reordering had its time", got)
	}
	if got := a.Due(nil, at(20), 0); !slices.Equal(got, []uint16{11, 12}) {
		t.Errorf("asked for %v", got)
	}
	if _, isNew, _ := a.Note(12, at(25)); isNew {
		t.Error("a repaired packet counted as new")
	}
	asked, now := 1, 20
	for a.Missing() > 0 {
		now += 5
		if now > 5000 {
			t.Fatal("never gives up")
		}
		got := a.Due(nil, at(now), 0)
		if slices.Contains(got, 12) {
			t.Fatal("asked for a packet that had come")
		}
		asked += len(got)
	}
	if asked != maxTries {
		t.Errorf("asked %d times, want %d", asked, maxTries)
	}
}

func TestArrivalsWaitsByRoundTrip(t *testing.T) {
	for _, c := range []struct {
		rtt   time.Duration
		tries uint8
		want  time.Duration
	}{
		{0, 0, 20 * time.Millisecond},
		{100 * time.Millisecond, 0, 100 * time.Millisecond},
		{100 * time.Millisecond, 1, 125 * time.Millisecond},
		{200 * time.Millisecond, 4, 400 * time.Millisecond},
		{3 * time.Second, 0, 400 * time.Millisecond},
	} {
		if got := retryWait(c.rtt, c.tries); got != c.want {
			t.Errorf("rtt %v, try %d: %v, want %v", c.rtt, c.tries, got, c.want)
		}
	}
}

func TestArrivalsBoundsWhatItAsksFor(t *testing.T) {
	var a Arrivals
	a.Note(0, at(0))
	a.Note(1000, at(0))
	if a.Missing() != maxMissing {
		t.Fatalf("%d missing, want the newest %d", a.Missing(), maxMissing)
	}
	got := a.Due(nil, at(100), 0)
	if got[0] != 1000-maxMissing || got[len(got)-1] != 999 {
		t.Errorf("asked for %d to %d", got[0], got[len(got)-1])
	}
	a.Note(1002, at(0))
	if a.Missing() != maxMissing {
		t.Errorf("%d missing", a.Missing())
	}
	if _, _, reset := a.Note(1002+resetGap+1, at(0)); !reset {
		t.Error("a jump was taken for loss")
	}
	if a.Missing() != 0 {
		t.Error("asks for packets across a jump")
	}
}

func TestArrivalsNeverRepeatsAnExtendedNumber(t *testing.T) {
	var a Arrivals
	seen := map[int64]bool{}
	for _, s := range []uint16{5, 6, 40000, 40001, 5, 6, 60000, 7} { // four jumps
		got, _, _ := a.Note(s, at(0))
		if seen[got] {
			t.Fatalf("%d extended to %d, used before", s, got)
		}
		seen[got] = true
	}
}

func TestArrivalsReport(t *testing.T) {
	var a Arrivals
	for s := range uint16(100) {
		if s%10 != 3 {
			a.Note(s, at(int(s)))
		}
	}
	r := a.Report()
	if r.TotalLost != 10 || r.FractionLost != 25 || uint16(r.Highest) != 99 {
		t.Errorf("%+v, want 10 lost, 25/256, highest 99", r)
	}
	for s := uint16(100); s < 150; s++ {
		a.Note(s, at(int(s)))
	}
	if r = a.Report(); r.FractionLost != 0 || r.TotalLost != 10 {
		t.Errorf("second interval %+v, want no loss in it", r)
	}
}

func TestArrivalsJitter(t *testing.T) {
	var steady, uneven Arrivals
	for i := range 200 {
		steady.NoteTime(uint32(i*960), at(i*20), 48000)
		uneven.NoteTime(uint32(i*960), at(i*20+10*(i%2)), 48000)
	}
	if j := steady.Report().Jitter; j != 0 {
		t.Errorf("steady arrivals have jitter %d", j)
	}
	if j := uneven.Report().Jitter; j < 430 || j > 480 {
		t.Errorf("10 ms of jitter reads %d ticks, want about 480", j)
	}
}

func FuzzArrivals(f *testing.F) {
	f.Add([]byte{0, 1, 0, 3, 0, 2, 200, 0, 0, 9})
	f.Fuzz(func(t *testing.T, program []byte) {
		var a Arrivals
		now := 0
		highest := int64(-1)
		for i := 0; i+1 < len(program); i += 2 {
			now += int(program[i] % 8)
			s := uint16(program[i])<<8 | uint16(program[i+1])
			got, isNew, _ := a.Note(s, at(now))
			if uint16(got) != s {
				t.Fatalf("%d extended to %d", s, got)
			}
			if isNew != (got > highest) {
				t.Fatalf("%d is new: %v, with %d the highest", got, isNew, highest)
			}
			highest = max(highest, got)
			if due := a.Due(nil, at(now), 0); len(due) > maxMissing {
				t.Fatalf("asks for %d packets", len(due))
			}
			a.Report()
		}
	})
}
