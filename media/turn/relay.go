package turn

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// relay is the socket of one allocation. It passes datagrams to and from allowed peers and nobody else.
type relay struct {
	*net.UDPConn
	session *session
	user    *credential
	source  string // the client's address
	ended   chan struct{}
	once    sync.Once
}

// openRelay binds a socket for the request that the session handles, and starts the clock of its longest life.
func openRelay(o *session, port int) (*relay, error) {
	s := o.server
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: s.config.RelayIP.AsSlice(), Port: port})
	if err != nil {
		return nil, err
	}
	r := &relay{UDPConn: conn, session: o, user: o.user, source: o.source, ended: make(chan struct{})}
	o.mu.Lock()
	o.owners[r.source] = r.user
	o.mu.Unlock()
	s.work.Go(r.live)
	return r, nil
}

// live closes the relay at its longest life.
func (r *relay) live() {
	limit := time.NewTimer(r.session.server.config.MaxLifetime)
	defer limit.Stop()
	select {
	case <-r.ended:
	case <-limit.C:
		r.session.server.counters.expired.Add(1)
		r.Close()
	}
}

// ReadFrom returns the next datagram of an allowed peer.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	s := r.session.server
	for {
		n, from, err := r.UDPConn.ReadFromUDPAddrPort(p)
		if err != nil {
			return 0, nil, err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if s.peerAllowed(r.user, from) {
			s.counters.toClients.Add(uint64(n))
			return n, net.UDPAddrFromAddrPort(from), nil
		}
		s.counters.dropped.Add(1)
	}
}

// WriteTo sends to an allowed peer, and drops what is for another as a network would.
func (r *relay) WriteTo(p []byte, to net.Addr) (int, error) {
	s := r.session.server
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.ErrWriteToConnected
	}
	peer := udp.AddrPort()
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	if peer.Port() == 0 || !s.peerAllowed(r.user, peer) {
		s.counters.dropped.Add(1)
		return len(p), nil
	}
	s.counters.toPeers.Add(uint64(len(p)))
	return r.UDPConn.WriteToUDPAddrPort(p, peer)
}

// Close ends the relay; the library, whose read fails, then forgets the allocation.
func (r *relay) Close() error {
	var err error
	r.once.Do(func() {
		s := r.session.server
		close(r.ended)
		err = r.UDPConn.Close()
		r.session.mu.Lock()
		delete(r.session.owners, r.source)
		r.session.mu.Unlock()
		s.credentials.release(r.user, r)
	})
	return err
}

// busy reports whether the session has an allocation.
func (o *session) busy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owners) > 0
}
