package rtc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/media"
)

// Grant is what a room token allows.
type Grant struct {
	Org, Room, Participant uuid.UUID
	Role                   string
	Host                   bool // leaving ends the call for everyone
	RelayOnly              bool // the visit's media may only travel through the relay
}

// Access checks room tokens and issues the next one.
type Access interface {
	// Redeem uses the token up. A *join.TokenRefused or a *Refusal tells the client why not.
	Redeem(ctx context.Context, from identity.Caller, token string) (Grant, error)
	// Renew issues another token for the same grant.
	Renew(ctx context.Context, grant Grant) (token string, expires time.Time, err error)
}

// Config of a Server. All fields but ICE, Entering and Now are required.
type Config struct {
	Origins []string // the only origins whose pages may connect, such as https://visits.example.org
	Node    *media.Node
	Access  Access
	// ICE gives the STUN and TURN servers for a participant, with credentials made for them.
	ICE func(participant uuid.UUID) []media.ICEServer
	// Entering hears who is about to join and from where, before the room does. It must not block.
	Entering func(grant Grant, address netip.Addr)
	Now      func() time.Time
	Log      *slog.Logger
}

// Server serves the signalling sockets.
type Server struct {
	config Config
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	open   sync.WaitGroup
}

// NewServer checks the configuration.
func NewServer(config Config) (*Server, error) {
	switch {
	case len(config.Origins) == 0:
		return nil, errors.New("rtc: no origin is allowed to connect")
	case config.Node == nil, config.Access == nil, config.Log == nil:
		return nil, errors.New("rtc: the media node, the access and the log are required")
	}
	if config.ICE == nil {
		config.ICE = func(uuid.UUID) []media.ICEServer { return nil }
	}
	if config.Entering == nil {
		config.Entering = func(Grant, netip.Addr) {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &Server{config: config}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Close disconnects everyone and waits until their goroutines have ended. Rooms see them as lost: end the rooms first
// where the calls are to end.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.open.Wait()
}

// Serve is the handler of GET /rtc. It returns when the socket has closed.
func (s *Server) Serve(c *gin.Context) {
	if !slices.Contains(s.config.Origins, c.GetHeader("Origin")) {
		c.AbortWithStatusJSON(http.StatusForbidden, gin.H{"code": "origin", "message": "this page may not connect here"})
		return
	}
	if !s.enter() {
		c.AbortWithStatusJSON(http.StatusServiceUnavailable, gin.H{"code": "shutdown", "message": "the server is stopping"})
		return
	}
	defer s.open.Done()
	address, _ := netip.ParseAddr(c.ClientIP())
	// The origin was compared exactly above; the library's own check is by host pattern.
	socket, err := websocket.Accept(c.Writer, c.Request, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		s.config.Log.Debug("a signalling request was not a WebSocket handshake")
		return
	}
	newConnection(s, socket, identity.Caller{IP: address.Unmap(), RequestID: c.Writer.Header().Get("X-Request-Id")}).run()
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open.Add(1)
	return true
}
