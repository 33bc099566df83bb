package packet

import "time"

const intervalCount = 16

// Offsets turn a source packet into a subscriber's packet by addition.
type Offsets struct {
	Sequence  int64 // added to the source's extended sequence number
	Timestamp uint32
	PictureID uint16 // VP8, modulo the field's width
	TL0       uint8  // VP8
}

type interval struct {
	first   int64 // first source sequence (extended) that it covers
	offsets Offsets
}

// Rewriter maps the packets of a changing source onto one continuous RTP
// stream for one subscriber: sequence numbers without holes other than real
// loss, timestamps that move with the wall clock across a switch.
//
// Two source packets never get the same outgoing sequence number. SRTP
// depends on it: under AES-GCM a repeated index with different bytes gives
// the authentication key away (RFC 7714 section 8.4).
//
// The zero value is ready. It is not safe for concurrent use.
type Rewriter struct {
	intervals [intervalCount]interval
	used      int // intervals in use, newest last

	started    bool
	highestIn  int64
	highestOut int64
	lastTS     uint32 // timestamp sent with highestOut
	lastAt     time.Time
	lastPic    uint16
	lastTL0    uint8
}

// Switch begins a new source (or the same one after a pause) at the packet
// with this extended sequence number and timestamp; pic and tl0 are its VP8
// descriptor's values, zero otherwise. Earlier packets of that source are
// refused from here on.
func (r *Rewriter) Switch(sequence int64, timestamp uint32, at time.Time, clockRate uint32, pic uint16, tl0 uint8) {
	o := Offsets{}
	if r.started {
		elapsed := uint32(1)
		if d := at.Sub(r.lastAt); d > 0 {
			elapsed = max(elapsed, uint32(d.Seconds()*float64(clockRate)))
		}
		o.Sequence = r.highestOut + 1 - sequence
		o.Timestamp = r.lastTS + elapsed - timestamp
		o.PictureID = r.lastPic + 1 - pic
		o.TL0 = r.lastTL0 + 1 - tl0
	}
	r.used = 1
	r.intervals[0] = interval{first: sequence, offsets: o}
	r.highestIn = sequence - 1
}

// Map returns the offsets for a source packet and whether it may be sent.
func (r *Rewriter) Map(sequence int64) (Offsets, bool) {
	for i := r.used - 1; i >= 0; i-- {
		if sequence >= r.intervals[i].first {
			return r.intervals[i].offsets, true
		}
	}
	return Offsets{}, false
}

// Sent records that a mapped packet went out, for the next Switch.
func (r *Rewriter) Sent(sequence int64, outTimestamp uint32, at time.Time, outPic uint16, outTL0 uint8, o Offsets) {
	if r.started && sequence <= r.highestIn {
		return
	}
	r.started = true
	r.highestIn = sequence
	r.highestOut = sequence + o.Sequence
	r.lastTS, r.lastAt, r.lastPic, r.lastTL0 = outTimestamp, at, outPic, outTL0
}

// Drop leaves a source packet out on purpose, closing the hole that it would
// make. A packet that arrives late and is dropped leaves its hole.
func (r *Rewriter) Drop(sequence int64) {
	if r.used == 0 || sequence <= r.highestIn {
		return
	}
	newest := &r.intervals[r.used-1]
	if sequence < newest.first {
		return
	}
	o := newest.offsets
	o.Sequence--
	// Packets missing between the last one sent and this one keep their
	// places, should they still arrive.
	if newest.first == sequence {
		*newest = interval{first: sequence + 1, offsets: o}
	} else {
		r.push(interval{first: sequence + 1, offsets: o})
	}
	r.highestIn = sequence
	r.highestOut = sequence + o.Sequence
}

func (r *Rewriter) push(next interval) {
	if r.used == intervalCount {
		copy(r.intervals[:], r.intervals[1:])
		r.used--
	}
	r.intervals[r.used] = next
	r.used++
}

// Source returns the source sequence number behind an outgoing one, and its
// offsets; false if it was never sent or is no longer known.
func (r *Rewriter) Source(out uint16) (int64, Offsets, bool) {
	if !r.started || r.used == 0 {
		return 0, Offsets{}, false
	}
	wide := r.highestOut + int64(int16(out-uint16(r.highestOut)))
	if wide > r.highestOut {
		return 0, Offsets{}, false
	}
	for i := r.used - 1; i >= 0; i-- {
		in := wide - r.intervals[i].offsets.Sequence
		if in < r.intervals[i].first {
			continue
		}
		return in, r.intervals[i].offsets, true
	}
	return 0, Offsets{}, false
}
