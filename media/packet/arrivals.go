package packet

import "time"

// Limits of asking for repairs.
const (
	maxMissing   = 100                   // sequence numbers asked for at a time
	maxTries     = 5                     // requests for one of them
	firstWait    = 20 * time.Millisecond // reordering is more likely than loss
	minRetryWait = 20 * time.Millisecond
	maxRetryWait = 400 * time.Millisecond
	resetGap     = 3000 // a jump this wide is a new stream, not loss
)

type missing struct {
	sequence int64
	tries    uint8
	due      time.Time
}

// Arrivals follows the sequence numbers of one incoming track: it extends
// them to 64 bits, keeps the receiver report's figures (RFC 3550 section
// 6.4.1 and appendix A), and knows what to ask for again. The zero value is
// ready. It is not safe for concurrent use.
type Arrivals struct {
	started bool
	base    int64
	highest int64

	received      int64
	priorExpected int64
	priorReceived int64

	transit   int64
	jitter    float64
	hasTimes  bool
	missing   [maxMissing]missing
	missCount int
}

// Note records the arrival of a packet and returns its extended sequence
// number. isNew is false for one behind the newest; reset is true when the
// stream jumped so far that what came before is of no use.
func (a *Arrivals) Note(sequence uint16, at time.Time) (extended int64, isNew, reset bool) {
	if !a.started {
		a.started = true
		a.base = int64(sequence) + 1<<16 // room below for reordered first packets
		a.highest = a.base
		a.received = 1
		return a.highest, true, false
	}
	step := int64(int16(sequence - uint16(a.highest)))
	extended = a.highest + step
	switch {
	case step > resetGap || step < -resetGap:
		a.restart(sequence)
		return a.highest, true, true
	case step > 0:
		a.received++
		a.noteGap(a.highest+1, extended, at)
		a.highest = extended
		return extended, true, false
	default:
		a.received++
		a.found(extended)
		return extended, false, false
	}
}

// restart keeps extended numbers rising, so that no number stands for two packets.
func (a *Arrivals) restart(sequence uint16) {
	next := a.highest + 1<<16
	next += int64(int16(sequence - uint16(next)))
	*a = Arrivals{started: true, base: next, highest: next, received: 1}
}

// Extend returns the extended number nearest to the newest, noting nothing.
func (a *Arrivals) Extend(sequence uint16) int64 {
	return a.highest + int64(int16(sequence-uint16(a.highest)))
}

func (a *Arrivals) noteGap(from, to int64, at time.Time) {
	if to-from > maxMissing {
		from = to - maxMissing
	}
	for s := from; s < to; s++ {
		if a.missCount == maxMissing {
			copy(a.missing[:], a.missing[1:])
			a.missCount--
		}
		a.missing[a.missCount] = missing{sequence: s, due: at.Add(firstWait)}
		a.missCount++
	}
}

func (a *Arrivals) found(sequence int64) {
	for i := 0; i < a.missCount; i++ {
		if a.missing[i].sequence == sequence {
			copy(a.missing[i:], a.missing[i+1:a.missCount])
			a.missCount--
			return
		}
	}
}

// Missing reports how many sequence numbers are being waited for.
func (a *Arrivals) Missing() int { return a.missCount }

// Due appends to dst the sequence numbers to ask for now. Each is asked for
// at most five times, waiting rtt (20 to 400 ms) times 1.25 for each try;
// then it is given up.
func (a *Arrivals) Due(dst []uint16, now time.Time, rtt time.Duration) []uint16 {
	kept := 0
	for i := 0; i < a.missCount; i++ {
		m := a.missing[i]
		if !m.due.After(now) {
			if m.tries == maxTries {
				continue
			}
			dst = append(dst, uint16(m.sequence))
			m.due = now.Add(retryWait(rtt, m.tries))
			m.tries++
		}
		a.missing[kept] = m
		kept++
	}
	a.missCount = kept
	return dst
}

func retryWait(rtt time.Duration, tries uint8) time.Duration {
	wait := max(rtt, minRetryWait)
	for range tries {
		wait += wait / 4
	}
	return min(wait, maxRetryWait)
}

// NoteTime feeds the jitter estimate. Call it for packets in order only.
func (a *Arrivals) NoteTime(timestamp uint32, at time.Time, clockRate uint32) {
	ticks := at.UnixMicro() * int64(clockRate) / 1_000_000
	transit := int64(int32(uint32(ticks) - timestamp))
	if a.hasTimes {
		d := transit - a.transit
		if d < 0 {
			d = -d
		}
		a.jitter += (float64(d) - a.jitter) / 16
	}
	a.transit, a.hasTimes = transit, true
}

// Report is the figures of one RTCP reception report block.
type Report struct {
	FractionLost uint8 // of the packets expected since the last report, in 1/256
	TotalLost    int32
	Highest      uint32 // extended highest sequence number
	Jitter       uint32 // timestamp ticks
}

// Report returns the figures and begins a new interval.
func (a *Arrivals) Report() Report {
	expected := a.highest - a.base + 1
	lost := expected - a.received
	interval := expected - a.priorExpected
	lostNow := interval - (a.received - a.priorReceived)
	a.priorExpected, a.priorReceived = expected, a.received
	r := Report{Highest: uint32(a.highest), Jitter: uint32(a.jitter)}
	r.TotalLost = int32(min(max(lost, -1<<23), 1<<23-1))
	if interval > 0 && lostNow > 0 {
		r.FractionLost = uint8(min(lostNow*256/interval, 255))
	}
	return r
}
