package media

import (
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media/packet"
)

// link is one PeerConnection of a peer. A client that starts over (a new DTLS
// fingerprint) gets a new link; its peer, secret and place in the room stay.
type link struct {
	node        *Node
	peer        *member
	pc          *webrtc.PeerConnection
	api         *webrtc.API
	fingerprint string
	ssrc        uint32 // ours, as sender of RTCP

	heard     atomic.Uint64 // datagrams that arrived, of any kind
	connected atomic.Bool
	rtt       atomic.Int64 // nanoseconds, by ICE
	table     atomic.Pointer[mediaTable]
	pubs      atomic.Pointer[map[string]*publication] // by mid
	feedback  feedback                                // SRTP goroutine only
	down      downlink

	heardBefore uint64 // the room's goroutine owns this and the next
	heardAt     time.Time

	mu     sync.Mutex
	slots  []*slot // all slots of this link, by order of mid
	bySSRC atomic.Pointer[map[uint32]*slot]
}

func (n *Node) newLink(p *member, fingerprint string) (*link, error) {
	l := &link{node: n, peer: p, fingerprint: fingerprint, ssrc: rand.Uint32()}
	l.feedback.init(l)
	l.pubs.Store(&map[string]*publication{})
	l.bySSRC.Store(&map[uint32]*slot{})
	pc, api, err := n.newPeerConnection(l)
	if err != nil {
		return nil, err
	}
	l.pc, l.api = pc, api
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			l.connected.Store(true)
			p.room.post(func() { p.room.linkConnected(l) })
		}
	})
	return l, nil
}

// close stops the PeerConnection and waits for its goroutines. Never call it
// from one of them, nor from the room.
func (l *link) close() { _ = l.pc.GracefulClose() }

func (l *link) send(packets ...rtcp.Packet) {
	if l.connected.Load() {
		_ = l.pc.WriteRTCP(packets)
	}
}

// silentFor is how long nothing has arrived, once the link was connected. The
// room calls it at each tick; so it knows the time to a tick, and the path of
// a packet needs no clock for it.
func (l *link) silentFor(now time.Time) time.Duration {
	if !l.connected.Load() {
		return 0
	}
	if heard := l.heard.Load(); heard != l.heardBefore || l.heardAt.IsZero() {
		l.heardBefore, l.heardAt = heard, now
	}
	return now.Sub(l.heardAt)
}

// rtpSink is the end of pion's receiving side for one SSRC. Write is called
// on the link's SRTP goroutine with a decrypted packet, valid for the call.
type rtpSink struct {
	link   *link
	ssrc   uint32
	table  *mediaTable // the one that pub was found by
	pub    *publication
	repair bool
}

func (s *rtpSink) Write(raw []byte) (int, error) {
	s.link.receive(s, raw)
	return len(raw), nil
}

// Read ends at once: packets are handled in Write, nobody waits for them.
func (s *rtpSink) Read([]byte) (int, error) { return 0, io.EOF }
func (s *rtpSink) Close() error             { return nil }

func (l *link) receive(s *rtpSink, raw []byte) {
	h, err := packet.ParseHeader(raw)
	if err != nil {
		return
	}
	table := l.table.Load()
	if table == nil {
		return
	}
	now := l.node.cfg.Now()
	l.node.totals.packetsIn.Add(1)
	l.node.totals.bytesIn.Add(uint64(len(raw)))
	if ext := h.Extension(raw, table.ids.transportCC); len(ext) == 2 {
		l.feedback.record(h.SSRC, uint16(ext[0])<<8|uint16(ext[1]), now)
	}
	if s.table != table || s.pub == nil {
		l.resolve(s, table, &h, raw)
	}
	if s.pub != nil && (!s.repair || unwrapRepair(table, s.pub.ssrc, &raw, &h)) {
		s.pub.receive(table, raw, &h, now)
	}
	l.feedback.maybeSend(now)
}

// resolve finds the publication of an SSRC: as declared in the offer, else by
// the mid that the packet carries.
func (l *link) resolve(s *rtpSink, table *mediaTable, h *packet.Header, raw []byte) {
	s.table, s.pub = table, nil
	s.repair = table.types[h.PayloadType].repair
	mid, ok := table.mids[s.ssrc]
	if !ok {
		mid, ok = table.repairs[s.ssrc]
	}
	if !ok {
		mid = string(h.Extension(raw, table.ids.mid))
	}
	s.pub = (*l.pubs.Load())[mid]
}

// unwrapRepair turns a packet of the repair stream back into the one it
// repeats (RFC 4588 section 4), in place. False: padding only.
func unwrapRepair(table *mediaTable, ssrc uint32, raw *[]byte, h *packet.Header) bool {
	b := *raw
	if h.PayloadEnd-h.PayloadStart < 2 || ssrc == 0 {
		return false
	}
	original := [2]byte{b[h.PayloadStart], b[h.PayloadStart+1]}
	end := h.PayloadEnd
	copy(b[2:], b[:h.PayloadStart])
	b = b[2:end]
	b[0] &^= 0x20 // padding is cut off
	b[1] = b[1]&0x80 | table.types[h.PayloadType].apt
	b[2], b[3] = original[0], original[1]
	b[8], b[9], b[10], b[11] = byte(ssrc>>24), byte(ssrc>>16), byte(ssrc>>8), byte(ssrc)
	parsed, err := packet.ParseHeader(b)
	if err != nil {
		return false
	}
	*raw, *h = b, parsed
	return true
}
