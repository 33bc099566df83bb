package mediabench

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/media"
)

// hello is the first line of a participant's control connection.
type hello struct {
	Room        uuid.UUID `json:"room"`
	Participant uuid.UUID `json:"participant"`
	Role        string    `json:"role"`
}

// runSFU runs a media node, with signalling by JSON lines over local TCP.
func runSFU(ctx context.Context, tell func(event)) error {
	node, err := media.NewNode(media.Config{UDPAddr: "127.0.0.1:0", IncludeLoopback: true}, noReports{})
	if err != nil {
		return err
	}
	defer node.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	tell(event{Name: eventReady, Address: listener.Addr().String()})
	for {
		conn, err := listener.Accept()
		if err != nil {
			return nil
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			serveControl(ctx, node, conn)
		}()
	}
}

func serveControl(ctx context.Context, node *media.Node, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, media.MaxMessage+1)
	if !lines.Scan() {
		return
	}
	var h hello
	if json.Unmarshal(lines.Bytes(), &h) != nil {
		return
	}
	var mu sync.Mutex
	peer, err := node.Join(ctx, media.Join{
		Room: h.Room, Participant: h.Participant, Role: h.Role, Publish: true, Subscribe: true,
		Host: h.Role == media.RoleClinician,
		Send: func(m media.Message) bool {
			mu.Lock()
			defer mu.Unlock()
			return json.NewEncoder(conn).Encode(m) == nil
		},
	})
	if err != nil {
		return
	}
	defer peer.Leave(media.ReasonHangUp)
	for lines.Scan() {
		m, err := media.Parse(lines.Bytes())
		if err == nil {
			err = peer.Handle(m)
		}
		if err != nil {
			mu.Lock()
			_ = json.NewEncoder(conn).Encode(media.Message{Type: media.TypeError, Code: "refused", Text: err.Error()})
			mu.Unlock()
			return
		}
	}
}

type noReports struct{}

func (noReports) Joined(uuid.UUID, uuid.UUID, time.Time)                           {}
func (noReports) StreamStarted(uuid.UUID, uuid.UUID, uuid.UUID, string, time.Time) {}
func (noReports) Lost(uuid.UUID, uuid.UUID, time.Time)                             {}
func (noReports) Resumed(uuid.UUID, uuid.UUID, time.Time)                          {}
func (noReports) Left(uuid.UUID, uuid.UUID, string, time.Time)                     {}
func (noReports) Empty(uuid.UUID, string, time.Time)                               {}

// runRelay is the floor: one goroutine, recvfrom to sendto, no crypto. The
// first packet of a participant says, in its first eight bytes, which visit
// and side it is.
func runRelay(ctx context.Context, tell func(event)) error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	_ = conn.SetReadBuffer(8 << 20)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	tell(event{Name: eventReady, Address: conn.LocalAddr().String()})
	other := map[netip.AddrPort]netip.AddrPort{}
	waiting := map[uint32]netip.AddrPort{}
	buffer := make([]byte, 1600)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return nil
		}
		to, known := other[from]
		if !known && n == 4 {
			visit := uint32(buffer[0])<<24 | uint32(buffer[1])<<16 | uint32(buffer[2])<<8 | uint32(buffer[3])
			if first, ok := waiting[visit]; ok && first != from {
				other[from], other[first] = first, from
			} else {
				waiting[visit] = from
			}
			continue
		}
		if known && n > 4 {
			_, _ = conn.WriteToUDPAddrPort(buffer[:n], to)
		}
	}
}
