package pgchild

import "sync"

const tailBytes = 16 << 10

// tail keeps the last of what the server said, for the error that tells why it ended.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append([]byte(nil), t.last[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}

// Reset forgets what was said.
func (t *tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = nil
}
