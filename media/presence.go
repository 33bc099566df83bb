package media

import "time"

// presence: who is there, who is lost, and therefore who is muted.

func (r *room) tick(now time.Time) {
	for _, p := range r.peers {
		r.checkPresence(p, now)
	}
	for _, p := range r.peers {
		if p.state == stateLost && now.Sub(p.lostAt) >= r.node.cfg.Grace {
			r.timeOut(p)
			return
		}
	}
	r.ticks++
	if r.ticks%ticksSlow == 0 {
		r.adapt(now)
	}
}

// checkPresence compares what is heard of a peer with its state: its socket
// and, once its media has been connected, its packets.
func (r *room) checkPresence(p *member, now time.Time) {
	var silent time.Duration
	if !p.socketLostAt.IsZero() {
		silent = now.Sub(p.socketLostAt)
	}
	if l := p.link.Load(); l != nil {
		silent = max(silent, l.silentFor(now))
	}
	switch {
	case p.state != stateLost && silent >= r.node.cfg.MuteAfter:
		p.state, p.lostAt = stateLost, now
		r.report(func(to Reports) { to.Lost(r.id, p.join.Participant, now) })
	case p.state == stateLost && p.socketLostAt.IsZero() && silent < r.node.cfg.MuteAfter:
		p.state = r.presentState(p)
		r.report(func(to Reports) { to.Resumed(r.id, p.join.Participant, now) })
	default:
		return
	}
	r.others(p, p.message(p.state))
	r.refreshMuting()
}

func (r *room) presentState(p *member) string {
	if l := p.link.Load(); l != nil && l.connected.Load() {
		return stateLive
	}
	return stateJoined
}

// timeOut is the end of the grace.
func (r *room) timeOut(p *member) {
	if p.essential() {
		r.end(ReasonTimeout)
		return
	}
	r.others(p, p.message(stateLeft))
	r.remove(p, ReasonTimeout)
	r.afterRemoval(ReasonTimeout)
}

func (r *room) linkConnected(l *link) {
	p := l.peer
	if p.gone.Load() || p.link.Load() != l {
		return
	}
	now := r.node.cfg.Now()
	if p.state == stateJoined {
		p.state = stateLive
		r.others(p, p.message(stateLive))
	}
	r.checkPresence(p, now)
	for _, s := range l.allSlots() {
		s.start(now)
	}
}

func (r *room) setState(p *member, mic, camera bool) {
	if p.gone.Load() {
		return
	}
	p.micOff, p.cameraOff = !mic, !camera
	r.others(p, p.message(p.state))
	r.refreshMuting()
}

// refreshMuting brings every publication in line: nothing is forwarded or
// recorded while someone essential is lost, nor from a lost peer, nor from a
// source that its owner has switched off.
func (r *room) refreshMuting() {
	r.muted = false
	for _, p := range r.peers {
		if p.state == stateLost && p.essential() {
			r.muted = true
		}
	}
	now := r.node.cfg.Now()
	for _, p := range r.peers {
		for _, pub := range p.publications() {
			r.block(pub, r.muted || p.state == stateLost || !p.enabled(pub.source), now)
		}
		r.tellMuting(p)
	}
}

func (p *member) enabled(source string) bool {
	return !(source == SourceMic && p.micOff) && !(source == SourceCamera && p.cameraOff)
}

func (r *room) block(pub *publication, blocked bool, now time.Time) {
	if pub.blocked.Swap(blocked) == blocked {
		return
	}
	if blocked {
		if tap := pub.tap.Load(); tap != nil {
			tap.missed.Store(true)
		}
		return
	}
	pub.restartSlots()
	pub.askKeyframe(now)
}

func (r *room) tellMuting(p *member) {
	reason := ""
	switch {
	case p.state == stateLost:
		reason = "self-lost"
	case r.muted:
		reason = "peer-lost"
	}
	if reason == p.muted {
		return
	}
	p.muted = reason
	if reason == "" {
		p.tell(Message{Type: TypeUnmuted})
		return
	}
	p.tell(Message{Type: TypeMuted, Reason: reason, GraceMillis: r.node.cfg.Grace.Milliseconds()})
}

func (r *room) streamStarted(p *publication, at time.Time) {
	room, participant, stream, kind := r.id, p.peer.join.Participant, p.id, p.source
	r.report(func(to Reports) { to.StreamStarted(room, participant, stream, kind, at) })
}
