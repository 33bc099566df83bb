package turn

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/uuid"
	pion "github.com/pion/turn/v3"
)

// SelfTest makes an allocation through each listener as a client would, relays a datagram to an echo of its own and waits for it
// to come back. The error names each listener that failed. Only the test's own credential may reach the echo.
func (s *Server) SelfTest(ctx context.Context) error {
	s.testing.Lock()
	defer s.testing.Unlock()
	echo, err := net.ListenUDP("udp4", &net.UDPAddr{IP: s.config.RelayIP.AsSlice()})
	if err != nil {
		return fmt.Errorf("turn: self-test: %w", err)
	}
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		echoAll(echo)
	}()
	defer func() {
		echo.Close()
		<-echoed
	}()
	peer := addrPort(echo.LocalAddr())
	s.echo.Store(&peer)
	defer s.echo.Store(nil)
	c, password := s.credentials.issue(uuid.Nil, time.Minute, true)
	defer func() {
		for _, relay := range s.credentials.revoke(func(other *credential) bool { return other == c }) {
			relay.Close()
		}
	}()
	return errors.Join(
		s.testListener(ctx, "UDP", s.UDPAddr(), dialUDP, c.name, password, peer),
		s.testListener(ctx, "TCP", s.TCPAddr(), dialTCP, c.name, password, peer),
		s.testListener(ctx, "TLS", s.TLSAddr(), dialTLS, c.name, password, peer),
	)
}

func echoAll(conn *net.UDPConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		_, _ = conn.WriteToUDPAddrPort(buffer[:n], from) // the test sees what is missing
	}
}

type dialer func(ctx context.Context, server netip.AddrPort) (net.PacketConn, error)

func dialUDP(_ context.Context, server netip.AddrPort) (net.PacketConn, error) {
	return net.ListenPacket("udp", netip.AddrPortFrom(server.Addr(), 0).String())
}

func dialTCP(ctx context.Context, server netip.AddrPort) (net.PacketConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	return pion.NewSTUNConn(conn), nil
}

// dialTLS cannot verify the name, which clients know and this server does not; it does verify that the certificate is in force.
func dialTLS(ctx context.Context, server netip.AddrPort) (net.PacketConn, error) {
	d := tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // the peer is this process, see above
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf := state.PeerCertificates[0]
			if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
				return errors.New("the certificate is not in force")
			}
			return nil
		},
	}}
	conn, err := d.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	return pion.NewSTUNConn(conn), nil
}

func (s *Server) testListener(ctx context.Context, name string, server netip.AddrPort, dial dialer, username, password string, peer netip.AddrPort) error {
	if !server.IsValid() {
		return nil
	}
	if server.Addr().IsUnspecified() {
		server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), server.Port())
	}
	conn, err := dial(ctx, server)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		err = s.relayOnce(conn, server, username, password, peer)
		conn.Close()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("turn: self-test over %s: %w", name, err)
	}
	return nil
}

func (s *Server) relayOnce(conn net.PacketConn, server netip.AddrPort, username, password string, peer netip.AddrPort) error {
	client, err := pion.NewClient(&pion.ClientConfig{
		TURNServerAddr: server.String(), STUNServerAddr: server.String(), Conn: conn,
		Username: username, Password: password, Realm: s.config.Realm, LoggerFactory: silent{},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		return err
	}
	relayed, err := client.Allocate()
	if err != nil {
		return err
	}
	defer relayed.Close()
	sent, got := make([]byte, 32), make([]byte, 64)
	if _, err := rand.Read(sent); err != nil {
		return err
	}
	const tries, patience = 3, time.Second // UDP may lose one
	for range tries {
		if _, err := relayed.WriteTo(sent, net.UDPAddrFromAddrPort(peer)); err != nil {
			return err
		}
		if err := relayed.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if n, _, err := relayed.ReadFrom(got); err == nil && bytes.Equal(got[:n], sent) {
			return nil
		}
	}
	return errors.New("the datagram did not come back")
}
