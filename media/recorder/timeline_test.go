package recorder

import (
	"testing"
	"time"
)

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
