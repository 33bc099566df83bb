package media

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// flow is what arrives for, and leaves from, one ICE fragment.
type flow struct {
	mux    *udpMux
	key    flowKey
	heard  *atomic.Uint64
	shares int // the mux's lock holds it
	out    burst

	mu         sync.Mutex
	wake       sync.Cond
	head, tail *datagram
	waiting    int // datagrams in the queue
	ended      bool

	answered atomic.Pointer[[]netip.AddrPort]
}

func newFlow(m *udpMux, key flowKey, heard *atomic.Uint64) *flow {
	f := &flow{mux: m, key: key, heard: heard}
	f.wake.L = &f.mu
	f.out.flusher = m.flusher
	f.answered.Store(&[]netip.AddrPort{})
	return f
}

// push takes a datagram over; false when the flow is full or over.
func (f *flow) push(d *datagram) bool {
	f.heard.Add(1)
	f.mu.Lock()
	if f.ended || f.waiting >= flowQueue {
		f.mu.Unlock()
		return false
	}
	d.next = nil
	if f.tail == nil {
		f.head = d
	} else {
		f.tail.next = d
	}
	f.tail = d
	f.waiting++
	f.mu.Unlock()
	f.wake.Signal()
	return true
}

func (f *flow) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.wake.Broadcast()
}

func (f *flow) write(b []byte, to netip.AddrPort) (int, error) {
	if !slices.Contains(*f.answered.Load(), to) {
		list := append(slices.Clone(*f.answered.Load()), to)
		f.answered.Store(&list)
		f.mux.answered(f, to)
	}
	if isMedia(b) && f.out.add(b, to) {
		return len(b), nil
	}
	return f.mux.socket.WriteToUDPAddrPort(b, to)
}

// isMedia tells RTP from STUN, DTLS and RTCP (RFC 7983, RFC 5761 section 4).
func isMedia(b []byte) bool {
	return len(b) > 12 && b[0]>>6 == 2 && (b[1]&0x7f < 64 || b[1]&0x7f > 95)
}

// flowShare is one candidate's handle on a flow; several local addresses of a
// peer share one. It implements net.PacketConn and ice.AddrPortReaderWriter.
type flowShare struct {
	*flow
	local  *net.UDPAddr
	closed atomic.Bool
}

// ReadFromAddrPort waits for the next datagram.
func (s *flowShare) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	f := s.flow
	f.mu.Lock()
	for f.head == nil && !f.ended && !s.closed.Load() {
		f.wake.Wait()
	}
	if f.ended || s.closed.Load() {
		f.mu.Unlock()
		return 0, netip.AddrPort{}, io.EOF
	}
	d := f.head
	if f.head = d.next; f.head == nil {
		f.tail = nil
	}
	f.waiting--
	f.mu.Unlock()
	n, from := copy(b, d.data[:d.size]), d.from
	f.mux.pool.Put(d)
	return n, from, nil
}

// WriteToAddrPort sends; media may wait for the rest of its burst.
func (s *flowShare) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if s.closed.Load() {
		return 0, io.ErrClosedPipe
	}
	return s.write(b, to)
}

// ReadFrom is ReadFromAddrPort for callers that want a net.Addr.
func (s *flowShare) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo is WriteToAddrPort for callers that have a net.Addr.
func (s *flowShare) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not a UDP address")
	}
	return s.WriteToAddrPort(b, addr.AddrPort())
}

// Close ends reads of this share; the last share's end takes the flow away.
func (s *flowShare) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.mux.release(s.flow)
	s.mu.Lock()
	s.mu.Unlock() //nolint:staticcheck // a reader between its check and its wait must not miss the wake
	s.wake.Broadcast()
	return nil
}

// LocalAddr is the candidate's address.
func (s *flowShare) LocalAddr() net.Addr { return s.local }

// SetDeadline in the past is how ICE ends a read; Close does the same here.
func (s *flowShare) SetDeadline(time.Time) error      { return nil }
func (s *flowShare) SetReadDeadline(time.Time) error  { return nil }
func (s *flowShare) SetWriteDeadline(time.Time) error { return nil }
