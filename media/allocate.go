package media

import (
	"slices"
	"time"
)

// install puts a negotiated link into service: its publications as offered,
// its slots ready for allocate.
func (r *room) install(p *member, l *link, table *mediaTable, tracks []Track) bool {
	if p.gone.Load() {
		return false
	}
	if old := p.link.Load(); old != l {
		p.link.Store(l)
		if old != nil {
			r.dropLink(old)
			p.slotsTold, p.wantTold = nil, [2]int{}
		}
	}
	had := *l.pubs.Load()
	pubs := map[string]*publication{}
	for mid, offered := range offeredSources(p, table, tracks) {
		pub := had[mid]
		if pub == nil || pub.source != offered.source {
			pub = newPublication(l, mid, offered.kind, offered.source)
			if r.recorder != nil {
				r.recorder.attach(pub, r.node.cfg.Now())
			}
		}
		pubs[mid] = pub
	}
	l.pubs.Store(&pubs)
	l.table.Store(table)
	for mid, pub := range had {
		if pubs[mid] != pub {
			r.dropPublication(pub)
		}
	}
	r.refreshMuting()
	r.others(p, p.message(p.state))
	return true
}

type offeredSource struct{ kind, source string }

// offeredSources says what a client publishes: what its tracks list says, and
// for sections not listed, the first audio is the mic, the first video the
// camera, and the rest is screen.
func offeredSources(p *member, table *mediaTable, tracks []Track) map[string]offeredSource {
	offered := map[string]offeredSource{}
	if !p.join.Publish {
		return offered
	}
	taken := map[string]bool{}
	named := map[string]string{}
	for _, t := range tracks {
		named[t.Mid] = t.Source
	}
	for _, s := range table.sections {
		if !s.sends {
			continue
		}
		source := named[s.mid]
		usual := SourceMic
		if s.kind == kindVideo {
			usual = SourceCamera
		}
		if source == "" || (source != SourceScreen && source != usual) {
			source = usual
		}
		if source != SourceScreen && taken[source] {
			source = SourceScreen
		}
		taken[source] = true
		offered[s.mid] = offeredSource{s.kind, source}
	}
	return offered
}

// allocate gives every receiving client's slots their sources, tells it whose
// media is where, and how many slots it lacks. Slots keep their source while
// it lasts.
func (r *room) allocate() {
	now := r.node.cfg.Now()
	for _, p := range r.peers {
		if l := p.link.Load(); l != nil && p.join.Subscribe {
			r.allocateFor(p, l, now)
		}
	}
}

func (r *room) allocateFor(p *member, l *link, now time.Time) {
	slots := l.allSlots()
	var told []Slot
	want := [2]int{}
	for k, kind := range []string{kindAudio, kindVideo} {
		sources := r.sources(p, kind)
		mine := slices.DeleteFunc(slices.Clone(slots), func(s *slot) bool { return s.kind != kind })
		for _, s := range mine {
			if current := s.current(); current != nil && !slices.Contains(sources, current) {
				s.assign(nil, now)
			}
		}
		for _, pub := range sources {
			if s := choose(slots, mine, pub); s != nil {
				s.assign(pub, now)
			}
		}
		for _, s := range mine {
			if pub := s.current(); pub != nil {
				told = append(told, Slot{Mid: s.mid, Peer: pub.peer.participantID(), Source: pub.source})
			}
		}
		want[k] = max(len(sources), len(mine))
		if len(sources) <= len(mine) {
			want[k] = 0
		}
	}
	if !slices.Equal(told, p.slotsTold) {
		p.slotsTold = told
		p.tell(Message{Type: TypeSlots, Slots: told})
	}
	if want != p.wantTold {
		p.wantTold = want
		if want != [2]int{} {
			r.tellWant(p, slots, want)
		}
	}
}

// tellWant says how many audio and video slots the client should have in all.
func (r *room) tellWant(p *member, slots []*slot, want [2]int) {
	have := [2]int{}
	for _, s := range slots {
		if s.video {
			have[1]++
		} else {
			have[0]++
		}
	}
	audio, video := max(want[0], have[0]), max(want[1], have[1])
	p.tell(Message{Type: TypeWant, Audio: &audio, Video: &video})
}

// sources lists what a peer should receive of a kind, in the order of joining.
func (r *room) sources(p *member, kind string) []*publication {
	var list []*publication
	for _, other := range r.peers {
		if other == p {
			continue
		}
		var theirs []*publication
		for _, pub := range other.publications() {
			if pub.kind == kind {
				theirs = append(theirs, pub)
			}
		}
		slices.SortFunc(theirs, func(a, b *publication) int {
			if a.source != b.source && (a.source == SourceScreen) != (b.source == SourceScreen) {
				if a.source == SourceScreen {
					return 1
				}
				return -1
			}
			return compareMids(a.mid, b.mid)
		})
		list = append(list, theirs...)
	}
	return list
}

func compareMids(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// choose returns the free slot for a source, nil if it has one or there is
// none: beside the same peer's other kind if possible, so that both are
// played in sync.
func choose(all, mine []*slot, pub *publication) *slot {
	var free *slot
	for _, s := range mine {
		switch current := s.current(); {
		case current == pub:
			return nil
		case current != nil:
		case pub.source != SourceScreen && beside(all, s, pub.peer):
			free = s
			return free
		case free == nil:
			free = s
		}
	}
	return free
}

func beside(all []*slot, s *slot, peer *member) bool {
	for _, other := range all {
		if other.index != s.index || other.kind == s.kind {
			continue
		}
		if current := other.current(); current != nil && current.peer == peer && current.source != SourceScreen {
			return true
		}
	}
	return false
}

func (s *slot) current() *publication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source
}
