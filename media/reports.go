package media

import "sync"

// reporter calls Reports in order from one goroutine. Its queue is unbounded
// on purpose: a report is a fact for the audit trail and may not be lost, and
// there are only a few for each participant.
type reporter struct {
	mu     sync.Mutex
	wake   sync.Cond
	queue  []func(Reports)
	closed bool
	done   chan struct{}
}

func startReporter(to Reports) *reporter {
	r := &reporter{done: make(chan struct{})}
	r.wake.L = &r.mu
	go r.run(to)
	return r
}

func (r *reporter) run(to Reports) {
	defer close(r.done)
	for {
		r.mu.Lock()
		for len(r.queue) == 0 && !r.closed {
			r.wake.Wait()
		}
		batch := r.queue
		r.queue = nil
		r.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, report := range batch {
			report(to)
		}
	}
}

func (r *reporter) add(report func(Reports)) {
	r.mu.Lock()
	r.queue = append(r.queue, report)
	r.mu.Unlock()
	r.wake.Signal()
}

// close waits until everything queued has been delivered.
func (r *reporter) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wake.Signal()
	<-r.done
}
