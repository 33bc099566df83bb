package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/pion/logging"
	pion "github.com/pion/turn/v3"
)

var errRefused = errors.New("turn: allocation refused")

// session is one instance of the library: the UDP socket, or one stream connection. The library reads it from one goroutine and
// finishes a request before it reads the next: its hooks for one request run one after another, first authenticate.
type session struct {
	server *Server

	// The request being handled; of the library's reading goroutine alone.
	user   *credential
	source string

	mu     sync.Mutex
	owners map[string]*credential // who has the allocation of a client address
}

// serve hands the connection to the library. The returned channel closes when it reads no more.
func (s *Server) serve(conn net.PacketConn) (<-chan struct{}, *session, error) {
	own := &session{server: s, owners: map[string]*credential{}}
	watched := &watchedConn{PacketConn: conn, ended: make(chan struct{})}
	_, err := pion.NewServer(pion.ServerConfig{
		Realm:         s.config.Realm,
		AuthHandler:   own.authenticate,
		LoggerFactory: silent{},
		PacketConnConfigs: []pion.PacketConnConfig{{
			PacketConn: watched, RelayAddressGenerator: own, PermissionHandler: own.permit,
		}},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("turn: serve: %w", err)
	}
	return watched.ended, own, nil
}

// watchedConn tells when reading ended, after which the library closes the allocations.
type watchedConn struct {
	net.PacketConn
	ended chan struct{}
	once  sync.Once
}

func (w *watchedConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, addr, err := w.PacketConn.ReadFrom(p)
	if err != nil {
		w.once.Do(func() { close(w.ended) })
	}
	return n, addr, err
}

// authenticate gives the key of a user name. Whether the request was made with it, the library checks afterwards, before it
// calls any other hook.
func (o *session) authenticate(username, realm string, source net.Addr) ([]byte, bool) {
	c := o.server.credentials.find(username)
	o.user, o.source = c, source.String()
	owner := o.owner()
	switch {
	case c == nil,
		owner != nil && owner != c,                       // RFC 8656, 5: an allocation belongs to its user name
		owner == nil && c.expired(o.server.config.Now()): // a running allocation may outlive its credential
		o.server.counters.refusedCredential.Add(1)
		return nil, false
	}
	return pion.GenerateAuthKey(username, realm, o.server.credentials.password(username)), true
}

func (o *session) owner() *credential {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.owners[o.source]
}

// permit answers a request for a permission or a channel. The port is not told here; each datagram is checked again.
func (o *session) permit(_ net.Addr, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	if ok && o.server.peerAllowed(o.user, netip.AddrPortFrom(addr.Unmap(), 0)) {
		return true
	}
	o.server.counters.refusedPeer.Add(1)
	return false
}

func (s *Server) peerAllowed(c *credential, peer netip.AddrPort) bool {
	if echo := s.echo.Load(); echo != nil && c != nil && c.selfTest {
		return peer == *echo || peer.Port() == 0 && peer.Addr() == echo.Addr()
	}
	return s.config.AllowedPeers(peer)
}

// Validate implements the library's RelayAddressGenerator.
func (o *session) Validate() error { return nil }

// AllocatePacketConn opens the relay of the request being handled, within the limits.
func (o *session) AllocatePacketConn(_ string, port int) (net.PacketConn, net.Addr, error) {
	s := o.server
	if o.user == nil || o.user.expired(s.config.Now()) {
		s.counters.refusedCredential.Add(1)
		return nil, nil, errRefused
	}
	r, err := openRelay(o, port)
	if err != nil {
		return nil, nil, err
	}
	// Counted in last: from here on it may be revoked at any moment.
	if !s.credentials.admit(o.user, r, s.config.AllocationsPerCredential, s.config.MaxAllocations) {
		s.counters.refusedQuota.Add(1)
		r.Close()
		return nil, nil, errRefused
	}
	s.counters.created.Add(1)
	return r, r.LocalAddr(), nil
}

// AllocateConn refuses relayed TCP (RFC 6062): media nodes are reached by UDP.
func (o *session) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errRefused
}

// silent discards the library's log: it holds addresses and user names.
type silent struct{}

func (silent) NewLogger(string) logging.LeveledLogger { return silent{} }
func (silent) Trace(string)                           {}
func (silent) Tracef(string, ...any)                  {}
func (silent) Debug(string)                           {}
func (silent) Debugf(string, ...any)                  {}
func (silent) Info(string)                            {}
func (silent) Infof(string, ...any)                   {}
func (silent) Warn(string)                            {}
func (silent) Warnf(string, ...any)                   {}
func (silent) Error(string)                           {}
func (silent) Errorf(string, ...any)                  {}
