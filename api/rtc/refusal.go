package rtc

import (
	"errors"

	"github.com/coder/websocket"

	"github.com/televisit/televisit/media"
)

// Codes of the error message.
const (
	CodeHelloExpected = "hello-expected" // the first message was not hello, or did not come in time
	CodeTokenExpired  = "token-expired"
	CodeTokenUsed     = "token-used"
	CodeTokenForeign  = "token-foreign" // not one of ours, or damaged
	CodeResumeRefused = "resume-refused"
	CodeRoomRefused   = "room-refused"
	CodeUnknownType   = "unknown-type"
	CodeBadMessage    = "bad-message"
	CodeTooMany       = "too-many-messages"
	CodeRenewRefused  = "renew-refused"
	CodeUnavailable   = "unavailable" // a part of the server did not answer; trying again is right
)

// Close codes of the socket beyond those of RFC 6455.
const (
	CloseBadMessage  = websocket.StatusCode(4400)
	CloseUnauthentic = websocket.StatusCode(4401)
	CloseRefused     = websocket.StatusCode(4403)
	CloseHelloLate   = websocket.StatusCode(4408)
	CloseTooMany     = websocket.StatusCode(4429)
	CloseUnavailable = websocket.StatusCode(4503)
)

// Refusal is an error that the client is told by its code. Text is safe to show.
type Refusal struct {
	Code, Text string
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Text }

// Refusals of a room token, for implementations of Access.
var (
	ErrTokenExpired = &Refusal{CodeTokenExpired, "the room token has expired"}
	ErrTokenUsed    = &Refusal{CodeTokenUsed, "the room token was used before"}
	ErrTokenForeign = &Refusal{CodeTokenForeign, "this is no room token of this server"}
)

// refusalOf gives what to tell the client of an error, and how to close.
func refusalOf(err error) (media.Message, websocket.StatusCode) {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return errorMessage(CodeUnavailable, "try again"), CloseUnavailable
	}
	code := CloseRefused
	switch refusal.Code {
	case CodeTokenExpired, CodeTokenUsed, CodeTokenForeign:
		code = CloseUnauthentic
	case CodeHelloExpected:
		code = CloseHelloLate
	case CodeBadMessage, CodeUnknownType:
		code = CloseBadMessage
	}
	return errorMessage(refusal.Code, refusal.Text), code
}

func errorMessage(code, text string) media.Message {
	return media.Message{Type: media.TypeError, Code: code, Text: text}
}

// parseError is the answer to a message that media.Parse refused; its texts name types and fields, never values.
func parseError(err error) media.Message {
	if errors.Is(err, media.ErrUnknownType) {
		return errorMessage(CodeUnknownType, err.Error())
	}
	return errorMessage(CodeBadMessage, err.Error())
}
