package media

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/televisit/televisit/media/packet"
)

const (
	maxSections = 32
	kindAudio   = "audio"
	kindVideo   = "video"
)

var errBadOffer = errors.New("offer is not usable session description")

// payloadType is what one RTP payload type of a link means.
type payloadType struct {
	codec  packet.Codec
	mime   string
	clock  uint32
	repair bool
	apt    uint8 // of a repair stream: the payload type it repairs
}

// section is one media section of an offer.
type section struct {
	mid, kind string
	sends     bool // the client sends on it
	receives  bool
}

// mediaTable is what offer and answer agreed on, read-only once made.
type mediaTable struct {
	sections []section
	mids     map[uint32]string // declared media SSRC -> mid
	repairs  map[uint32]string // declared repair SSRC -> mid
	types    [128]payloadType
	ids      struct{ mid, transportCC, absSendTime uint8 }
}

func parseSDP(text string) (*sdp.SessionDescription, error) {
	description := &sdp.SessionDescription{}
	if err := description.UnmarshalString(text); err != nil {
		return nil, errBadOffer
	}
	if len(description.MediaDescriptions) == 0 || len(description.MediaDescriptions) > maxSections {
		return nil, errBadOffer
	}
	return description, nil
}

// fingerprintOf returns the DTLS fingerprint; a new one is a new browser.
func fingerprintOf(description *sdp.SessionDescription) (string, error) {
	if value, ok := description.Attribute("fingerprint"); ok {
		return value, nil
	}
	for _, m := range description.MediaDescriptions {
		if value, ok := m.Attribute("fingerprint"); ok {
			return value, nil
		}
	}
	return "", errBadOffer
}

func newMediaTable(offer, answer *sdp.SessionDescription) *mediaTable {
	t := &mediaTable{mids: map[uint32]string{}, repairs: map[uint32]string{}}
	for i, m := range offer.MediaDescriptions {
		kind := m.MediaName.Media
		mid, ok := m.Attribute("mid")
		if !ok || (kind != kindAudio && kind != kindVideo) || i >= len(answer.MediaDescriptions) {
			continue
		}
		reply := answer.MediaDescriptions[i]
		if reply.MediaName.Port.Value == 0 {
			continue
		}
		t.sections = append(t.sections, section{
			mid: mid, kind: kind,
			sends:    hasDirection(m, sdp.AttrKeySendRecv, sdp.AttrKeySendOnly),
			receives: hasDirection(m, sdp.AttrKeySendRecv, sdp.AttrKeyRecvOnly),
		})
		t.readSSRCs(m, mid)
		t.readTypes(reply)
		t.readExtensions(reply)
	}
	return t
}

func hasDirection(m *sdp.MediaDescription, directions ...string) bool {
	explicit := false
	for _, a := range m.Attributes {
		for _, d := range directions {
			if a.Key == d {
				return true
			}
		}
		switch a.Key {
		case sdp.AttrKeySendRecv, sdp.AttrKeySendOnly, sdp.AttrKeyRecvOnly, sdp.AttrKeyInactive:
			explicit = true
		}
	}
	return !explicit // RFC 8866 section 6.7: sendrecv unless said otherwise
}

func (t *mediaTable) readSSRCs(m *sdp.MediaDescription, mid string) {
	for _, a := range m.Attributes {
		if a.Key != "ssrc-group" {
			continue
		}
		fields := strings.Fields(a.Value)
		if len(fields) == 3 && fields[0] == sdp.SemanticTokenFlowIdentification {
			if ssrc, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
				t.repairs[uint32(ssrc)] = mid
			}
		}
	}
	for _, a := range m.Attributes {
		if a.Key != "ssrc" {
			continue
		}
		first, _, _ := strings.Cut(a.Value, " ")
		ssrc, err := strconv.ParseUint(first, 10, 32)
		if err != nil {
			continue
		}
		if _, repair := t.repairs[uint32(ssrc)]; !repair {
			t.mids[uint32(ssrc)] = mid
		}
	}
}

func (t *mediaTable) readTypes(m *sdp.MediaDescription) {
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		number, rest, ok := strings.Cut(a.Value, " ")
		pt, err := strconv.ParseUint(number, 10, 7)
		if !ok || err != nil {
			continue
		}
		parts := strings.Split(rest, "/")
		if len(parts) < 2 {
			continue
		}
		clock, err := strconv.ParseUint(parts[1], 10, 32)
		if err != nil || clock == 0 {
			continue
		}
		mime := m.MediaName.Media + "/" + parts[0]
		t.types[pt] = payloadType{
			codec: packet.CodecOf(mime), mime: mime, clock: uint32(clock),
			repair: strings.EqualFold(parts[0], "rtx"),
		}
	}
	for _, a := range m.Attributes {
		if a.Key != "fmtp" {
			continue
		}
		number, rest, _ := strings.Cut(a.Value, " ")
		pt, err := strconv.ParseUint(number, 10, 7)
		if err != nil || !t.types[pt].repair {
			continue
		}
		for _, parameter := range strings.Split(rest, ";") {
			if value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "apt="); ok {
				if apt, err := strconv.ParseUint(value, 10, 7); err == nil {
					t.types[pt].apt = uint8(apt)
				}
			}
		}
	}
}

func (t *mediaTable) readExtensions(m *sdp.MediaDescription) {
	for _, a := range m.Attributes {
		if a.Key != "extmap" {
			continue
		}
		fields := strings.Fields(a.Value)
		if len(fields) < 2 {
			continue
		}
		number, _, _ := strings.Cut(fields[0], "/")
		id, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			continue
		}
		switch fields[1] {
		case uriMid:
			t.ids.mid = uint8(id)
		case uriTransportCC:
			t.ids.transportCC = uint8(id)
		case uriAbsSendTime:
			t.ids.absSendTime = uint8(id)
		}
	}
}

// sending returns the payload type, and that of its repairs, under which a
// codec is sent to this client; zero if it cannot receive it.
func (t *mediaTable) sending(codec packet.Codec) (pt, repair uint8) {
	for i, candidate := range t.types {
		if candidate.codec == codec && codec != packet.CodecOther {
			pt = uint8(i)
			break
		}
	}
	if pt == 0 {
		return 0, 0
	}
	for i, candidate := range t.types {
		if candidate.repair && candidate.apt == pt {
			return pt, uint8(i)
		}
	}
	return pt, 0
}
