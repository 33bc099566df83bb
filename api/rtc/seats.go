package rtc

import (
	"sync"

	"github.com/televisit/televisit/media"
)

// seats knows which socket speaks for a peer now. A browser that comes back may do so before its old socket is seen to
// fail; the old one must then not report as lost a peer who is here.
type seats struct {
	mu    sync.Mutex
	taken map[*media.Peer]*connection
}

// take enters the room for c. Holding the lock over it keeps an older socket's loss in front of it or away.
func (s *seats) take(c *connection, enter func() (*media.Peer, error)) (*media.Peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	peer, err := enter()
	if err != nil {
		return nil, err
	}
	s.taken[peer] = c
	return peer, nil
}

// leave gives up c's seat and, unless its participant left for good, tells the room that the line is lost.
func (s *seats) leave(c *connection, left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[c.peer] != c {
		return
	}
	delete(s.taken, c.peer)
	if !left {
		c.peer.Lost()
	}
}
