package accounts

import (
	"sync"
	"time"
)

const (
	throttleAfter  = 5
	throttleWindow = time.Minute
)

// Throttle slows down guessing: after five failures in a minute a name has to wait.
type Throttle struct {
	mu       sync.Mutex
	now      func() time.Time
	failures map[string][]time.Time
}

// NewThrottle makes a throttle.
func NewThrottle(now func() time.Time) *Throttle {
	return &Throttle{now: now, failures: map[string][]time.Time{}}
}

// Allowed reports whether the name may try now.
func (t *Throttle) Allowed(username string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.recent(username)) < throttleAfter
}

// Failed counts a failure.
func (t *Throttle) Failed(username string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const maxNames = 10_000
	if len(t.failures) >= maxNames {
		t.failures = map[string][]time.Time{}
	}
	t.failures[username] = append(t.recent(username), t.now())
}

func (t *Throttle) recent(username string) []time.Time {
	var kept []time.Time
	for _, at := range t.failures[username] {
		if t.now().Sub(at) < throttleWindow {
			kept = append(kept, at)
		}
	}
	return kept
}
