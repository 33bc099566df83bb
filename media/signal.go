package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// MaxMessage is the longest signalling message accepted, in bytes.
const MaxMessage = 64 << 10

// ProtocolVersion is the version that hello must name.
const ProtocolVersion = 1

// Message types. PROTOCOL.md documents each with its example.
const (
	TypeHello     = "hello"
	TypeOffer     = "offer"
	TypeCandidate = "candidate"
	TypeState     = "state"
	TypeRenew     = "renew"
	TypeBye       = "bye"
	TypePing      = "ping"
	TypeStats     = "stats"

	TypeWelcome   = "welcome"
	TypeAnswer    = "answer"
	TypeWant      = "want"
	TypeSlots     = "slots"
	TypePeer      = "peer"
	TypeMuted     = "muted"
	TypeUnmuted   = "unmuted"
	TypeRecording = "recording"
	TypeQuality   = "quality"
	TypeToken     = "token"
	TypePong      = "pong"
	TypeEnded     = "ended"
	TypeError     = "error"
)

// Message is one signalling message of either direction. Which fields belong
// to which type is said in PROTOCOL.md; the others stay empty and are left
// out of the JSON.
type Message struct {
	Type string `json:"t"`

	Token   string `json:"token,omitempty"`   // hello, token
	Version int    `json:"v,omitempty"`       // hello
	Resume  string `json:"resume,omitempty"`  // hello, welcome
	Expires string `json:"expires,omitempty"` // token, RFC 3339

	SDP         string  `json:"sdp,omitempty"`           // offer, answer
	Negotiation int     `json:"neg,omitempty"`           // offer, answer
	Tracks      []Track `json:"tracks,omitempty"`        // offer
	Candidate   *string `json:"candidate,omitempty"`     // candidate; empty = no more
	SDPMid      *string `json:"sdpMid,omitempty"`        // candidate
	SDPLine     *uint16 `json:"sdpMLineIndex,omitempty"` // candidate
	Fragment    *string `json:"usernameFragment,omitempty"`

	Mic    *bool `json:"mic,omitempty"`    // state, peer
	Camera *bool `json:"camera,omitempty"` // state, peer
	ID     *ID   `json:"id,omitempty"`     // ping, pong, peer

	RoundTripMillis *float64 `json:"rttMs,omitempty"`   // stats
	LossPercent     *float64 `json:"lossPct,omitempty"` // stats
	Frames          *float64 `json:"frames,omitempty"`  // stats, frames a second shown

	Peer        string      `json:"peer,omitempty"` // welcome, peer, quality
	Room        string      `json:"room,omitempty"` // welcome
	Role        string      `json:"role,omitempty"` // peer
	ICEServers  []ICEServer `json:"iceServers,omitempty"`
	Policy      string      `json:"policy,omitempty"`
	GraceMillis int64       `json:"graceMs,omitempty"`     // welcome, muted
	MuteAfter   int64       `json:"muteAfterMs,omitempty"` // welcome
	Peers       []PeerInfo  `json:"peers,omitempty"`       // welcome
	State       string      `json:"state,omitempty"`       // peer, recording
	Audio       *int        `json:"audio,omitempty"`       // want
	Video       *int        `json:"video,omitempty"`       // want
	Slots       []Slot      `json:"slots,omitempty"`       // slots
	Level       *int        `json:"level,omitempty"`       // quality
	Reason      string      `json:"reason,omitempty"`      // muted, ended
	Code        string      `json:"code,omitempty"`        // error
	Text        string      `json:"message,omitempty"`     // error
}

// ID is the id of a peer message (a participant's UUID) or of ping and pong (a
// number that the client chooses).
type ID struct {
	Text   string
	Number int64
}

// MarshalJSON writes a string if there is one, else the number.
func (id ID) MarshalJSON() ([]byte, error) {
	if id.Text != "" {
		return json.Marshal(id.Text)
	}
	return strconv.AppendInt(nil, id.Number, 10), nil
}

// UnmarshalJSON reads a string or a whole number.
func (id *ID) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &id.Text)
	}
	return json.Unmarshal(data, &id.Number)
}

// Track says what a client sends on one of its media sections.
type Track struct {
	Mid    string `json:"mid"`
	Source string `json:"source"`
}

// Slot says whose media arrives on one of the client's media sections.
type Slot struct {
	Mid    string `json:"mid"`
	Peer   string `json:"peer"`
	Source string `json:"source"`
}

