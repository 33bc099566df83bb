package recorder

import (
	"math"
	"time"
)

// senderReport relates a stream's RTP time to its sender's wall clock (RFC 3550, 6.4.1).
type senderReport struct {
	ntp     time.Time
	rtp     uint32
	arrival time.Time
}

// saneDistance is how far a packet's computed time may be from its arrival. A sender whose clocks disagree by more, or whose stream
// restarts with other timestamps, is placed by arrival from there on.
const saneDistance = 3 * time.Second

// ntpTime converts the 32.32 fixed-point seconds since 1900 of RFC 5905.
func ntpTime(ntp uint64) time.Time {
	const from1900To1970 = 2208988800
	seconds := int64(ntp>>32) - from1900To1970
	nanos := (ntp & math.MaxUint32) * uint64(time.Second) >> 32
	return time.Unix(seconds, int64(nanos))
}

// clockOffset is what to add to a participant's wall clock to get the server's: the least delay seen, because a report can be
// late but not early. Streams of one participant
// share it (see sharedOffset), so that lips and voice stay together.
func clockOffset(reports []senderReport) (offset time.Duration, known bool) {
	for _, r := range reports {
		if d := r.arrival.Sub(r.ntp); !known || d < offset {
			offset, known = d, true
		}
	}
	return offset, known
}

// sameClock is how far the offsets of two streams may differ and still come from one device.
const sameClock = 250 * time.Millisecond

// sharedOffset is the least of the offsets that agree with own.
func sharedOffset(own time.Duration, others []time.Duration) time.Duration {
	shared := own
	for _, other := range others {
		if (own - other).Abs() < sameClock {
			shared = min(shared, other)
		}
	}
	return shared
}

// anchor says that a stream's extended RTP time was sent at a time of the server.
type anchor struct {
	rtp int64
	at  time.Time
}

// streamClock gives packets of one capture their time on the server's clock.
type streamClock struct {
	rate    float64 // RTP ticks a second
	reports []senderReport
	offset  time.Duration
	synced  bool

	rtp    unwrapper
	anchor anchor
	set    bool
	next   int // reports not used yet
}

func newStreamClock(clockRate uint32, reports []senderReport, offset time.Duration, known bool) *streamClock {
	c := &streamClock{rate: float64(clockRate), offset: offset}
	if known && clockRate > 0 {
		c.reports = reports
	}
	return c
}

// at places a packet. Calls are in order of arrival.
func (c *streamClock) at(rtp uint32, arrival time.Time) time.Time {
	extended := c.rtp.unwrap(rtp, 32)
	// The reports before the packet, and the first one even if it comes later: it is better than any arrival time.
	for c.next < len(c.reports) && (c.next == 0 || !c.reports[c.next].arrival.After(arrival)) {
		c.use(c.reports[c.next], extended, arrival)
		c.next++
	}
	if at := c.project(extended); c.set && distance(at, arrival) <= saneDistance {
		return at
	}
	c.anchor, c.set = anchor{rtp: extended, at: arrival}, true
	return arrival
}

// use moves the anchor to a report, unless it would put the present packet somewhere impossible.
func (c *streamClock) use(r senderReport, extended int64, arrival time.Time) {
	reported := extended + int64(int32(r.rtp-uint32(extended)))
	candidate := streamClock{rate: c.rate, anchor: anchor{rtp: reported, at: r.ntp.Add(c.offset)}}
	if distance(candidate.project(extended), arrival) <= saneDistance {
		c.anchor, c.set, c.synced = candidate.anchor, true, true
	}
}

func (c *streamClock) project(extended int64) time.Time {
	if c.rate == 0 {
		return time.Time{}
	}
	return c.anchor.at.Add(time.Duration(float64(extended-c.anchor.rtp) / c.rate * float64(time.Second)))
}

func distance(a, b time.Time) time.Duration {
	d := a.Sub(b)
	if d < 0 {
		return -d
	}
	return d
}

// unwrapper extends a counter that wraps around to one that does not.
type unwrapper struct {
	last int64
	set  bool
}

// unwrap extends v, a counter of so many bits, to the value nearest to the last one.
func (u *unwrapper) unwrap(v uint32, bits uint) int64 {
	if !u.set {
		u.last, u.set = int64(v), true
		return u.last
	}
	size := int64(1) << bits
	delta := (int64(v) - u.last) & (size - 1)
	if delta >= size/2 {
		delta -= size
	}
	u.last += delta
	return u.last
}
