package turn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// ErrConfig means that the configuration is unusable; the text says why.
var ErrConfig = errors.New("turn: configuration")

// Config is what a Server needs. Addresses are "host:port"; an empty one means no such listener, port 0 any free port.
type Config struct {
	UDPAddr, TCPAddr, TLSAddr string
	TLSConfig                 *tls.Config // for TLSAddr; at least TLS 1.2 is enforced
	// RelayIP is the IPv4 address that relays are opened on and announced with. Where media nodes run on this host alone,
	// loopback is enough.
	RelayIP netip.Addr
	// AllowedPeers says whether clients may be relayed to an address. It is asked for every datagram: it must be fast. With port 0 it
	// is asked whether any port of the address is allowed.
	AllowedPeers func(netip.AddrPort) bool
	// Secret keys the credentials; at least 16 bytes.
	Secret []byte
	Realm  string

	AllocationsPerCredential int           // default 12: three URLs on up to four network interfaces
	MaxAllocations           int           // default 2000, in all
	MaxConnections           int           // default 4000, TCP and TLS
	MaxLifetime              time.Duration // of an allocation, however often refreshed; default 6 h

	Now func() time.Time // default time.Now
	Log *slog.Logger
}

// Server is a running TURN server.
type Server struct {
	config      Config
	credentials *registry
	counters    counters
	echo        atomic.Pointer[netip.AddrPort] // of a running self-test
	testing     sync.Mutex

	udp       net.PacketConn
	listeners []listener
	work      sync.WaitGroup
	closing   chan struct{}
	closeOnce sync.Once
	slots     chan struct{} // one for each TCP or TLS connection
}

// listener is one stream listener.
type listener struct {
	net.Listener
	tls *tls.Config // nil for TCP
}

// New opens the listeners and serves until [Server.Close].
func New(c Config) (*Server, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	s := &Server{config: c, closing: make(chan struct{}), slots: make(chan struct{}, c.MaxConnections)}
	s.credentials = &registry{secret: c.Secret, now: c.Now, byName: map[string]*credential{}}
	if err := s.listen(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (c *Config) complete() error {
	switch {
	case c.UDPAddr == "" && c.TCPAddr == "" && c.TLSAddr == "":
		return fmt.Errorf("%w: no listener", ErrConfig)
	case c.TLSAddr != "" && c.TLSConfig == nil:
		return fmt.Errorf("%w: a TLS listener needs a certificate", ErrConfig)
	case !c.RelayIP.Unmap().Is4() || c.RelayIP.IsUnspecified():
		return fmt.Errorf("%w: the relay address must be one IPv4 address", ErrConfig)
	case c.AllowedPeers == nil:
		return fmt.Errorf("%w: without a list of peers every address could be reached", ErrConfig)
	case len(c.Secret) < 16:
		return fmt.Errorf("%w: the secret needs at least 16 bytes", ErrConfig)
	case c.Realm == "" || c.Log == nil:
		return fmt.Errorf("%w: realm and log are required", ErrConfig)
	}
	c.RelayIP = c.RelayIP.Unmap()
	setDefault(&c.AllocationsPerCredential, 12)
	setDefault(&c.MaxAllocations, 2000)
	setDefault(&c.MaxConnections, 4000)
	setDefault(&c.MaxLifetime, 6*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (s *Server) listen() error {
	if s.config.UDPAddr != "" {
		conn, err := net.ListenPacket("udp", s.config.UDPAddr)
		if err != nil {
			return fmt.Errorf("turn: listen on UDP: %w", err)
		}
		s.udp = conn
		if err := s.serveUDP(conn); err != nil {
			return err
		}
	}
	streams := []struct {
		addr string
		tls  *tls.Config
	}{{s.config.TCPAddr, nil}, {s.config.TLSAddr, s.config.TLSConfig}}
	for _, stream := range streams {
		if stream.addr == "" {
			continue
		}
		l, err := net.Listen("tcp", stream.addr)
		if err != nil {
			return fmt.Errorf("turn: listen on TCP: %w", err)
		}
		own := listener{Listener: l}
		if stream.tls != nil {
			own.tls = stream.tls.Clone()
			own.tls.MinVersion = max(own.tls.MinVersion, tls.VersionTLS12)
		}
		s.listeners = append(s.listeners, own)
		s.work.Go(func() { s.accept(own) })
	}
	return nil
}

// Credentials makes a user name and a password for the participant, valid for ttl (at most [MaxTTL]). The participant is kept
// here and is not part of either.
func (s *Server) Credentials(participant uuid.UUID, ttl time.Duration) (username, password string) {
	c, password := s.credentials.issue(participant, ttl, false)
	return c.name, password
}

// Revoke ends the participant's credentials and everything relayed with them.
func (s *Server) Revoke(participant uuid.UUID) {
	for _, relay := range s.credentials.revoke(func(c *credential) bool { return c.participant == participant && !c.selfTest }) {
		relay.Close()
	}
}

// UDPAddr, TCPAddr and TLSAddr return where the listeners are; the zero value means there is none.
func (s *Server) UDPAddr() netip.AddrPort {
	if s.udp == nil {
		return netip.AddrPort{}
	}
	return addrPort(s.udp.LocalAddr())
}

// TCPAddr returns the address of the TCP listener.
func (s *Server) TCPAddr() netip.AddrPort { return s.streamAddr(false) }

// TLSAddr returns the address of the TLS listener.
func (s *Server) TLSAddr() netip.AddrPort { return s.streamAddr(true) }

func (s *Server) streamAddr(secure bool) netip.AddrPort {
	for _, l := range s.listeners {
		if (l.tls != nil) == secure {
			return addrPort(l.Addr())
		}
	}
	return netip.AddrPort{}
}

// URLs returns the ICE server URLs (RFC 7065) of all listeners under the host name.
func (s *Server) URLs(host string) []string {
	var urls []string
	for _, l := range []struct {
		scheme, transport string
		addr              netip.AddrPort
	}{{"turn", "udp", s.UDPAddr()}, {"turn", "tcp", s.TCPAddr()}, {"turns", "tcp", s.TLSAddr()}} {
		if l.addr.IsValid() {
			urls = append(urls, fmt.Sprintf("%s:%s?transport=%s", l.scheme, net.JoinHostPort(host, fmt.Sprint(l.addr.Port())), l.transport))
		}
	}
	return urls
}

func addrPort(a net.Addr) netip.AddrPort {
	parsed, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(parsed.Addr().Unmap(), parsed.Port())
}

// Close ends every allocation and connection and returns when all goroutines of the server are gone.
func (s *Server) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		if s.udp != nil {
			err = s.udp.Close()
		}
		for _, l := range s.listeners {
			err = errors.Join(err, l.Close())
		}
		for _, relay := range s.credentials.revoke(func(*credential) bool { return true }) {
			relay.Close()
		}
	})
	s.work.Wait()
	return err
}
