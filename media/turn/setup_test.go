package turn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	pion "github.com/pion/turn/v3"
	"github.com/televisit/televisit/media/turn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

const secret = "a secret of the test, long enough"

// clock is the injected time.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// peers is the list of allowed addresses.
type peers struct {
	mu  sync.Mutex
	all map[netip.AddrPort]bool
}

func (p *peers) add(a netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[netip.AddrPort]bool{}
	}
	p.all[a] = true
}

func (p *peers) allowed(a netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for peer := range p.all {
		if peer == a || a.Port() == 0 && peer.Addr() == a.Addr() {
			return true
		}
	}
	return false
}

func certificate(t *testing.T, notAfter time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "turn.test"}, DNSNames: []string{"turn.test"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

type fixture struct {
	*turn.Server
	clock *clock
	peers *peers
}

func setUp(t *testing.T, change func(*turn.Config)) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{}, peers: &peers{}}
	c := turn.Config{
		UDPAddr: "127.0.0.1:0", TCPAddr: "127.0.0.1:0", TLSAddr: "127.0.0.1:0",
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(t, time.Now().Add(time.Hour))}},
		RelayIP:   loopback, AllowedPeers: f.peers.allowed, Secret: []byte(secret), Realm: "televisit.test",
		Now: f.clock.now, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	var err error
	if f.Server, err = turn.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// startEcho is a peer that answers every datagram with the same.
func startEcho(t *testing.T) (netip.AddrPort, *atomic.Int64) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	received, done := &atomic.Int64{}, make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			received.Add(1)
			_, _ = conn.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), received
}

// client is a TURN client of the library, over any transport.
type client struct {
	*pion.Client
	conn net.PacketConn
}

func dial(t *testing.T, transport string, f *fixture) net.PacketConn {
	t.Helper()
	var conn net.Conn
	var err error
	switch transport {
	case "udp":
		udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return udp
	case "tcp":
		conn, err = net.Dial("tcp", f.TCPAddr().String())
	case "tls":
		conn, err = tls.Dial("tcp", f.TLSAddr().String(), &tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return pion.NewSTUNConn(conn)
}

func (f *fixture) addr(transport string) netip.AddrPort {
	return map[string]netip.AddrPort{"udp": f.UDPAddr(), "tcp": f.TCPAddr(), "tls": f.TLSAddr()}[transport]
}

func newClient(t *testing.T, f *fixture, transport, username, password string) *client {
	t.Helper()
	conn := dial(t, transport, f)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	c, err := pion.NewClient(&pion.ClientConfig{
		TURNServerAddr: f.addr(transport).String(), STUNServerAddr: f.addr(transport).String(), Conn: conn,
		Username: username, Password: password, Realm: "televisit.test", LoggerFactory: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		conn.Close()
	})
	return &client{Client: c, conn: conn}
}

func (c *client) allocate(t *testing.T) net.PacketConn {
	t.Helper()
	relayed, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relayed.Close() })
	return relayed
}

// exchange sends to the peer and waits for the echo.
func exchange(t *testing.T, relayed net.PacketConn, peer netip.AddrPort, text string) error {
	t.Helper()
	if _, err := relayed.WriteTo([]byte(text), net.UDPAddrFromAddrPort(peer)); err != nil {
		return err
	}
	if err := relayed.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	n, from, err := relayed.ReadFrom(buffer)
	if err == nil && (string(buffer[:n]) != text || from.String() != peer.String()) {
		t.Errorf("got %q from %v", buffer[:n], from)
	}
	return err
}

func eachTransport(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) { test(t, transport) })
	}
}

func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
