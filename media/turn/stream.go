package turn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

const (
	// handshakeTime bounds the TLS handshake.
	handshakeTime = 10 * time.Second
	// idleTime is how long a connection may be silent before it has an allocation, busyTime after: a client refreshes within
	// the ten minutes of an allocation (RFC 8656, 7.2).
	idleTime = 30 * time.Second
	busyTime = 11 * time.Minute
	// writeTime bounds a write to a client that does not read.
	writeTime = 10 * time.Second
)

func (s *Server) serveUDP(conn net.PacketConn) error {
	ended, _, err := s.serve(conn)
	if err != nil {
		return err
	}
	s.work.Go(func() { <-ended })
	return nil
}

func (s *Server) accept(l listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, most likely: wait for some to be freed.
			select {
			case <-s.closing:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
			s.work.Go(func() {
				defer func() { <-s.slots }()
				s.serveStream(conn, l.tls)
			})
		default:
			s.counters.refusedQuota.Add(1)
			conn.Close()
		}
	}
}

// serveStream serves one connection until either side ends it.
func (s *Server) serveStream(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	if config != nil {
		secure := tls.Server(conn, config)
		if !s.handshake(secure) {
			return
		}
		conn = secure
	}
	guarded := &guardedConn{Conn: conn}
	ended, own, err := s.serve(newFramedConn(guarded))
	if err != nil {
		s.config.Log.Error("turn connection cannot be served", "cause", err.Error())
		return
	}
	guarded.session.Store(own)
	select {
	case <-ended:
	case <-s.closing:
		conn.Close()
		<-ended
	}
}

// handshake ends early when the server closes.
func (s *Server) handshake(conn *tls.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	s.work.Go(func() {
		select {
		case <-s.closing:
			cancel()
		case <-done:
		}
	})
	return conn.HandshakeContext(ctx) == nil
}

// guardedConn ends connections that say nothing or do not read.
type guardedConn struct {
	net.Conn
	session atomic.Pointer[session]
}

func (g *guardedConn) Read(p []byte) (int, error) {
	patience := idleTime
	if own := g.session.Load(); own != nil && own.busy() {
		patience = busyTime
	}
	// The deadlines are the operating system's business, not of the injected clock.
	if err := g.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return g.Conn.Read(p)
}

func (g *guardedConn) Write(p []byte) (int, error) {
	if err := g.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}
