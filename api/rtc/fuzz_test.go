package rtc_test

import (
	"testing"

	"github.com/coder/websocket"

	"github.com/televisit/televisit/media"
)

// FuzzFrames sends a frame of anything on a live connection. Whatever it is, the server answers the ping behind it or
// closes the socket in an orderly way.
func FuzzFrames(f *testing.F) {
	for _, example := range []string{
		`{"t":"hello","v":1,"token":"x"}`, `{"t":"offer","sdp":"v=0","neg":1,"tracks":[{"mid":"0","source":"mic"}]}`,
		`{"t":"candidate","candidate":"candidate:1 1 udp 2130706431 192.0.2.1 9 typ host","sdpMid":"0","sdpMLineIndex":0}`,
		`{"t":"state","mic":false,"camera":true}`, `{"t":"renew"}`, `{"t":"bye"}`, `{"t":"ping","id":-1}`, `{"t":"stats","rttMs":1e9}`,
		`{"t":null}`, `[[[[`, ``,
	} {
		f.Add(true, []byte(example))
	}
	f.Add(false, []byte{0xff, 0xfe})
	f.Add(true, []byte(`{"t":"ping","id":1}{"t":"ping","id":2}`))
	d := newDesk(f)
	f.Fuzz(func(t *testing.T, text bool, data []byte) {
		clinician, _ := people()
		c, _ := d.join(t, clinician)
		kind := websocket.MessageBinary
		if text {
			kind = websocket.MessageText
		}
		c.write(kind, data)
		if c.socket.Write(t.Context(), websocket.MessageText, []byte(`{"t":"ping","id":424242}`)) != nil {
			return // closed already
		}
		for {
			message, err := c.next()
			if err != nil {
				if websocket.CloseStatus(err) == -1 {
					t.Fatalf("the socket broke: %v", err)
				}
				return
			}
			if message.Type == media.TypePong && message.ID != nil && message.ID.Number == 424242 {
				return
			}
		}
	})
}
