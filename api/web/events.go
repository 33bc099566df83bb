package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/identity"
)

// Notifications is the database's own: audit.DB.
type Notifications interface {
	Listen(ctx context.Context, channel string, heard func(payload string))
}

// heartbeat is how often a stream says that it lives, and how soon it notices that its session is over.
const heartbeat = 20 * time.Second

// Events tells open pages which visits changed: ids, nothing of what changed.
type Events struct {
	source Notifications
	stop   context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	open map[*listener]struct{}
}

// listener is one page. Its mailbox holds a few changes; when it is full a page that asks again has missed nothing,
// because each change makes it read everything anew.
type listener struct {
	org, visit uuid.UUID // visit is set for patients and guests
	mail       chan uuid.UUID
}

// NewEvents starts listening; Close ends it.
func NewEvents(source Notifications) *Events {
	ctx, stop := context.WithCancel(context.Background())
	e := &Events{source: source, stop: stop, done: make(chan struct{}), open: map[*listener]struct{}{}}
	go func() {
		defer close(e.done)
		source.Listen(ctx, "visit", e.heard)
	}()
	return e
}

// Close stops listening and ends every stream.
func (e *Events) Close() {
	e.stop()
	<-e.done
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.open {
		close(l.mail)
		delete(e.open, l)
	}
}

// Register implements api.Registrar.
func (e *Events) Register(r api.Routes) {
	r.HandleRoute(api.Route{Method: http.MethodGet, Path: "/events", Action: identity.EventsFollow, Answers: api.JSON, Stream: true}, e.follow)
}

// heard passes "<organisation>:<visit>" on; "" means that something may have been missed, which is told as a change of
// no visit in particular.
func (e *Events) heard(payload string) {
	org, visit := uuid.Nil, uuid.Nil
	if payload != "" {
		orgText, visitText, _ := strings.Cut(payload, ":")
		var err error
		if org, err = uuid.Parse(orgText); err != nil {
			return
		}
		if visit, err = uuid.Parse(visitText); err != nil {
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.open {
		if org != uuid.Nil && (l.org != org || l.visit != uuid.Nil && l.visit != visit) {
			continue
		}
		select {
		case l.mail <- visit:
		default:
		}
	}
}

func (e *Events) join(p identity.Principal) *listener {
	l := &listener{org: p.Org, visit: p.Visit, mail: make(chan uuid.UUID, 8)}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open[l] = struct{}{}
	return l
}

func (e *Events) leave(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.open, l)
}

// follow is a stream of server-sent events: "visit" with the id of each visit that changed.
func (e *Events) follow(c *gin.Context) {
	l := e.join(api.PrincipalOf(c))
	defer e.leave(l)
	c.Header("Content-Type", "text/event-stream")
	c.Header("X-Accel-Buffering", "no")
	c.Status(http.StatusOK)
	say := func(format string, args ...any) bool {
		_, err := fmt.Fprintf(c.Writer, format, args...)
		c.Writer.Flush()
		return err == nil
	}
	if !say("retry: 2000\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-c.Request.Context().Done():
			return
		case visit, ok := <-l.mail:
			if !ok || !say("event: visit\ndata: %s\n\n", visit) {
				return
			}
		case <-beat.C:
			if !api.StillSignedIn(c) || !say(": here\n\n") {
				return
			}
		}
	}
}
