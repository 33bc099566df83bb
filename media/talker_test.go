package media_test

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// talker sends numbered audio and video until stopped. Its payloads carry the
// sender and a counter, so that a receiver knows whose and which it got.
type talker struct {
	stop, done chan struct{}
}

func (c *client) talk() *talker {
	k := &talker{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(k.done)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for i := uint32(0); ; i++ {
			select {
			case <-k.stop:
				return
			case <-ticker.C:
				c.sendAudio(i)
				c.sendVideo(i, i%10 == 0)
			}
		}
	}()
	c.t.Cleanup(k.end)
	return k
}

func (k *talker) end() {
	select {
	case <-k.stop:
	default:
		close(k.stop)
	}
	<-k.done
}

func (c *client) sendAudio(i uint32) {
	c.send(c.mic, i, 960, c.stamp(i))
}

func (c *client) sendVideo(i uint32, key bool) {
	frame := byte(1) // VP8: 0 in the lowest bit is a key frame
	if key {
		frame = 0
	}
	descriptor := []byte{0x90, 0x80, 0x80 | byte(i>>8)&0x7f, byte(i), frame}
	c.send(c.camera, i, 3000, append(descriptor, c.stamp(i)...))
}

func (c *client) send(track *webrtc.TrackLocalStaticRTP, i, step uint32, payload []byte) {
	_ = track.WriteRTP(&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, SequenceNumber: uint16(60000 + i), Timestamp: i * step},
		Payload: payload,
	})
}

func (c *client) stamp(i uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte(nil), c.participant[:]...), i)
}

// unstamp reads whose packet it is and its counter.
func unstamp(kind string, p *rtp.Packet) (uuid.UUID, uint32) {
	payload := p.Payload
	if kind == "video" {
		payload = payload[5:]
	}
	return uuid.UUID(payload[:16]), binary.BigEndian.Uint32(payload[16:20])
}
