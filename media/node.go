package media

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media/packet"
)

// Errors of a Node.
var (
	ErrClosed    = errors.New("media: the node is closed")
	ErrNoRoom    = errors.New("media: no such room is in progress")
	ErrNoResume  = errors.New("media: nothing to resume")
	ErrBadJoin   = errors.New("media: join is incomplete")
	ErrRecording = errors.New("media: the room is already being recorded")
)

// Node is one media server: its ports and its rooms.
type Node struct {
	cfg         Config
	ports       *ports
	certificate webrtc.Certificate
	reporter    *reporter
	totals      totals
	closing     sync.WaitGroup // links and recorders that are being closed

	mu     sync.Mutex
	rooms  map[uuid.UUID]*room
	closed bool
}

// totals are counted on the forwarding path, each with one atomic addition.
type totals struct {
	packetsIn, bytesIn, packetsOut, bytesOut, packetsDropped atomic.Uint64
	nacksSent, nacksAnswered, nacksMissed                    atomic.Uint64
	keyframesAsked, keyframesReplayed, recordingDropped      atomic.Uint64
}

// NewNode opens the ports. Close releases them.
func NewNode(cfg Config, reports Reports) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("media: key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("media: certificate: %w", err)
	}
	opened, err := openPorts(cfg)
	if err != nil {
		return nil, err
	}
	return &Node{
		cfg: cfg, ports: opened, certificate: *certificate, reporter: startReporter(reports), rooms: map[uuid.UUID]*room{},
	}, nil
}

// Close ends every call with reason "shutdown", waits until all connections
// are closed and all reports delivered, and releases the ports.
func (n *Node) Close() {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	n.closed = true
	rooms := make([]*room, 0, len(n.rooms))
	for _, r := range n.rooms {
		rooms = append(rooms, r)
	}
	n.mu.Unlock()
	for _, r := range rooms {
		r.do(func() { r.end(ReasonShutdown) })
		<-r.done
	}
	n.closing.Wait()
	n.ports.close()
	n.reporter.close()
}

// UDPAddr is the address that the UDP port is bound to.
func (n *Node) UDPAddr() netip.AddrPort {
	addr, _ := n.ports.udp.socket.LocalAddr().(*net.UDPAddr)
	return addr.AddrPort()
}

// Join lets a participant into a room, which begins if it is not there. The
// first message to Send is welcome. A participant who is there already is
// replaced: the older socket gets ended with reason "replaced".
func (n *Node) Join(ctx context.Context, join Join) (*Peer, error) {
	if join.Room == uuid.Nil || join.Participant == uuid.Nil || join.Role == "" || join.Send == nil {
		return nil, ErrBadJoin
	}
	for ctx.Err() == nil {
		r, err := n.roomFor(join.Room)
		if err != nil {
			return nil, err
		}
		var joined *member
		if r.do(func() { joined = r.join(join) }) && joined != nil {
			return &Peer{member: joined}, nil
		}
	}
	return nil, ctx.Err()
}

// Resume is a participant coming back on a new socket.
type Resume struct {
	Room        uuid.UUID
	Participant uuid.UUID // as the new socket's token says
	Secret      string    // of the newest welcome
	ICEServers  []ICEServer
	Policy      string
	Send        func(Message) bool
}

// Resume gives a lost participant its new socket: the same place, the same
// call. The client then offers with an ICE restart.
func (n *Node) Resume(ctx context.Context, resume Resume) (*Peer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := n.existing(resume.Room)
	if r == nil || resume.Send == nil {
		return nil, ErrNoResume
	}
	var peer *Peer
	r.do(func() {
		if back := r.resume(resume); back != nil {
			peer = &Peer{member: back, socket: back.socket.Load()}
		}
	})
	if peer == nil {
		return nil, ErrNoResume
	}
	return peer, nil
}

// EndRoom ends a call for everyone. It is no error if there is none.
func (n *Node) EndRoom(id uuid.UUID, reason string) {
	if r := n.existing(id); r != nil {
		r.do(func() { r.end(reason) })
	}
}

// Record begins handing a room's media to tap, and tells everyone in it.
func (n *Node) Record(id uuid.UUID, tap packet.Tap) error {
	r := n.existing(id)
	if r == nil {
		return ErrNoRoom
	}
	err := ErrNoRoom
	r.do(func() { err = r.record(tap) })
	return err
}

// StopRecording ends it, tells everyone, and returns when the tap has had its
// last packet. It is no error if nothing was being recorded.
func (n *Node) StopRecording(id uuid.UUID) {
	r := n.existing(id)
	if r == nil {
		return
	}
	var stopped *recorder
	r.do(func() { stopped = r.stopRecording() })
	if stopped != nil {
		<-stopped.done
	}
}

func (n *Node) existing(id uuid.UUID) *room {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rooms[id]
}

func (n *Node) roomFor(id uuid.UUID) (*room, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	r := n.rooms[id]
	if r == nil {
		r = newRoom(n, id)
		n.rooms[id] = r
		go r.run()
	}
	return r, nil
}

func (n *Node) forget(r *room) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rooms[r.id] == r {
		delete(n.rooms, r.id)
	}
}

// closeLater closes something that waits for its goroutines.
func (n *Node) closeLater(closeIt func()) {
	n.closing.Add(1)
	go func() {
		defer n.closing.Done()
		closeIt()
	}()
}

// Stats returns the totals and the present numbers. Rooms are asked in turn.
func (n *Node) Stats() Stats {
	n.mu.Lock()
	rooms := make([]*room, 0, len(n.rooms))
	for _, r := range n.rooms {
		rooms = append(rooms, r)
	}
	n.mu.Unlock()
	t := &n.totals
	s := Stats{
		PacketsIn: t.packetsIn.Load(), BytesIn: t.bytesIn.Load(),
		PacketsOut: t.packetsOut.Load(), BytesOut: t.bytesOut.Load(), PacketsDropped: t.packetsDropped.Load(),
		NacksSent: t.nacksSent.Load(), NacksAnswered: t.nacksAnswered.Load(), NacksMissed: t.nacksMissed.Load(),
		KeyframesAsked: t.keyframesAsked.Load(), KeyframesReplayed: t.keyframesReplayed.Load(),
		RecordingDropped: t.recordingDropped.Load(), ReceiveBuffer: n.ports.rcvBuf,
	}
	for _, r := range rooms {
		r.do(func() { r.count(&s) })
	}
	return s
}
