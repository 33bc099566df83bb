package media

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Sources of a track.
const (
	SourceMic    = "mic"
	SourceCamera = "camera"
	SourceScreen = "screen"
)

// Roles known to the room. The host is told apart by Join.Host.
const (
	RoleClinician = "clinician"
	RolePatient   = "patient"
	RoleGuest     = "guest"
)

// Reasons why a participant left or a call ended.
const (
	ReasonHangUp      = "hang-up"
	ReasonPeerLeft    = "peer-left"
	ReasonTimeout     = "timeout"
	ReasonEndedByHost = "ended-by-host"
	ReasonShutdown    = "shutdown"
	ReasonReplaced    = "replaced"
)

// Config of a Node. The zero value of a field means its default.
type Config struct {
	UDPAddr         string        // address of the one UDP port, default "0.0.0.0:0"
	TCPAddr         string        // address for ICE-TCP; "" = none
	AnnounceIPs     []netip.Addr  // public addresses told to clients instead of the local ones
	IncludeLoopback bool          // offer loopback candidates (demo and tests)
	MuteAfter       time.Duration // silence after which everyone is muted, default 3 s
	Grace           time.Duration // how long a lost participant is waited for, default 30 s
	RcvBuf          int           // bytes asked of the kernel for the UDP port, default 8 MiB
	MaxVideoBitrate int           // told to publishers, bits a second, default 2.5 M
	Now             func() time.Time
	Log             *slog.Logger
}

const (
	defaultMuteAfter = 3 * time.Second
	defaultGrace     = 30 * time.Second
	defaultRcvBuf    = 8 << 20
	minRcvBuf        = 4 << 20
	defaultMaxVideo  = 2_500_000
)

func (c Config) withDefaults() (Config, error) {
	if c.UDPAddr == "" {
		c.UDPAddr = "0.0.0.0:0"
	}
	if c.MuteAfter == 0 {
		c.MuteAfter = defaultMuteAfter
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.RcvBuf == 0 {
		c.RcvBuf = defaultRcvBuf
	}
	if c.MaxVideoBitrate == 0 {
		c.MaxVideoBitrate = defaultMaxVideo
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MuteAfter < 0 || c.Grace < 0 || c.RcvBuf < 0 || c.MaxVideoBitrate < 0 {
		return c, errors.New("media: a duration or size in the configuration is negative")
	}
	for _, ip := range c.AnnounceIPs {
		if !ip.IsValid() || ip.IsUnspecified() {
			return c, errors.New("media: an announced address is not usable")
		}
	}
	return c, nil
}

// Join is one participant entering a room.
type Join struct {
	Room        uuid.UUID
	Participant uuid.UUID
	Role        string
	Publish     bool // may send media
	Subscribe   bool // may receive media
	Host        bool // leaving cleanly ends the room
	// ICEServers and Policy are passed on in the welcome message.
	ICEServers []ICEServer
	Policy     string
	// Send hands a message to the participant's socket. It must not block;
	// false means that the sink is full or closed.
	Send func(Message) bool
}

// Reports receives what happens in rooms, in order, from a goroutine of its
// own: a slow receiver delays only later reports, never media.
type Reports interface {
	Joined(room, participant uuid.UUID, at time.Time)
	StreamStarted(room, participant, stream uuid.UUID, kind string, at time.Time)
	Lost(room, participant uuid.UUID, at time.Time)
	Resumed(room, participant uuid.UUID, at time.Time)
	Left(room, participant uuid.UUID, reason string, at time.Time)
	Empty(room uuid.UUID, reason string, at time.Time)
}

// Stats are totals of a Node since it started, for metrics. No ids.
type Stats struct {
	Rooms, Peers, LostPeers, Publications int
	PacketsIn, BytesIn                    uint64
	PacketsOut, BytesOut                  uint64
	PacketsDropped                        uint64 // not sent: muted, waiting for a key frame, no room in the transport
	NacksSent, NacksAnswered, NacksMissed uint64
	KeyframesAsked, KeyframesReplayed     uint64
	ReceiveBuffer                         int // bytes the kernel gave the UDP port
	RecordingRooms, RecordingDropped      uint64
}
