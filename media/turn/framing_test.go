package turn

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// streamOf is a connection that delivers the bytes in the worst portions.
type streamOf struct {
	net.Conn
	io.Reader
}

func (s streamOf) Read(p []byte) (int, error) { return s.Reader.Read(p) }
func (streamOf) RemoteAddr() net.Addr         { return &net.TCPAddr{} }

func message(kind byte, length, size int) []byte {
	b := make([]byte, size)
	b[0] = kind
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	return b
}

func TestFraming(t *testing.T) {
	binding, empty := message(0, 8, 28), message(0, 0, 20)
	channels := [][]byte{message(64, 0, 4), message(64, 1, 8), message(127, 4, 8), message(65, 5, 12), message(64, 1200, 1204)}
	var stream []byte
	all := append([][]byte{binding, empty}, channels...)
	for _, m := range all {
		stream = append(stream, m...)
	}
	for name, reader := range map[string]io.Reader{"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
		conn := newFramedConn(streamOf{Reader: reader})
		buffer := make([]byte, 1600)
		for i, want := range all {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil || !bytes.Equal(buffer[:n], want) {
				t.Fatalf("%s, message %d: %d bytes, %v, want %d", name, i, n, err, len(want))
			}
		}
		if _, _, err := conn.ReadFrom(buffer); err != io.EOF {
			t.Errorf("%s: %v, want EOF", name, err)
		}
	}
}

func FuzzFraming(f *testing.F) {
	f.Add(message(0, 65516, 40)) // 20 + 65516 = 2^16
	f.Add(message(64, 65535, 40))
	f.Add(message(0, 1580, 1600))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		conn := newFramedConn(streamOf{Reader: bytes.NewReader(stream)})
		buffer := make([]byte, 1600)
		read := 0
		for {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				break
			}
			if n < channelHeader || n > maxMessage {
				t.Fatalf("message of %d bytes", n)
			}
			if !bytes.Equal(buffer[:n], stream[read:read+n]) {
				t.Fatal("other bytes than were sent")
			}
			read += n
		}
	})
}
