package media

import (
	"crypto/subtle"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/media/packet"
)

const (
	mailboxSize = 256
	tick        = 250 * time.Millisecond
	ticksSlow   = 8 // bandwidth, round trips and quality every two seconds
)

// room is one call: one goroutine that owns its peers. Others send it
// functions; do waits for the answer.
type room struct {
	id      uuid.UUID
	node    *Node
	mailbox chan func()
	done    chan struct{}

	peers    []*member // by order of joining
	ended    bool
	muted    bool
	reason   string
	recorder *recorder
	ticks    int
}

func newRoom(n *Node, id uuid.UUID) *room {
	return &room{id: id, node: n, mailbox: make(chan func(), mailboxSize), done: make(chan struct{})}
}

func (r *room) run() {
	defer close(r.done)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !r.ended {
		select {
		case act := <-r.mailbox:
			act()
		case <-ticker.C:
			r.tick(r.node.cfg.Now())
		}
	}
	r.node.forget(r)
}

// post hands act to the room, or drops it if the room is over.
func (r *room) post(act func()) {
	select {
	case r.mailbox <- act:
	case <-r.done:
	}
}

// do runs act in the room and waits; false if the room is over. Never call it
// from the room itself.
func (r *room) do(act func()) bool {
	finished := make(chan struct{})
	r.post(func() { act(); close(finished) })
	select {
	case <-finished:
		return true
	case <-r.done:
		select {
		case <-finished:
			return true
		default:
			return false
		}
	}
}

func (r *room) report(report func(Reports)) { r.node.reporter.add(report) }

func (r *room) others(p *member, m Message) {
	for _, other := range r.peers {
		if other != p {
			other.tell(m)
		}
	}
}

func (r *room) join(j Join) *member {
	if r.ended {
		return nil
	}
	now := r.node.cfg.Now()
	for _, old := range r.peers {
		if old.join.Participant == j.Participant {
			r.remove(old, ReasonReplaced)
			break
		}
	}
	p := &member{node: r.node, room: r, join: j, state: stateJoined}
	p.sink.Store(&j.Send)
	p.newSecret()
	r.peers = append(r.peers, p)
	r.report(func(to Reports) { to.Joined(r.id, j.Participant, now) })
	r.welcome(p, j.ICEServers, j.Policy)
	r.others(p, p.message(stateJoined))
	r.refreshMuting()
	return p
}

func (r *room) welcome(p *member, servers []ICEServer, policy string) {
	m := Message{
		Type: TypeWelcome, Peer: p.participantID(), Room: r.id.String(), ICEServers: servers, Policy: policy,
		Resume: p.secret, GraceMillis: r.node.cfg.Grace.Milliseconds(), MuteAfter: r.node.cfg.MuteAfter.Milliseconds(),
	}
	for _, other := range r.peers {
		if other != p {
			m.Peers = append(m.Peers, other.info())
		}
	}
	p.tell(m)
	if r.recorder != nil {
		p.tell(Message{Type: TypeRecording, State: "running"})
	}
}

func (r *room) resume(resume Resume) *member {
	for _, p := range r.peers {
		if p.join.Participant != resume.Participant ||
			subtle.ConstantTimeCompare([]byte(p.secret), []byte(resume.Secret)) != 1 {
			continue
		}
		if p.socketLostAt.IsZero() {
			p.tell(Message{Type: TypeEnded, Reason: ReasonReplaced})
		}
		p.sink.Store(&resume.Send)
		p.socket.Add(1)
		p.socketLostAt = time.Time{}
		p.newSecret()
		p.slotsTold, p.wantTold, p.muted, p.level = nil, [2]int{}, "", 0
		r.welcome(p, resume.ICEServers, resume.Policy)
		r.checkPresence(p, r.node.cfg.Now())
		r.tellMuting(p)
		r.allocate()
		return p
	}
	return nil
}

// leave is a clean departure.
func (r *room) leave(p *member, reason string) {
	if p.gone.Load() {
		return
	}
	if !p.essential() {
		r.others(p, p.message(stateLeft))
		r.remove(p, reason)
		r.afterRemoval(reason)
		return
	}
	told := ReasonPeerLeft
	if p.join.Host {
		told = ReasonEndedByHost
	}
	r.remove(p, reason)
	r.finish(reason, told)
}

// end is the end for everyone, from outside or by time.
func (r *room) end(reason string) { r.finish(reason, reason) }

func (r *room) finish(reason, told string) {
	if r.ended {
		return
	}
	for len(r.peers) > 0 {
		r.remove(r.peers[0], told)
	}
	r.reason = reason
	r.over()
}

// remove takes a peer out, tells it, and reports it.
func (r *room) remove(p *member, reason string) {
	for i, have := range r.peers {
		if have == p {
			r.peers = append(r.peers[:i:i], r.peers[i+1:]...)
			break
		}
	}
	p.gone.Store(true)
	p.tell(Message{Type: TypeEnded, Reason: reason})
	now := r.node.cfg.Now()
	r.report(func(to Reports) { to.Left(r.id, p.join.Participant, reason, now) })
	if l := p.link.Swap(nil); l != nil {
		r.dropLink(l)
	}
}

func (r *room) afterRemoval(reason string) {
	r.reason = reason
	if len(r.peers) == 0 {
		r.over()
		return
	}
	r.refreshMuting()
	r.allocate()
}

func (r *room) over() {
	if r.ended {
		return
	}
	r.ended = true
	r.stopRecording()
	now, reason := r.node.cfg.Now(), r.reason
	r.report(func(to Reports) { to.Empty(r.id, reason, now) })
}

// dropLink ends a link's publications and slots and closes it.
func (r *room) dropLink(l *link) {
	for _, p := range *l.pubs.Load() {
		r.dropPublication(p)
	}
	for _, s := range l.allSlots() {
		s.assign(nil, r.node.cfg.Now())
	}
	r.node.closeLater(l.close)
}

func (r *room) dropPublication(p *publication) {
	p.blocked.Store(true)
	for _, s := range *p.slots.Load() {
		s.assign(nil, r.node.cfg.Now())
	}
	if r.recorder != nil {
		r.recorder.detach(p)
	}
}

func (r *room) record(tap packet.Tap) error {
	if r.recorder != nil {
		return ErrRecording
	}
	r.recorder = startRecorder(tap, &r.node.totals)
	for _, p := range r.peers {
		for _, pub := range p.publications() {
			r.recorder.attach(pub, r.node.cfg.Now())
		}
		p.tell(Message{Type: TypeRecording, State: "running"})
	}
	return nil
}

func (r *room) stopRecording() *recorder {
	stopped := r.recorder
	if stopped == nil {
		return nil
	}
	r.recorder = nil
	for _, p := range r.peers {
		for _, pub := range p.publications() {
			stopped.detach(pub)
		}
		p.tell(Message{Type: TypeRecording, State: "stopped"})
	}
	r.node.closeLater(stopped.close)
	return stopped
}

func (r *room) count(s *Stats) {
	s.Rooms++
	s.Peers += len(r.peers)
	if r.recorder != nil {
		s.RecordingRooms++
	}
	for _, p := range r.peers {
		s.Publications += len(p.publications())
		if p.state == stateLost {
			s.LostPeers++
		}
	}
}
