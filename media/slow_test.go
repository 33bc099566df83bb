package media_test

import (
	"io"
	"net"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media"
)

// A client behind a firewall comes by TCP; when it stops reading, packets for
// it are dropped and the others go on.
func TestSlowSubscriberDelaysNobody(t *testing.T) {
	node, _ := startNode(t, func(c *media.Config) { c.TCPAddr, c.MuteAfter = "127.0.0.1:0", 30*time.Second })
	room := uuid.New()
	a := join(t, node, room, media.RoleClinician)
	b := join(t, node, room, media.RolePatient)
	slow := join(t, node, room, media.RoleGuest)
	a.dial()
	b.dial()
	proxy := &stallingProxy{t: t, stalled: make(chan struct{})}
	slow.rewrite = proxy.takeOver
	slow.dial(func(s *webrtc.SettingEngine) {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	})
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // enough to fill every buffer on the way
		defer close(done)
		payload := append([]byte{0x90, 0x80, 0x80, 0, 0}, make([]byte, 1000)...)
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			copy(payload[5:], a.stamp(i))
			a.send(a.camera, i, 90, payload)
			if i%20 == 19 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	defer func() { close(stop); <-done }()
	slow.until("video by TCP", func() bool { return len(slow.packets["video"]) > 0 })
	before := node.Stats().PacketsDropped
	close(proxy.stalled)
	waitFor(t, "packets dropped for the slow one", func() bool {
		return node.Stats().PacketsDropped > before+100
	})
	had := len(b.got("video"))
	b.until("video for the other", func() bool { return len(b.packets["video"]) > had+500 })
}

// stallingProxy stands before the node's TCP port and, once stalled closes,
// passes nothing more to the client and reads nothing more from the node.
type stallingProxy struct {
	t       *testing.T
	stalled chan struct{}
}

var tcpCandidate = regexp.MustCompile(`(tcp \d+ 127\.0\.0\.1 )(\d+)( typ host tcptype passive)`)

// takeOver puts the proxy's port in the place of the node's.
func (p *stallingProxy) takeOver(sdp string) string {
	found := tcpCandidate.FindStringSubmatch(sdp)
	if found == nil {
		p.t.Fatalf("no TCP candidate in %s", sdp)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	go p.serve(listener, "127.0.0.1:"+found[2])
	p.t.Cleanup(func() { _ = listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return tcpCandidate.ReplaceAllString(sdp, "${1}"+port+"${3}")
}

func (p *stallingProxy) serve(listener net.Listener, node string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", node)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.t.Cleanup(func() { _, _ = client.Close(), server.Close() })
		go func() { _, _ = io.Copy(server, client) }()
		go func() {
			buffer := make([]byte, 4096)
			for {
				n, err := server.Read(buffer)
				if err != nil {
					return
				}
				select {
				case <-p.stalled:
					return
				default:
				}
				if _, err = client.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}
