package packet

import (
	"time"

	"github.com/google/uuid"
)

// TrackInfo describes one published track to a Tap.
type TrackInfo struct {
	ID          uuid.UUID // the stream, new for each publication
	Participant uuid.UUID
	Kind        string // "audio" or "video"
	Source      string // "mic", "camera" or "screen"
	MimeType    string
	ClockRate   uint32 // ticks a second of the RTP timestamp
	SSRC        uint32
}

// Tap receives every track of a room while it is being recorded.
type Tap interface {
	// TrackStarted is called once for each track, those already there
	// included. A nil TrackSink means that the track is not wanted.
	TrackStarted(TrackInfo) TrackSink
}

// TrackSink receives one track, in order of arrival, from one goroutine.
// Its methods must return at once; a recorder queues.
type TrackSink interface {
	// WriteRTP hands over one packet as published. raw is valid only during
	// the call.
	WriteRTP(raw []byte, arrival time.Time)
	// SenderReport relates the track's RTP time to the publisher's wall
	// clock (RFC 3550 section 6.4.1; ntp is 32.32 fixed point).
	SenderReport(ntp uint64, rtp uint32, arrival time.Time)
	// Gap says that packets are missing here: the recording fell behind, or
	// the room was muted. A key frame has been asked for.
	Gap()
	Close()
}
