package media

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// gatherLimit bounds what takes a millisecond, even on a starved machine.
const gatherLimit = 10 * time.Second

var errGathering = errors.New("media: gathering candidates took too long")

func badOffer(text string) error { return &SignalError{Code: "bad-offer", Text: text} }

// negotiate answers an offer. The client always offers, so there is no glare;
// an offer with a new DTLS fingerprint begins a new link.
func (p *member) negotiate(m Message) error {
	p.negMu.Lock()
	defer p.negMu.Unlock()
	offer, err := parseSDP(m.SDP)
	if err != nil {
		return badOffer(err.Error())
	}
	fingerprint, err := fingerprintOf(offer)
	if err != nil {
		return badOffer("offer has no fingerprint")
	}
	old := p.link.Load()
	l := old
	if l == nil || l.fingerprint != fingerprint {
		if l, err = p.node.newLink(p, fingerprint); err != nil {
			return err
		}
	}
	answer, table, err := l.answer(m.SDP, offer)
	if err != nil {
		if l != old {
			l.close()
		}
		p.node.cfg.Log.Warn("media: an offer could not be answered", "part", answerPart(err))
		return badOffer("offer could not be answered")
	}
	installed := false
	p.room.do(func() { installed = p.room.install(p, l, table, m.Tracks) })
	if !installed {
		if l != old {
			l.close()
		}
		return ErrPeerGone
	}
	p.tell(Message{Type: TypeAnswer, SDP: answer, Negotiation: m.Negotiation})
	p.room.post(p.room.allocate)
	return nil
}

// answerPart says, without the SDP that pion's errors may quote, what failed.
func answerPart(err error) string {
	if errors.Is(err, errGathering) {
		return "gathering"
	}
	return "negotiation"
}

// answer applies an offer and returns the answer with all candidates in it.
func (l *link) answer(text string, offer *sdp.SessionDescription) (string, *mediaTable, error) {
	err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text})
	if err != nil {
		return "", nil, err
	}
	if err = l.prepareTransceivers(offer); err != nil {
		return "", nil, err
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", nil, err
	}
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err = l.pc.SetLocalDescription(answer); err != nil {
		return "", nil, err
	}
	select {
	case <-gathered:
	case <-time.After(gatherLimit):
		return "", nil, errGathering
	}
	local := l.pc.LocalDescription()
	description, err := parseSDP(local.SDP)
	if err != nil {
		return "", nil, err
	}
	answered, err := withStartRate(description)
	if err != nil {
		return "", nil, err
	}
	return answered, newMediaTable(offer, description), nil
}

// prepareTransceivers gives every section on which the client may receive a
// slot, and puts VP8 first.
func (l *link) prepareTransceivers(offer *sdp.SessionDescription) error {
	receives := map[string]bool{}
	for _, m := range offer.MediaDescriptions {
		if mid, ok := m.Attribute("mid"); ok {
			receives[mid] = hasDirection(m, sdp.AttrKeySendRecv, sdp.AttrKeyRecvOnly)
		}
	}
	for _, t := range l.pc.GetTransceivers() {
		if t.Kind() == webrtc.RTPCodecTypeVideo {
			preferVP8(t)
		}
		if t.Sender() != nil || !receives[t.Mid()] || !l.peer.join.Subscribe {
			continue
		}
		s := l.addSlot(t.Mid(), t.Kind().String())
		sender, err := l.api.NewRTPSender(s, l.pc.SCTP().Transport())
		if err != nil {
			return err
		}
		if err = t.SetSender(sender, s); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) addSlot(mid, kind string) *slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	index := 0
	for _, s := range l.slots {
		if s.kind == kind {
			index++
		}
	}
	s := newSlot(l, mid, kind, index)
	l.slots = append(l.slots, s)
	return s
}

func (l *link) allSlots() []*slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.slots)
}

// preferVP8 orders a section's codecs so that its first, which browsers send,
// is the one that everyone in a room can receive.
func preferVP8(t *webrtc.RTPTransceiver) {
	receiver := t.Receiver()
	if receiver == nil {
		return
	}
	codecs := slices.Clone(receiver.GetParameters().Codecs)
	slices.SortStableFunc(codecs, func(a, b webrtc.RTPCodecParameters) int {
		return codecRank(a) - codecRank(b)
	})
	_ = t.SetCodecPreferences(codecs) // on failure the client's own order stands
}

func codecRank(c webrtc.RTPCodecParameters) int {
	switch {
	case strings.EqualFold(c.MimeType, webrtc.MimeTypeVP8):
		return 0
	case strings.EqualFold(c.MimeType, webrtc.MimeTypeRTX):
		return 2
	}
	return 1
}

func (p *member) candidate(m Message) error {
	l := p.link.Load()
	if l == nil {
		return &SignalError{Code: "no-offer", Text: "candidate before the first offer"}
	}
	init := webrtc.ICECandidateInit{Candidate: *m.Candidate, SDPMid: m.SDPMid, SDPMLineIndex: m.SDPLine, UsernameFragment: m.Fragment}
	if err := l.pc.AddICECandidate(init); err != nil {
		return &SignalError{Code: "bad-candidate", Text: "candidate is not usable"}
	}
	return nil
}
