package media

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// States of a peer as told to the others.
const (
	stateJoined = "joined"
	stateLive   = "live"
	stateLost   = "lost"
	stateLeft   = "left"
)

// SignalError is a refusal whose text may be sent to the client.
type SignalError struct{ Code, Text string }

func (e *SignalError) Error() string { return e.Code + ": " + e.Text }

// Errors of Handle that are not a SignalError.
var (
	ErrPeerGone   = errors.New("media: the participant is no longer in the room")
	ErrNotHandled = errors.New("media: this message is for the socket's owner")
)

// Peer is one participant's place in a room, as held by one socket. When the
// participant resumes on a new socket, that one gets its own Peer and what
// the older one still says is ignored. Its methods may be called from any
// goroutine, but not from within Join.Send.
type Peer struct {
	member *member
	socket uint64
}

// member is the participant behind its Peers.
type member struct {
	node *Node
	room *room
	join Join

	sink   atomic.Pointer[func(Message) bool]
	socket atomic.Uint64 // the newest
	link   atomic.Pointer[link]
	gone   atomic.Bool
	negMu  sync.Mutex // one negotiation at a time

	// The room's goroutine owns what follows.
	secret       string
	state        string
	socketLostAt time.Time // zero while the socket is there
	lostAt       time.Time
	micOff       bool
	cameraOff    bool
	muted        string // the reason last told, "" when not muted
	slotsTold    []Slot
	wantTold     [2]int
	level        int
}

// Participant is the id under which the other participants know this one.
func (p *Peer) Participant() string { return p.member.participantID() }

// Handle acts on one message of the participant's client. hello and renew are
// the socket owner's: they give ErrNotHandled. A *SignalError leaves all as it
// was; ErrPeerGone means that the socket has no business here any more.
func (p *Peer) Handle(m Message) error {
	if !p.current() {
		return ErrPeerGone
	}
	return p.member.handle(m)
}

// Lost says that the participant's socket dropped without a bye. The place in
// the room stays; Resume gives it a new socket.
func (p *Peer) Lost() {
	p.member.room.post(func() {
		if p.current() && p.member.socketLostAt.IsZero() {
			p.member.socketLostAt = p.member.node.cfg.Now()
		}
	})
}

// Leave removes the participant for good. If it is the host or the patient,
// the call ends at once for everyone.
func (p *Peer) Leave(reason string) {
	p.member.room.do(func() {
		if p.current() {
			p.member.room.leave(p.member, reason)
		}
	})
}

// current says whether the participant is there and on this socket.
func (p *Peer) current() bool {
	return !p.member.gone.Load() && p.member.socket.Load() == p.socket
}

// participantID is the id on the wire.
func (p *member) participantID() string { return p.join.Participant.String() }

func (p *member) handle(m Message) error {
	if m.Type != TypeHello {
		if err := checkClient(&m); err != nil {
			return &SignalError{Code: "bad-message", Text: err.Error()}
		}
	}
	switch m.Type {
	case TypeOffer:
		return p.negotiate(m)
	case TypeCandidate:
		return p.candidate(m)
	case TypeState:
		p.room.post(func() { p.room.setState(p, *m.Mic, *m.Camera) })
		return nil
	case TypePing:
		p.tell(Message{Type: TypePong, ID: m.ID})
		return nil
	case TypeBye:
		p.room.do(func() { p.room.leave(p, ReasonHangUp) })
		return nil
	case TypeStats:
		return nil
	}
	return ErrNotHandled
}

// tell sends a message to the client. A full or closed sink loses it: the
// socket's owner then drops the socket, and Lost follows.
func (p *member) tell(m Message) {
	if send := p.sink.Load(); send != nil {
		(*send)(m)
	}
}

// essential says whether the call cannot go on without this participant.
func (p *member) essential() bool { return p.join.Host || p.join.Role == RolePatient }

func (p *member) publications() map[string]*publication {
	if l := p.link.Load(); l != nil {
		return *l.pubs.Load()
	}
	return nil
}

// shows reports whether the peer publishes a source and has not muted it.
func (p *member) shows(source string) bool {
	if (source == SourceMic && p.micOff) || (source == SourceCamera && p.cameraOff) {
		return false
	}
	for _, pub := range p.publications() {
		if pub.source == source {
			return true
		}
	}
	return false
}

func (p *member) info() PeerInfo {
	return PeerInfo{
		ID: p.participantID(), Role: p.join.Role, State: p.state,
		Mic: p.shows(SourceMic), Camera: p.shows(SourceCamera),
	}
}

func (p *member) message(state string) Message {
	info := p.info()
	return Message{
		Type: TypePeer, ID: &ID{Text: info.ID}, Role: info.Role, State: state,
		Mic: &info.Mic, Camera: &info.Camera,
	}
}

const secretBytes = 32

// newSecret replaces what Resume must show.
func (p *member) newSecret() {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:]) // never fails, by its contract
	p.secret = base64.RawURLEncoding.EncodeToString(raw[:])
}