// PeerInfo is a participant as told in welcome.
type PeerInfo struct {
	ID     string `json:"id"`
	Role   string `json:"role"`
	Mic    bool   `json:"mic"`
	Camera bool   `json:"camera"`
	State  string `json:"state"`
}

// ICEServer is a STUN or TURN server for the client.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// MarshalJSON always writes the list of a slots message, also when empty.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	if m.Type != TypeSlots || len(m.Slots) > 0 {
		return json.Marshal(plain(m))
	}
	return json.Marshal(struct {
		Type  string `json:"t"`
		Slots []Slot `json:"slots"`
	}{m.Type, []Slot{}})
}

// Errors of Parse. Their text is safe to send to the client.
var (
	ErrTooLong     = errors.New("message is longer than 64 KiB")
	ErrNotJSON     = errors.New("message is not one JSON object")
	ErrUnknownType = errors.New("unknown message type")
)

// FieldError names a field that is missing or out of range.
type FieldError struct{ Type, Field string }

func (e *FieldError) Error() string { return fmt.Sprintf("%s: bad or missing %q", e.Type, e.Field) }

// Parse reads one message of a client. Unknown fields are ignored; an unknown
// type, a missing field, a wrong JSON type or trailing data is an error.
func Parse(data []byte) (Message, error) { return parse(data, checkClient) }

// ParseServer reads one message of a server, for clients written in Go.
func ParseServer(data []byte) (Message, error) { return parse(data, checkServer) }

func parse(data []byte, check func(*Message) error) (Message, error) {
	if len(data) > MaxMessage {
		return Message{}, ErrTooLong
	}
	if !utf8.Valid(data) {
		return Message{}, ErrNotJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var m Message
	if err := decoder.Decode(&m); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return Message{}, &FieldError{"message", wrong.Field}
		}
		return Message{}, ErrNotJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Message{}, ErrNotJSON
	}
	if err := check(&m); err != nil {
		return Message{}, err
	}
	return m, nil
}

// Limits of what a client may send, besides MaxMessage.
const (
	maxToken     = 8 << 10
	maxTracks    = 16
	maxCandidate = 1024
	maxMid       = 64
)

func checkClient(m *Message) error {
	switch m.Type {
	case TypeHello:
		return firstBad(m.Type,
			field{"token", m.Token != "" && len(m.Token) <= maxToken},
			field{"v", m.Version == ProtocolVersion},
			field{"resume", len(m.Resume) <= 128})
	case TypeOffer:
		return checkOffer(m)
	case TypeCandidate:
		return firstBad(m.Type,
			field{"candidate", m.Candidate != nil && len(*m.Candidate) <= maxCandidate},
			field{"sdpMid", m.SDPMid == nil || len(*m.SDPMid) <= maxMid})
	case TypeState:
		return firstBad(m.Type, field{"mic", m.Mic != nil}, field{"camera", m.Camera != nil})
	case TypePing:
		return firstBad(m.Type, field{"id", m.ID != nil && m.ID.Text == ""})
	case TypeRenew, TypeBye, TypeStats:
		return nil
	}
	return ErrUnknownType
}

func checkOffer(m *Message) error {
	err := firstBad(m.Type,
		field{"sdp", m.SDP != ""},
		field{"neg", m.Negotiation > 0},
		field{"tracks", len(m.Tracks) <= maxTracks})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, track := range m.Tracks {
		known := track.Source == SourceMic || track.Source == SourceCamera || track.Source == SourceScreen
		if track.Mid == "" || len(track.Mid) > maxMid || seen[track.Mid] || !known {
			return &FieldError{m.Type, "tracks"}
		}
		seen[track.Mid] = true
	}
	return nil
}

func checkServer(m *Message) error {
	switch m.Type {
	case TypeWelcome, TypeAnswer, TypeCandidate, TypeWant, TypeSlots, TypePeer, TypeMuted, TypeUnmuted,
		TypeRecording, TypeQuality, TypeToken, TypePong, TypeEnded, TypeError:
		return nil
	}
	return ErrUnknownType
}

type field struct {
	name string
	good bool
}

func firstBad(messageType string, fields ...field) error {
	for _, f := range fields {
		if !f.good {
			return &FieldError{messageType, f.name}
		}
	}
	return nil
}
