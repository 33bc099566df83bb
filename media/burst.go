package media

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// A video frame is a burst of packets of one size to one client. The kernel
// takes such a burst in one call and cuts it up below the routing and
// filtering layers (UDP segmentation offload, Linux 4.18), which is most of
// what a packet costs. Packets wait no longer than the goroutine that sends
// them has more: the flusher runs as soon as that one blocks.
const (
	burstBytes   = 16 << 10
	burstPackets = 32
	aloneBytes   = 400 // audio: no burst will follow
)

// burst is the packets of one flow that are about to leave.
type burst struct {
	flusher *flusher

	mu      sync.Mutex
	data    *[]byte // nil while empty
	used    int
	segment int // size of all packets but the last
	count   int
	to      netip.AddrPort
	queued  bool // the flusher knows
}

// add takes a packet; false: send it yourself.
func (b *burst) add(packet []byte, to netip.AddrPort) bool {
	if !b.flusher.enabled.Load() || len(packet) > burstBytes {
		return false
	}
	b.mu.Lock()
	if b.count > 0 && !b.fits(packet, to) {
		b.flush()
	}
	last := packet[1]&0x80 != 0 // the marker: its frame is complete
	if b.count == 0 && (last || len(packet) < aloneBytes) {
		b.mu.Unlock()
		return false
	}
	if b.count == 0 {
		b.data, _ = b.flusher.pool.Get().(*[]byte)
		b.segment, b.to = len(packet), to
	}
	b.used += copy((*b.data)[b.used:], packet)
	b.count++
	if last || len(packet) < b.segment {
		b.flush()
		b.mu.Unlock()
		return true
	}
	wake := !b.queued
	b.queued = true
	b.mu.Unlock()
	if wake {
		b.flusher.enqueue(b)
	}
	return true
}

func (b *burst) fits(packet []byte, to netip.AddrPort) bool {
	return b.count < burstPackets && len(packet) <= b.segment &&
		b.used+len(packet) <= burstBytes && to == b.to
}

// flush sends what is there. The lock is held.
func (b *burst) flush() {
	if b.count == 0 {
		return
	}
	b.flusher.send((*b.data)[:b.used], b.segment, b.to)
	b.flusher.pool.Put(b.data)
	b.data, b.used, b.count = nil, 0, 0
}

// flusher sends bursts whose goroutine has nothing more to add.
type flusher struct {
	socket  *net.UDPConn
	enabled atomic.Bool // the kernel can segment
	pool    sync.Pool

	mu     sync.Mutex
	wake   sync.Cond
	queue  []*burst
	closed bool
	done   chan struct{}
}

func startFlusher(socket *net.UDPConn) *flusher {
	f := &flusher{socket: socket, done: make(chan struct{})}
	f.wake.L = &f.mu
	f.pool.New = func() any { b := make([]byte, burstBytes); return &b }
	f.enabled.Store(canSegment(socket))
	go f.run()
	return f
}

func (f *flusher) enqueue(b *burst) {
	f.mu.Lock()
	f.queue = append(f.queue, b)
	f.mu.Unlock()
	f.wake.Signal()
}

func (f *flusher) run() {
	defer close(f.done)
	var batch []*burst
	for {
		f.mu.Lock()
		for len(f.queue) == 0 && !f.closed {
			f.wake.Wait()
		}
		batch, f.queue = f.queue, batch[:0]
		f.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for i, b := range batch {
			b.mu.Lock()
			b.queued = false
			b.flush()
			b.mu.Unlock()
			batch[i] = nil
		}
	}
}

// send writes packets of size segment, the last perhaps shorter. When the
// path turns out not to take segments, they are sent one by one from then on.
func (f *flusher) send(data []byte, segment int, to netip.AddrPort) {
	if len(data) <= segment {
		_, _ = f.socket.WriteToUDPAddrPort(data, to)
		return
	}
	if f.enabled.Load() {
		if err := sendSegments(f.socket, data, segment, to); err == nil || !segmentRefused(err) {
			return
		}
		f.enabled.Store(false)
	}
	for len(data) > 0 {
		n := min(segment, len(data))
		_, _ = f.socket.WriteToUDPAddrPort(data[:n], to)
		data = data[n:]
	}
}

func (f *flusher) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wake.Signal()
	<-f.done
}
