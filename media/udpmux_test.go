package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pion/stun/v4"
)

func newTestMux(t *testing.T) *udpMux {
	t.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := startUDPMux(socket, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func newTestPeer(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err = growReceiveBuffer(conn, minRcvBuf); err != nil {
		t.Fatal(err)
	}
	return conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func shareOf(t *testing.T, m *udpMux, fragment string) *flowShare {
	t.Helper()
	s, err := m.share(fragment, m.addresses[0], new(atomic.Uint64))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func binding(t *testing.T, name string) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(name))
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

// media makes a packet that looks like SRTP.
func mediaPacket(size int, marker bool, fill byte) []byte {
	p := bytes.Repeat([]byte{fill}, size)
	p[0], p[1] = 0x80, 96
	if marker {
		p[1] |= 0x80
	}
	return p
}

func TestMuxFindsTheFlow(t *testing.T) {
	m := newTestMux(t)
	a, b := shareOf(t, m, "alpha"), shareOf(t, m, "beta")
	peer, address := newTestPeer(t)
	node := m.addresses[0].(*net.UDPAddr)
	buffer := make([]byte, 1600)
	receive := func(s *flowShare) []byte {
		t.Helper()
		n, from, err := s.ReadFromAddrPort(buffer)
		if err != nil || from != address {
			t.Fatalf("from %v: %v", from, err)
		}
		return buffer[:n]
	}
	write := func(p []byte) {
		t.Helper()
		if _, err := peer.WriteToUDP(p, node); err != nil {
			t.Fatal(err)
		}
	}
	write(mediaPacket(100, false, 1)) // nobody's: the address is unknown
	request := binding(t, "beta:remote")
	write(request)
	if !bytes.Equal(receive(b), request) {
		t.Fatal("the request did not come by its name")
	}
	if _, err := b.WriteToAddrPort([]byte{1}, address); err != nil {
		t.Fatal(err)
	}
	write(mediaPacket(100, false, 2))
	if !bytes.Equal(receive(b), mediaPacket(100, false, 2)) {
		t.Fatal("media did not follow the address that was answered")
	}
	renamed := binding(t, "alpha:remote")
	write(renamed)
	if !bytes.Equal(receive(a), renamed) {
		t.Fatal("after an ICE restart the name counts, not the address")
	}
	if got := b.heard.Load(); got != 2 {
		t.Errorf("heard %d, want 2", got)
	}
}

func TestMuxEndsReads(t *testing.T) {
	m := newTestMux(t)
	first, second := shareOf(t, m, "x"), shareOf(t, m, "x")
	ended := make(chan error, 2)
	for _, s := range []*flowShare{first, second} {
		go func() {
			_, _, err := s.ReadFrom(make([]byte, 10))
			ended <- err
		}()
	}
	_ = first.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("closed share reads %v", err)
	}
	if _, err := first.WriteTo([]byte{1}, m.addresses[0]); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("closed share writes %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("closed mux reads %v", err)
	}
	if _, err := m.share("y", m.socket.LocalAddr(), new(atomic.Uint64)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("closed mux shares: %v", err)
	}
	if len(m.byAddr) != 0 {
		t.Errorf("%d addresses are left", len(m.byAddr))
	}
}

func TestFlowQueueIsBounded(t *testing.T) {
	f := newFlow(newTestMux(t), flowKey{"x", false}, new(atomic.Uint64))
	for i := range flowQueue + 10 {
		if took := f.push(&datagram{size: 1}); took != (i < flowQueue) {
			t.Fatalf("datagram %d taken: %v", i, took)
		}
	}
}

// Whatever the sizes and marks, every packet arrives once, whole and in order.
func TestBurstsArriveAsTheyWere(t *testing.T) {
	for name, segmented := range map[string]bool{"segmented by the kernel": true, "one by one": false} {
		t.Run(name, func(t *testing.T) {
			m := newTestMux(t)
			if segmented && !m.flusher.enabled.Load() {
				t.Fatal("this kernel does not segment")
			}
			m.flusher.enabled.Store(segmented)
			s := shareOf(t, m, "x")
			peer, address := newTestPeer(t)
			var sent [][]byte
			for frame := range 20 {
				for i, size := range []int{1000, 1000, 1000, 1000 + frame%2*7, 1000 - frame*10} {
					sent = append(sent, mediaPacket(size, i == 4 && frame%3 > 0, byte(frame*5+i)))
				}
				if frame%4 == 0 {
					sent = append(sent, mediaPacket(80, false, byte(frame)))
				}
			}
			received := make(chan []byte, len(sent))
			go func() {
				for range sent {
					buffer := make([]byte, 1600)
					n, err := peer.Read(buffer)
					if err != nil {
						return
					}
					received <- buffer[:n]
				}
			}()
			for _, p := range sent {
				if n, err := s.WriteToAddrPort(p, address); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			want := map[string]int{}
			for _, p := range sent {
				want[fmt.Sprintf("%d/%d", len(p), p[20])]++
			}
			for range sent {
				p := <-received
				want[fmt.Sprintf("%d/%d", len(p), p[20])]--
			}
			for which, n := range want {
				if n != 0 {
					t.Errorf("packet %s: %d missing", which, n)
				}
			}
		})
	}
}

func TestSegmentRefused(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EIO: true, syscall.EINVAL: true, syscall.EPERM: false, syscall.ENOBUFS: false, net.ErrClosed: false,
	} {
		if got := segmentRefused(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestRequestFragment(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"request":      {binding(t, "local:remote"), "local"},
		"without mark": {binding(t, "local"), "local"},
		"nothing":      {nil, ""},
		"media":        {mediaPacket(100, false, 0), ""},
		"cut":          {binding(t, "local:remote")[:24], ""},
		"no name":      {stun.MustBuild(stun.BindingRequest, stun.TransactionID).Raw, ""},
	} {
		if got := requestFragment(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzRequestFragment(f *testing.F) {
	f.Add(stun.MustBuild(stun.BindingRequest, stun.TransactionID, stun.NewUsername("a:b")).Raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		requestFragment(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
	})
}
