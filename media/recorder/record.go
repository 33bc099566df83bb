package recorder

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/packet"
)

// The log of a track is a sequence of records: a kind, a time (Unix nanoseconds of the server) and a body.
type recordKind byte

const (
	kindInfo   recordKind = iota + 1 // length, JSON of trackHeader; first in each segment
	kindRTP                          // length, packet
	kindReport                       // NTP time (8 bytes), RTP time (4 bytes)
	kindGap                          // reason (1 byte)
)

// gapReason says why packets are missing.
type gapReason byte

const (
	gapReported gapReason = iota + 1 // the room said so: muted, or it fell behind
	gapQueue                         // the recorder's queue was full
	gapDisk                          // the spool could not be written
)

func (g gapReason) String() string {
	switch g {
	case gapReported:
		return "reported"
	case gapQueue:
		return "queue-full"
	case gapDisk:
		return "disk"
	}
	return "unknown"
}

const recordHead = 1 + 8

// trackHeader makes each segment readable by itself, so that nothing but the segments is needed to rebuild a recording.
type trackHeader struct {
	Stream      uuid.UUID `json:"stream"`
	Participant uuid.UUID `json:"participant"`
	Kind        string    `json:"kind"`
	Source      string    `json:"source"`
	MimeType    string    `json:"mimeType"`
	ClockRate   uint32    `json:"clockRate"`
	SSRC        uint32    `json:"ssrc"`
}

func headerOf(info packet.TrackInfo) trackHeader {
	return trackHeader{
		Stream: info.ID, Participant: info.Participant, Kind: info.Kind, Source: info.Source,
		MimeType: info.MimeType, ClockRate: info.ClockRate, SSRC: info.SSRC,
	}
}

// record is one decoded record; only the fields of its kind are set.
type record struct {
	kind   recordKind
	at     time.Time
	header trackHeader
	rtp    []byte // aliases the decoded chunk
	ntp    uint64
	rtpTS  uint32
	gap    gapReason
}

func appendHead(b []byte, kind recordKind, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(kind)), uint64(at.UnixNano()))
}

func appendRTP(b, raw []byte, at time.Time) []byte {
	b = binary.BigEndian.AppendUint32(appendHead(b, kindRTP, at), uint32(len(raw)))
	return append(b, raw...)
}

func appendReport(b []byte, ntp uint64, rtp uint32, at time.Time) []byte {
	b = binary.BigEndian.AppendUint64(appendHead(b, kindReport, at), ntp)
	return binary.BigEndian.AppendUint32(b, rtp)
}

func appendGap(b []byte, reason gapReason, at time.Time) []byte {
	return append(appendHead(b, kindGap, at), byte(reason))
}

func appendInfo(b []byte, header trackHeader, at time.Time) ([]byte, error) {
	body, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("recorder: track header: %w", err)
	}
	b = binary.BigEndian.AppendUint32(appendHead(b, kindInfo, at), uint32(len(body)))
	return append(b, body...), nil
}

// eachRecord decodes a chunk. Chunks are authenticated, so a malformed one is a fault of this package, not of a stranger.
func eachRecord(chunk []byte, visit func(record) error) error {
	for len(chunk) > 0 {
		r, rest, err := nextRecord(chunk)
		if err != nil {
			return err
		}
		if err := visit(r); err != nil {
			return err
		}
		chunk = rest
	}
	return nil
}

func nextRecord(b []byte) (record, []byte, error) {
	if len(b) < recordHead {
		return record{}, nil, ErrUnreadable
	}
	r := record{kind: recordKind(b[0]), at: time.Unix(0, int64(binary.BigEndian.Uint64(b[1:])))}
	body := b[recordHead:]
	switch r.kind {
	case kindReport:
		if len(body) < 12 {
			return record{}, nil, ErrUnreadable
		}
		r.ntp, r.rtpTS = binary.BigEndian.Uint64(body), binary.BigEndian.Uint32(body[8:])
		return r, body[12:], nil
	case kindGap:
		if len(body) < 1 {
			return record{}, nil, ErrUnreadable
		}
		r.gap = gapReason(body[0])
		return r, body[1:], nil
	case kindInfo, kindRTP:
		if len(body) < 4 || uint64(len(body)-4) < uint64(binary.BigEndian.Uint32(body)) {
			return record{}, nil, ErrUnreadable
		}
		end := 4 + int(binary.BigEndian.Uint32(body))
		if r.kind == kindRTP {
			r.rtp = body[4:end]
		} else if err := json.Unmarshal(body[4:end], &r.header); err != nil {
			return record{}, nil, ErrUnreadable
		}
		return r, body[end:], nil
	}
	return record{}, nil, ErrUnreadable
}
