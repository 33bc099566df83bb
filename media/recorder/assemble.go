package recorder

import (
	"slices"
	"time"

	"github.com/pion/rtp"
)

// timedPacket is a packet with its place in the stream and its time.
type timedPacket struct {
	*rtp.Packet
	seq int64 // extended
	at  time.Time
}

const (
	// reorderSpan is how long a packet may be late (repaired by retransmission) before it counts as lost.
	reorderSpan = 2 * time.Second
	reorderMost = 4096
)

// reorderer puts packets in order of sequence, once each.
type reorderer struct {
	unwrap unwrapper
	held   []timedPacket // sorted by seq
	newest time.Time
	next   int64
	begun  bool
}

// push adds a packet and emits what is in order or overdue. lost is true on a packet before which others are missing.
func (r *reorderer) push(p timedPacket, emit func(p timedPacket, lost bool)) {
	p.seq = r.unwrap.unwrap(uint32(p.SequenceNumber), 16)
	if r.begun && p.seq < r.next {
		return // twice, or too late
	}
	i, found := slices.BinarySearchFunc(r.held, p, func(a, b timedPacket) int { return int(a.seq - b.seq) })
	if found {
		return
	}
	r.held = slices.Insert(r.held, i, p)
	if p.at.After(r.newest) {
		r.newest = p.at
	}
	r.release(emit, false)
}

// flush emits everything.
func (r *reorderer) flush(emit func(timedPacket, bool)) { r.release(emit, true) }

func (r *reorderer) release(emit func(timedPacket, bool), all bool) {
	for len(r.held) > 0 {
		first := r.held[0]
		inOrder := r.begun && first.seq == r.next
		overdue := r.newest.Sub(first.at) > reorderSpan || len(r.held) > reorderMost
		if !inOrder && !overdue && !all {
			return
		}
		r.held = slices.Delete(r.held, 0, 1)
		lost := r.begun && !inOrder
		r.next, r.begun = first.seq+1, true
		emit(first, lost)
	}
}

// frame is one access unit (video) or one packet's worth (audio).
type frame struct {
	at   time.Time
	key  bool
	data []byte
}

// depacketizer turns the payload of one packet into codec data.
type depacketizer interface {
	// unpack returns the data, and whether the packet begins a frame.
	unpack(payload []byte) (data []byte, head bool, err error)
	// keyframe tells whether a whole frame can be decoded without others.
	keyframe(data []byte) bool
}

// impatience is how long video stays out after a loss while no key frame comes; then damaged pictures are better than none.
const impatience = 2 * time.Second

// assembler makes frames from ordered packets. A frame with a hole is dropped, and so is what refers to it.
type assembler struct {
	codec   *codec
	emit    func(frame) error
	onLoss  func(at time.Time)
	current frame
	ts      uint32
	open    bool
	broken  bool
	waiting bool // for a key frame
	since   time.Time
}

func newAssembler(c *codec, emit func(frame) error, onLoss func(time.Time)) *assembler {
	return &assembler{codec: c, emit: emit, onLoss: onLoss, waiting: c.video}
}

func (a *assembler) push(p timedPacket, lost bool) error {
	if lost {
		a.lose(p.at)
	}
	if len(p.Payload) == 0 {
		return nil // padding, as probes are
	}
	data, head, err := a.codec.unpack(p.Payload)
	if err != nil {
		a.lose(p.at)
		return nil
	}
	if !a.codec.video {
		return a.emit(frame{at: p.at, key: true, data: data})
	}
	if a.open && p.Timestamp != a.ts {
		if err := a.finish(); err != nil { // its marker was not set
			return err
		}
	}
	if !a.open {
		a.current, a.ts, a.open, a.broken = frame{at: p.at}, p.Timestamp, true, !head || lost && a.codec.vague
	}
	a.current.data = append(a.current.data, data...)
	if p.Marker {
		return a.finish()
	}
	return nil
}

// lose marks that the frame being assembled, and whatever refers to the lost one, has a hole.
func (a *assembler) lose(at time.Time) {
	a.onLoss(at)
	a.broken = true
	if a.codec.video && !a.waiting {
		a.waiting, a.since = true, at
	}
}

func (a *assembler) finish() error {
	f := a.current
	a.current, a.open = frame{}, false
	if a.broken || len(f.data) == 0 {
		if a.broken && !a.waiting {
			a.lose(f.at)
		}
		a.broken = false
		return nil
	}
	f.key = a.codec.keyframe(f.data)
	if a.waiting && !f.key {
		never := a.since.IsZero() // nothing was decodable yet
		if never || f.at.Sub(a.since) < impatience {
			return nil
		}
	}
	a.waiting, a.since = false, f.at
	return a.emit(f)
}
