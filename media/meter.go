package media

import (
	"sync/atomic"
	"time"
)

const meterWindow = time.Second

// meter counts bits a second. One goroutine adds; any may read.
type meter struct {
	bits  atomic.Int64 // a second, over the last whole window
	count int64
	since time.Time
}

func (m *meter) add(bytes int, now time.Time) {
	m.count += int64(bytes) * 8
	elapsed := now.Sub(m.since)
	if elapsed < meterWindow {
		return
	}
	if !m.since.IsZero() {
		m.bits.Store(int64(float64(m.count) / elapsed.Seconds()))
	}
	m.since, m.count = now, 0
}
