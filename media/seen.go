package media

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// seenConn notes the time of every arrival from one peer.
type seenConn struct {
	net.PacketConn
	seen *atomic.Int64
	now  func() time.Time
}

func (c *seenConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.PacketConn.ReadFrom(b)
	if err == nil {
		c.seen.Store(c.now().UnixNano())
	}
	return n, addr, err
}

// seenFastConn is seenConn over a connection that reads and writes without
// allocating addresses.
type seenFastConn struct {
	seenConn
	fast ice.AddrPortReaderWriter
}

func (c *seenFastConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, addr, err := c.fast.ReadFromAddrPort(b)
	if err == nil {
		c.seen.Store(c.now().UnixNano())
	}
	return n, addr, err
}

func (c *seenFastConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return c.fast.WriteToAddrPort(b, addr)
}
