package media

import (
	"time"

	"github.com/televisit/televisit/media/packet"
)

// minLimit is how far a slow subscriber may pull a publisher down; one slower
// than that gets fewer layers or waits, and the others keep their picture.
const minLimit = 300_000

// adapt fits media to what the clients can receive, every two seconds.
func (r *room) adapt(now time.Time) {
	for _, p := range r.peers {
		if l := p.link.Load(); l != nil && l.connected.Load() {
			l.measureRoundTrip()
			l.spend(now)
			r.rate(p, l)
		}
	}
	for _, p := range r.peers {
		for _, pub := range p.publications() {
			pub.limitBySubscribers(now)
		}
	}
}

func (l *link) measureRoundTrip() {
	stats, ok := l.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePairStats()
	if ok {
		l.rtt.Store(int64(stats.CurrentRoundTripTime * float64(time.Second)))
	}
}

// spend divides the client's bandwidth among its video slots.
func (l *link) spend(now time.Time) {
	var videos []*slot
	for _, s := range l.allSlots() {
		if s.video && s.current() != nil {
			videos = append(videos, s)
		}
	}
	estimate := l.down.estimate(now)
	for _, s := range videos {
		s.mu.Lock()
		source, playing := s.source, s.budget
		s.mu.Unlock()
		if source != nil {
			s.setBudget(packet.Choose(estimate/len(videos), int(source.rate.bits.Load()), playing), now)
		}
	}
}

func (s *slot) setBudget(b packet.Budget, now time.Time) {
	s.mu.Lock()
	resumes := b.Video && !s.budget.Video
	if !b.Video && s.budget.Video {
		s.waitKey = true
	}
	s.budget = b
	s.filter.SetTarget(b.Temporal)
	s.mu.Unlock()
	if resumes {
		s.start(now)
	}
}

// limitBySubscribers sets what the publisher is told to send at most.
func (p *publication) limitBySubscribers(now time.Time) {
	limit := 0
	for _, s := range *p.slots.Load() {
		if estimate := s.link.down.estimate(now); estimate > 0 && (limit == 0 || estimate < limit) {
			limit = max(estimate, minLimit)
		}
	}
	highest := p.link.node.cfg.MaxVideoBitrate
	if limit == 0 || limit > highest {
		limit = highest
	}
	p.limit.Store(int64(limit))
}

// rate grades a peer's connection from 0 (unusable) to 5 (as good as it gets)
// by loss both ways and round trip, and tells everyone when it changes.
func (r *room) rate(p *member, l *link) {
	loss, trip := l.down.figures()
	trip = max(trip, time.Duration(l.rtt.Load()))
	for _, pub := range *l.pubs.Load() {
		loss = max(loss, float64(pub.uplinkLoss.Load())/256)
	}
	level := 5
	for _, step := range []struct {
		loss float64
		trip time.Duration
	}{{0.02, 150 * time.Millisecond}, {0.05, 300 * time.Millisecond}, {0.10, 500 * time.Millisecond}, {0.20, time.Second}, {0.40, 2 * time.Second}} {
		if loss > step.loss || trip > step.trip {
			level--
		}
	}
	if level == p.level {
		return
	}
	p.level = level
	for _, other := range r.peers {
		other.tell(Message{Type: TypeQuality, Peer: p.participantID(), Level: &level})
	}
}
