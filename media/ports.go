package media

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

const tcpWriteBuffer = 256 << 10 // a TCP client that falls further behind loses packets

// ports are the sockets that all peers of a node share.
type ports struct {
	udp        *udpMux
	tcp        *ice.TCPMuxDefault // nil without ICE-TCP
	rcvBuf     int
	pionLogger logging.LoggerFactory
}

func openPorts(c Config) (*ports, error) {
	address, err := net.ResolveUDPAddr("udp", c.UDPAddr)
	if err != nil {
		return nil, fmt.Errorf("media: UDP address: %w", err)
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		return nil, fmt.Errorf("media: UDP port: %w", err)
	}
	p := &ports{pionLogger: pionLoggers{c.Log}}
	p.rcvBuf, err = growReceiveBuffer(socket, c.RcvBuf)
	if err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("media: UDP receive buffer: %w", err)
	}
	if p.rcvBuf < minRcvBuf {
		c.Log.Warn("media: small UDP receive buffer, packets may be lost under load; raise net.core.rmem_max",
			"bytes", p.rcvBuf, "wanted", c.RcvBuf)
	}
	_ = socket.SetWriteBuffer(minRcvBuf)
	if p.udp, err = startUDPMux(socket, c.IncludeLoopback); err != nil {
		_ = socket.Close()
		return nil, err
	}
	if c.TCPAddr == "" {
		return p, nil
	}
	listener, err := net.Listen("tcp", c.TCPAddr)
	if err != nil {
		p.close()
		return nil, fmt.Errorf("media: TCP port: %w", err)
	}
	p.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: listener, Logger: p.pionLogger.NewLogger("ice"),
		ReadBufferSize: 8, WriteBufferSize: tcpWriteBuffer,
	})
	return p, nil
}

func (p *ports) close() {
	if p.tcp != nil {
		_ = p.tcp.Close()
	}
	_ = p.udp.Close()
}

// peerUDP gives one peer's ICE agent its share of the UDP port. heard counts
// whatever arrives from that peer: media, RTCP or STUN.
type peerUDP struct {
	*udpMux
	heard *atomic.Uint64
}

func (m peerUDP) Close() error { return nil } // the node's, not the peer's

func (m peerUDP) GetConn(fragment string, addr net.Addr) (net.PacketConn, error) {
	return m.share(fragment, addr, m.heard)
}

// peerTCP is peerUDP for ICE-TCP.
type peerTCP struct {
	mux   *ice.TCPMuxDefault
	heard *atomic.Uint64
}

func (m peerTCP) Close() error                      { return nil }
func (m peerTCP) RemoveConnByUfrag(fragment string) { m.mux.RemoveConnByUfrag(fragment) }
func (m peerTCP) LocalAddr() net.Addr               { return m.mux.LocalAddr() }

func (m peerTCP) GetConnByUfrag(fragment string, isIPv6 bool, local net.IP) (net.PacketConn, error) {
	conn, err := m.mux.GetConnByUfrag(fragment, isIPv6, local)
	if err != nil {
		return nil, err
	}
	return &heardConn{conn, m.heard}, nil
}

type heardConn struct {
	net.PacketConn
	heard *atomic.Uint64
}

func (c *heardConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.PacketConn.ReadFrom(b)
	if err == nil {
		c.heard.Add(1)
	}
	return n, addr, err
}
