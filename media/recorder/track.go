package recorder

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/packet"
)

const (
	// flushEvery is how long a packet stays in memory.
	flushEvery = 250 * time.Millisecond
	// segmentAge is when a segment is closed; with the flush before it no segment reaches over 2 seconds.
	segmentAge = 1700 * time.Millisecond
	// wakeBytes makes a flush happen early, so that a burst does not fill the queue.
	wakeBytes = 512 << 10
	maxPacket = 1 << 16
)

// track captures one stream. Its methods of [packet.TrackSink] do no more than copy into memory under a lock that is never held
// during input or output; a full queue drops and marks a gap.
type track struct {
	session *Session
	info    packet.TrackInfo
	capture uuid.UUID
	folder  string

	mu       sync.Mutex
	pending  []byte
	overflow bool
	closed   bool

	wake chan struct{} // holds one token
	done chan struct{}

	// Of the goroutine alone.
	spare   []byte
	segment *segmentFile
	opened  time.Time
	seq     uint64
	failing bool
}

func newTrack(s *Session, info packet.TrackInfo, capture uuid.UUID, folder string) *track {
	return &track{session: s, info: info, capture: capture, folder: folder, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// WriteRTP queues a copy of the packet.
func (t *track) WriteRTP(raw []byte, arrival time.Time) {
	if len(raw) > maxPacket {
		return
	}
	t.add(len(raw), arrival, func(b []byte) []byte { return appendRTP(b, raw, arrival) })
}

// SenderReport queues what a sender report says.
func (t *track) SenderReport(ntp uint64, rtp uint32, arrival time.Time) {
	t.add(0, arrival, func(b []byte) []byte { return appendReport(b, ntp, rtp, arrival) })
}

// Gap queues a mark that packets are missing here.
func (t *track) Gap() {
	at := t.session.recorder.config.Now()
	t.add(0, at, func(b []byte) []byte { return appendGap(b, gapReported, at) })
}

// Close ends the capture and returns at once; what is queued is still written.
func (t *track) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.signal()
}

func (t *track) add(size int, at time.Time, encode func([]byte) []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if len(t.pending)+size+2*recordHead+16 > t.session.recorder.config.QueueBytes {
		t.overflow = true
		return
	}
	if t.overflow {
		t.overflow = false
		t.pending = appendGap(t.pending, gapQueue, at)
	}
	t.pending = encode(t.pending)
	if len(t.pending) > wakeBytes {
		t.signal()
	}
}

func (t *track) signal() {
	select {
	case t.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take swaps the queue for an empty one.
func (t *track) take() (records []byte, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	records, t.pending = t.pending, t.spare[:0]
	t.spare = records
	return records, t.closed
}

func (t *track) run() {
	defer close(t.done)
	r := t.session.recorder
	r.teller.trackStarted(t.session.recording, t.capture, t.info, r.config.Now())
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-t.wake:
		}
		records, closed := t.take()
		if err := t.flush(records, closed); err != nil {
			t.fail(err)
		}
		if closed {
			return
		}
	}
}

func (t *track) flush(records []byte, last bool) error {
	if t.segment == nil {
		if len(records) == 0 {
			return nil
		}
		var err error
		if records, err = t.open(records); err != nil {
			return err
		}
	}
	last = last || t.session.recorder.config.Now().Sub(t.opened) >= segmentAge || t.segment.size > maxChunk/2
	if len(records) == 0 && !last {
		return nil
	}
	if err := t.segment.append(records, last); err != nil || !last {
		return err
	}
	id := t.segment.id
	name, err := t.segment.close()
	if err != nil {
		return err
	}
	t.segment, t.failing = nil, false
	t.session.recorder.uploads.add(upload{id: id, file: name})
	return nil
}

// open begins the next segment and puts the track's header before the records.
func (t *track) open(records []byte) ([]byte, error) {
	now := t.session.recorder.config.Now()
	head, err := appendInfo(nil, headerOf(t.info), now)
	if err != nil {
		return nil, err
	}
	if t.failing {
		head = appendGap(head, gapDisk, now)
	}
	if err := os.Mkdir(t.folder, 0o700); err == nil {
		err = syncFolder(filepath.Dir(t.folder))
		if err != nil {
			return nil, err
		}
	} else if !os.IsExist(err) {
		return nil, err
	}
	t.opened = now
	id := segmentID{recording: t.session.recording, capture: t.capture, seq: t.seq}
	t.seq++
	if t.segment, err = createSegment(t.session.vault, id, t.folder); err != nil {
		return nil, err
	}
	return append(head, records...), nil
}

// fail gives up the open segment, keeps what is whole of it, and lets the next flush try a new one.
func (t *track) fail(err error) {
	r := t.session.recorder
	if segment := t.segment; segment != nil {
		t.segment = nil
		segment.file.Close()
		if name, keepErr := keepWhole(segment.file.Name()); keepErr == nil && name != "" {
			r.uploads.add(upload{id: segment.id, file: name})
		}
	}
	if t.failing {
		return // told already
	}
	t.failing = true
	r.config.Log.Error("recording cannot be written to the spool", slog.String("cause", err.Error()))
	r.teller.failed(t.session.recording, "spool")
}
