package rtc

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/media"
)

const (
	helloWithin    = 5 * time.Second
	queueLength    = 128
	writeWithin    = 5 * time.Second
	pingEvery      = 5 * time.Second
	pongWithin     = 5 * time.Second
	silentFor      = 10 * time.Second // the page pings every 1.5 s; one that stopped is not there, even if its browser is
	messagesPerSec = 60               // trickled candidates come in bursts, nothing else is frequent
	messageBurst   = 240              //
	renewEvery     = 5 * time.Second

	policySFU       = "sfu"
	policyRelayOnly = "relay-only"
)

// connection is one socket, from its handshake to its end.
type connection struct {
	server *Server
	socket *websocket.Conn
	from   identity.Caller
	log    *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	out    chan frame
	heard  atomic.Int64 // when the last message came, Unix nanoseconds
	budget *rate.Limiter
	renews *rate.Limiter

	grant Grant
	peer  *media.Peer
}

func newConnection(s *Server, socket *websocket.Conn, from identity.Caller) *connection {
	c := &connection{
		server: s, socket: socket, from: from, log: s.config.Log,
		out:    make(chan frame, queueLength),
		budget: rate.NewLimiter(messagesPerSec, messageBurst),
		renews: rate.NewLimiter(rate.Every(renewEvery), 2),
	}
	c.heard.Store(s.config.Now().UnixNano())
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	socket.SetReadLimit(media.MaxMessage)
	return c
}

func (c *connection) run() {
	writer, pinger := make(chan struct{}), make(chan struct{})
	go c.write(writer)
	go c.keepAlive(pinger)
	defer func() {
		<-writer
		c.cancel()
		<-pinger
		_ = c.socket.CloseNow() // closed already in every orderly case
	}()
	if err := c.enter(); err != nil {
		c.refuse(err)
		return
	}
	c.log.Info("signalling connected", "room", c.grant.Room, "participant", c.grant.Participant)
	left := c.read()
	if left {
		c.peer.Leave(media.ReasonHangUp)
		c.queue(frame{after: websocket.StatusNormalClosure})
	} else {
		c.peer.Lost()
	}
	c.log.Info("signalling disconnected", "room", c.grant.Room, "participant", c.grant.Participant, "clean", left)
}

// enter turns the first message into a place in the room.
func (c *connection) enter() error {
	hello, err := c.hello()
	if err != nil {
		return err
	}
	if c.grant, err = c.server.config.Access.Redeem(c.ctx, c.from, hello.Token); err != nil {
		return told(err)
	}
	c.server.config.Entering(c.grant, c.from.IP)
	if hello.Resume != "" {
		return c.resume(hello.Resume)
	}
	c.peer, err = c.server.config.Node.Join(c.ctx, media.Join{
		Room: c.grant.Room, Participant: c.grant.Participant, Role: c.grant.Role, Host: c.grant.Host,
		Publish: true, Subscribe: true, Send: c.send,
		ICEServers: c.server.config.ICE(c.grant.Participant), Policy: c.policy(),
	})
	if err != nil {
		c.log.Warn("a participant could not join", "room", c.grant.Room, "cause", err)
		return &Refusal{CodeRoomRefused, "the room does not take you"}
	}
	return nil
}

// resume takes the participant's place again. The secret must be of the same participant as the token.
func (c *connection) resume(secret string) error {
	peer, err := c.server.config.Node.Resume(c.ctx, media.Resume{
		Room: c.grant.Room, Participant: c.grant.Participant, Secret: secret, Send: c.send,
		ICEServers: c.server.config.ICE(c.grant.Participant), Policy: c.policy(),
	})
	if err != nil {
		return &Refusal{CodeResumeRefused, "the call did not wait any longer"}
	}
	c.peer = peer
	return nil
}

func (c *connection) hello() (media.Message, error) {
	late := &Refusal{CodeHelloExpected, "hello with a room token must be the first message"}
	// Not a deadline of Read: that would cut the line before the client hears why.
	timer := time.AfterFunc(helloWithin, func() { c.refuse(late) })
	defer timer.Stop()
	kind, data, err := c.socket.Read(c.ctx)
	if err != nil || kind != websocket.MessageText {
		return media.Message{}, late
	}
	message, err := media.Parse(data)
	if err != nil || message.Type != media.TypeHello {
		return media.Message{}, late
	}
	return message, nil
}

// read handles messages until the socket ends, and reports whether the participant said bye.
func (c *connection) read() (left bool) {
	for {
		kind, data, err := c.socket.Read(c.ctx)
		if err != nil {
			c.cancel()
			return false
		}
		c.heard.Store(c.server.config.Now().UnixNano())
		if !c.budget.AllowN(c.server.config.Now(), 1) {
			c.finish(errorMessage(CodeTooMany, "too many messages"), CloseTooMany)
			return false
		}
		if kind != websocket.MessageText {
			c.send(parseError(media.ErrNotJSON))
			continue
		}
		message, err := media.Parse(data)
		if err != nil {
			c.log.Debug("a signalling message was refused", "room", c.grant.Room, "bytes", len(data))
			c.send(parseError(err))
			continue
		}
		c.log.Debug("signalling message", "room", c.grant.Room, "type", message.Type, "bytes", len(data))
		if message.Type == media.TypeBye {
			return true
		}
		c.handle(message)
	}
}

func (c *connection) handle(message media.Message) {
	switch message.Type {
	case media.TypePing:
		c.send(media.Message{Type: media.TypePong, ID: message.ID})
	case media.TypeRenew:
		c.renew()
	case media.TypeHello:
		c.send(errorMessage(CodeBadMessage, "hello was said already"))
	default:
		c.room(message)
	}
}

// room passes a message to the call.
func (c *connection) room(message media.Message) {
	err := c.peer.Handle(message)
	if err == nil {
		return
	}
	c.log.Debug("the room refused a message", "room", c.grant.Room, "type", message.Type)
	var told *media.SignalError
	if errors.As(err, &told) {
		c.send(errorMessage(told.Code, told.Text))
		return
	}
	c.send(errorMessage(CodeBadMessage, message.Type+" was not accepted"))
}

func (c *connection) renew() {
	if !c.renews.AllowN(c.server.config.Now(), 1) {
		c.send(errorMessage(CodeRenewRefused, "a token was issued a moment ago"))
		return
	}
	token, expires, err := c.server.config.Access.Renew(c.ctx, c.grant)
	if err != nil {
		c.log.Warn("a room token could not be renewed", "room", c.grant.Room, "cause", err)
		c.send(errorMessage(CodeRenewRefused, "no new token: ask the page for one"))
		return
	}
	c.send(media.Message{Type: media.TypeToken, Token: token, Expires: expires.UTC().Format(time.RFC3339)})
}

func (c *connection) policy() string {
	if c.grant.RelayOnly {
		return policyRelayOnly
	}
	return policySFU
}
