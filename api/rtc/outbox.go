package rtc

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/coder/websocket"

	"github.com/televisit/televisit/media"
)

// frame is a message to write, if any, and the code to close with after it, if any.
type frame struct {
	message media.Message
	after   websocket.StatusCode
}

// send queues a message and never blocks. A client that leaves the queue full is cut off; it may resume.
func (c *connection) send(message media.Message) bool {
	f := frame{message: message}
	if message.Type == media.TypeEnded {
		f.after = websocket.StatusNormalClosure
	}
	return c.queue(f)
}

func (c *connection) refuse(err error) {
	message, code := refusalOf(err)
	if code == CloseUnavailable && c.ctx.Err() == nil {
		c.log.Error("signalling could not be set up", "cause", err)
	}
	c.finish(message, code)
}

// finish queues the last message of the connection.
func (c *connection) finish(message media.Message, code websocket.StatusCode) {
	c.queue(frame{message: message, after: code})
}

func (c *connection) queue(f frame) bool {
	if c.ctx.Err() != nil {
		return false
	}
	select {
	case c.out <- f:
		return true
	default:
		c.log.Info("a signalling client did not keep up", "room", c.grant.Room)
		c.cancel()
		return false
	}
}

// write sends what is queued until a closing frame, an error or the connection's end.
func (c *connection) write(done chan<- struct{}) {
	defer close(done)
	defer c.cancel()
	for {
		select {
		case <-c.ctx.Done():
			_ = c.socket.CloseNow()
			return
		case f := <-c.out:
			if f.message.Type != "" && c.writeFrame(f.message) != nil {
				return
			}
			if f.after != 0 {
				_ = c.socket.Close(f.after, f.message.Code)
				return
			}
		}
	}
}

func (c *connection) writeFrame(message media.Message) error {
	data, err := json.Marshal(message)
	if err != nil {
		return errors.New("rtc: a message could not be encoded")
	}
	ctx, cancel := context.WithTimeout(c.ctx, writeWithin)
	defer cancel()
	return c.socket.Write(ctx, websocket.MessageText, data)
}

// keepAlive notices a line that died without a word, and a page that did: its browser would still answer pings.
func (c *connection) keepAlive(done chan<- struct{}) {
	defer close(done)
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(c.ctx, pongWithin)
			err := c.socket.Ping(ctx)
			cancel()
			silent := c.server.config.Now().Sub(time.Unix(0, c.heard.Load()))
			if err != nil || silent > silentFor {
				c.cancel()
				return
			}
		}
	}
}
