package media

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/stun/v4"
)

// udpMux shares one UDP socket among the ICE agents of all peers, as pion's
// own mux does, but hands datagrams over without a copy, wakes its readers
// without a select, counts what is heard, and sends bursts in one call.
type udpMux struct {
	socket    *net.UDPConn
	addresses []net.Addr // where clients are told to send
	flusher   *flusher
	pool      sync.Pool
	done      chan struct{}

	mu     sync.Mutex
	flows  map[flowKey]*flow
	byAddr map[netip.AddrPort]*flow // by the addresses that a flow has answered
	closed bool
}

type flowKey struct {
	fragment string // the ICE user name fragment that we gave out
	v6       bool
}

const (
	datagramSize = 1600 // more than the Internet carries; longer ones are cut and fail authentication
	flowQueue    = 512  // datagrams of one peer that wait
)

type datagram struct {
	from netip.AddrPort
	size int
	next *datagram
	data [datagramSize]byte
}

func startUDPMux(socket *net.UDPConn, includeLoopback bool) (*udpMux, error) {
	m := &udpMux{
		socket: socket, done: make(chan struct{}),
		flows: map[flowKey]*flow{}, byAddr: map[netip.AddrPort]*flow{},
	}
	m.pool.New = func() any { return new(datagram) }
	var err error
	if m.addresses, err = listenAddresses(socket, includeLoopback); err != nil {
		return nil, err
	}
	m.flusher = startFlusher(socket)
	go m.read()
	return m, nil
}

// listenAddresses are the addresses of this host on which the socket is
// reached.
func listenAddresses(socket *net.UDPConn, includeLoopback bool) ([]net.Addr, error) {
	bound, _ := socket.LocalAddr().(*net.UDPAddr)
	if !bound.IP.IsUnspecified() {
		return []net.Addr{bound}, nil
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("media: network interfaces: %w", err)
	}
	var list []net.Addr
	for _, addr := range interfaces {
		network, ok := addr.(*net.IPNet)
		if !ok || network.IP.IsLinkLocalUnicast() || (network.IP.IsLoopback() && !includeLoopback) {
			continue
		}
		if network.IP.To4() == nil && bound.IP.To4() != nil {
			continue // an IPv4 socket hears no IPv6
		}
		list = append(list, &net.UDPAddr{IP: network.IP, Port: bound.Port})
	}
	return list, nil
}

// read is the one goroutine that reads the socket.
func (m *udpMux) read() {
	defer close(m.done)
	d, _ := m.pool.Get().(*datagram)
	for {
		n, from, err := m.socket.ReadFromUDPAddrPort(d.data[:])
		if err != nil {
			if m.isClosed() {
				return
			}
			continue // an ICMP error of some peer; the socket is fine
		}
		d.size, d.from = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if f := m.flowOf(d); f != nil && f.push(d) {
			d, _ = m.pool.Get().(*datagram)
		}
	}
}

func (m *udpMux) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// flowOf finds whose datagram it is: by the name in a STUN request, else by
// the address that the flow has answered before.
func (m *udpMux) flowOf(d *datagram) *flow {
	fragment := ""
	if d.size > 0 && d.data[0] < 4 {
		fragment = requestFragment(d.data[:d.size])
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if fragment != "" {
		if f := m.flows[flowKey{fragment, d.from.Addr().Is6()}]; f != nil {
			return f
		}
	}
	return m.byAddr[d.from]
}

// requestFragment reads our fragment from the user name of a binding request.
func requestFragment(b []byte) string {
	if !stun.IsMessage(b) {
		return ""
	}
	message := &stun.Message{Raw: bytes.Clone(b)}
	if message.Decode() != nil {
		return ""
	}
	name, err := message.Get(stun.AttrUsername)
	if err != nil {
		return ""
	}
	fragment, _, _ := bytes.Cut(name, []byte(":"))
	return string(fragment)
}

// share gives a candidate its handle on the flow of a fragment.
func (m *udpMux) share(fragment string, addr net.Addr, heard *atomic.Uint64) (*flowShare, error) {
	local, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, net.InvalidAddrError("not a UDP address")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, io.ErrClosedPipe
	}
	key := flowKey{fragment, local.IP.To4() == nil}
	f := m.flows[key]
	if f == nil {
		f = newFlow(m, key, heard)
		m.flows[key] = f
	}
	f.shares++
	return &flowShare{flow: f, local: local}, nil
}

// answered notes that a flow talks to an address.
func (m *udpMux) answered(f *flow, to netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flows[f.key] == f {
		m.byAddr[to] = f
	}
}

// release is a share that closed; the last one takes the flow away.
func (m *udpMux) release(f *flow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.shares--; f.shares > 0 {
		return
	}
	if m.flows[f.key] == f {
		delete(m.flows, f.key)
	}
	for addr, owner := range m.byAddr {
		if owner == f {
			delete(m.byAddr, addr)
		}
	}
}

// GetListenAddresses, RemoveConnByUfrag and Close are ice.UDPMux.
func (m *udpMux) GetListenAddresses() []net.Addr { return m.addresses }

// RemoveConnByUfrag has nothing to do: flows go with their shares.
func (m *udpMux) RemoveConnByUfrag(string) {}

// Close closes the socket and waits for its goroutines.
func (m *udpMux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	flows := m.flows
	m.flows = map[flowKey]*flow{}
	m.mu.Unlock()
	for _, f := range flows {
		f.end()
	}
	m.flusher.close()
	err := m.socket.Close()
	<-m.done
	return err
}
