package media

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

const tcpWriteBuffer = 256 << 10 // a TCP client that falls further behind loses packets

// ports are the sockets that all peers of a node share.
type ports struct {
	conn       *net.UDPConn
	udp        *ice.UDPMuxDefault
	tcp        *ice.TCPMuxDefault // nil without ICE-TCP
	addresses  []net.Addr         // where clients are told to send
	rcvBuf     int
	pionLogger logging.LoggerFactory
}

func openPorts(c Config) (*ports, error) {
	udpAddr, err := net.ResolveUDPAddr("udp", c.UDPAddr)
	if err != nil {
		return nil, fmt.Errorf("media: UDP address: %w", err)
	}
	conn, err := net.ListenUDP("udp", udpAddr)
	if err != nil {
		return nil, fmt.Errorf("media: UDP port: %w", err)
	}
	p := &ports{conn: conn, pionLogger: pionLoggers{c.Log}}
	p.rcvBuf, err = growReceiveBuffer(conn, c.RcvBuf)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("media: UDP receive buffer: %w", err)
	}
	if p.rcvBuf < minRcvBuf {
		c.Log.Warn("media: small UDP receive buffer, packets may be lost under load; raise net.core.rmem_max",
			"bytes", p.rcvBuf, "wanted", c.RcvBuf)
	}
	_ = conn.SetWriteBuffer(minRcvBuf)
	p.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: p.pionLogger.NewLogger("ice")})
	for _, addr := range p.udp.GetListenAddresses() {
		if udp, ok := addr.(*net.UDPAddr); ok && (c.IncludeLoopback || !udp.IP.IsLoopback()) {
			p.addresses = append(p.addresses, addr)
		}
	}
	if c.TCPAddr == "" {
		return p, nil
	}
	listener, err := net.Listen("tcp", c.TCPAddr)
	if err != nil {
		_ = p.udp.Close()
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

// seenMux gives one peer's ICE agent its share of the UDP port and notes when
// anything arrived from that peer: media, RTCP or STUN.
type seenMux struct {
	*ports
	seen *atomic.Int64
	now  func() time.Time
}

func (m seenMux) Close() error                      { return nil } // the node's, not the peer's
func (m seenMux) GetListenAddresses() []net.Addr    { return m.addresses }
func (m seenMux) RemoveConnByUfrag(fragment string) { m.udp.RemoveConnByUfrag(fragment) }

func (m seenMux) GetConn(fragment string, addr net.Addr) (net.PacketConn, error) {
	local := addr
	if udp, ok := m.conn.LocalAddr().(*net.UDPAddr); ok && !udp.IP.IsUnspecified() {
		local = udp
	}
	conn, err := m.udp.GetConn(fragment, local)
	if err != nil {
		return nil, err
	}
	if fast, ok := conn.(ice.AddrPortReaderWriter); ok {
		return &seenFastConn{seenConn{conn, m.seen, m.now}, fast}, nil
	}
	return &seenConn{conn, m.seen, m.now}, nil
}

// seenTCPMux is seenMux for ICE-TCP.
type seenTCPMux struct {
	*ports
	seen *atomic.Int64
	now  func() time.Time
}

func (m seenTCPMux) Close() error                      { return nil }
func (m seenTCPMux) RemoveConnByUfrag(fragment string) { m.tcp.RemoveConnByUfrag(fragment) }
func (m seenTCPMux) LocalAddr() net.Addr               { return m.tcp.LocalAddr() }

func (m seenTCPMux) GetConnByUfrag(fragment string, isIPv6 bool, local net.IP) (net.PacketConn, error) {
	conn, err := m.tcp.GetConnByUfrag(fragment, isIPv6, local)
	if err != nil {
		return nil, err
	}
	return &seenConn{conn, m.seen, m.now}, nil
}
