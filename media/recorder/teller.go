package recorder

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/packet"
)

// teller hands facts to [Facts] one after another, in order, from a goroutine of its own: a slow database delays neither the
// disk nor the store, and a track is told before its segments.
type teller struct {
	facts Facts
	done  chan struct{}

	mu     sync.Mutex
	queue  []func()
	ready  *sync.Cond
	closed bool
}

func newTeller(f Facts) *teller {
	t := &teller{facts: f, done: make(chan struct{})}
	t.ready = sync.NewCond(&t.mu)
	go t.run()
	return t
}

func (t *teller) run() {
	defer close(t.done)
	for {
		t.mu.Lock()
		for len(t.queue) == 0 && !t.closed {
			t.ready.Wait()
		}
		if len(t.queue) == 0 {
			t.mu.Unlock()
			return
		}
		queue := t.queue
		t.queue = nil
		t.mu.Unlock()
		for _, tell := range queue {
			tell()
		}
	}
}

func (t *teller) say(tell func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append(t.queue, tell)
	t.ready.Signal()
}

// settle waits until everything said so far was heard.
func (t *teller) settle(ctx context.Context) {
	heard := make(chan struct{})
	t.say(func() { close(heard) })
	select {
	case <-heard:
	case <-ctx.Done():
	case <-t.done:
	}
}

// close tells what is left and returns when the goroutine is gone.
func (t *teller) close() {
	t.mu.Lock()
	t.closed = true
	t.ready.Signal()
	t.mu.Unlock()
	<-t.done
}

func (t *teller) trackStarted(recording, capture uuid.UUID, info packet.TrackInfo, at time.Time) {
	t.say(func() { t.facts.TrackStarted(recording, capture, info, at) })
}

func (t *teller) segmentStored(s Segment) { t.say(func() { t.facts.SegmentStored(s) }) }

func (t *teller) finalized(m Manifest) { t.say(func() { t.facts.Finalized(m) }) }

func (t *teller) failed(recording uuid.UUID, reason string) {
	t.say(func() { t.facts.Failed(recording, reason) })
}
