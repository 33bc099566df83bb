package media

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/televisit/televisit/media/packet"
)

const tapBuffers = 512 // packets of a room waiting for its recorder

// recorder feeds one room's packets to a Tap from a goroutine of its own. Its
// queue holds a bounded number of packets: when the tap is slow, packets are
// left out and a gap is marked; forwarding never waits.
type recorder struct {
	tap    packet.Tap
	totals *totals

	mu     sync.Mutex
	wake   sync.Cond
	items  []tapItem
	free   []int // buffers not in use
	closed bool
	arena  []byte
	done   chan struct{}
}

type tapItem struct {
	track  *tappedTrack
	what   tapEvent
	buffer int
	size   int
	at     time.Time
	report senderReport
	info   packet.TrackInfo
}

type tapEvent uint8

const (
	tapStart tapEvent = iota
	tapPacket
	tapReport
	tapGap
	tapClose
)

// tappedTrack is one publication being recorded.
type tappedTrack struct {
	recorder *recorder
	pub      *publication
	started  bool        // publisher's goroutine only
	missed   atomic.Bool // a gap is to be marked before the next packet
	sink     packet.TrackSink
}

func startRecorder(tap packet.Tap, t *totals) *recorder {
	r := &recorder{tap: tap, totals: t, arena: make([]byte, tapBuffers*maxPacket), done: make(chan struct{})}
	r.wake.L = &r.mu
	for i := range tapBuffers {
		r.free = append(r.free, i)
	}
	go r.run()
	return r
}

// attach begins recording a publication.
func (r *recorder) attach(p *publication, now time.Time) {
	p.tap.Store(&tappedTrack{recorder: r, pub: p})
	p.askKeyframe(now)
}

// detach ends it. Packets on their way in another goroutine are dropped.
func (r *recorder) detach(p *publication) {
	if track := p.tap.Swap(nil); track != nil {
		r.add(tapItem{track: track, what: tapClose})
	}
}

// close delivers what is queued and returns when the tap has it.
func (r *recorder) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wake.Signal()
	<-r.done
}

func (r *recorder) add(item tapItem) {
	r.mu.Lock()
	if !r.closed {
		r.items = append(r.items, item)
	}
	r.mu.Unlock()
	r.wake.Signal()
}

// addPacket copies raw into a free buffer; false when there is none.
func (r *recorder) addPacket(item tapItem, raw []byte) bool {
	r.mu.Lock()
	n := len(r.free)
	if n == 0 || r.closed || len(raw) > maxPacket {
		r.mu.Unlock()
		return false
	}
	item.buffer, item.size = r.free[n-1], len(raw)
	r.free = r.free[:n-1]
	copy(r.buffer(item.buffer), raw)
	r.items = append(r.items, item)
	r.mu.Unlock()
	r.wake.Signal()
	return true
}

func (r *recorder) buffer(i int) []byte { return r.arena[i*maxPacket : (i+1)*maxPacket] }

func (r *recorder) run() {
	defer close(r.done)
	var batch []tapItem
	for {
		r.mu.Lock()
		for len(r.items) == 0 && !r.closed {
			r.wake.Wait()
		}
		batch, r.items = r.items, batch[:0]
		r.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for i := range batch {
			r.deliver(&batch[i])
			batch[i].track = nil
		}
	}
}

func (r *recorder) deliver(item *tapItem) {
	track := item.track
	if item.what == tapStart {
		track.sink = r.tap.TrackStarted(item.info)
		return
	}
	if sink := track.sink; sink != nil {
		switch item.what {
		case tapPacket:
			sink.WriteRTP(r.buffer(item.buffer)[:item.size], item.at)
		case tapReport:
			sink.SenderReport(item.report.ntp, item.report.rtp, item.report.at)
		case tapGap:
			sink.Gap()
		case tapClose:
			sink.Close()
			track.sink = nil
		}
	}
	if item.what == tapPacket {
		r.mu.Lock()
		r.free = append(r.free, item.buffer)
		r.mu.Unlock()
	}
}

// write records one packet, on the publisher's goroutine.
func (t *tappedTrack) write(raw []byte, at time.Time) {
	if !t.started {
		t.started = true
		t.recorder.add(tapItem{track: t, what: tapStart, info: t.info()})
		if report := t.pub.lastReport(); !report.at.IsZero() {
			t.recorder.add(tapItem{track: t, what: tapReport, report: report})
		}
	}
	if t.missed.CompareAndSwap(true, false) {
		t.recorder.add(tapItem{track: t, what: tapGap})
		t.pub.askKeyframe(at)
	}
	if !t.recorder.addPacket(tapItem{track: t, what: tapPacket, at: at}, raw) {
		t.recorder.totals.recordingDropped.Add(1)
		t.missed.Store(true)
	}
}

func (t *tappedTrack) senderReport(report senderReport) {
	t.recorder.add(tapItem{track: t, what: tapReport, report: report})
}

func (t *tappedTrack) info() packet.TrackInfo {
	kind := t.pub.codec.Load()
	return packet.TrackInfo{
		ID: t.pub.id, Participant: t.pub.peer.join.Participant, Kind: t.pub.kind, Source: t.pub.source,
		MimeType: kind.mime, ClockRate: kind.clock, SSRC: t.pub.ssrc,
	}
}
