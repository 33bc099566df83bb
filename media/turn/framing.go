package turn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

var errFraming = errors.New("turn: not a STUN message or ChannelData")

const (
	stunHeader    = 20
	channelHeader = 4
	// maxMessage is the most that the library reads of a datagram; a longer message on a stream ends the connection.
	maxMessage = 1599
)

// framedConn makes datagrams of a stream (RFC 8656, 3.1 and 12.5). The library has one, which loops for ever over a STUN message whose
// length overflows 16 bits and holds back ChannelData of up to four bytes.
type framedConn struct {
	net.Conn
	reader *bufio.Reader
}

func newFramedConn(conn net.Conn) *framedConn {
	return &framedConn{Conn: conn, reader: bufio.NewReaderSize(conn, 16<<10)}
}

// ReadFrom returns the next message. Every error is final.
func (f *framedConn) ReadFrom(p []byte) (int, net.Addr, error) {
	head, err := f.reader.Peek(channelHeader)
	if err != nil {
		return 0, nil, err
	}
	size, err := messageSize(head)
	if err != nil {
		return 0, nil, err
	}
	if size > min(len(p), maxMessage) {
		return 0, nil, errFraming
	}
	if _, err := io.ReadFull(f.reader, p[:size]); err != nil {
		return 0, nil, err
	}
	return size, f.RemoteAddr(), nil
}

// messageSize tells from the first four bytes how long a message is, with its padding.
func messageSize(head []byte) (int, error) {
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case head[0] < 4: // RFC 7983
		return stunHeader + length, nil
	case head[0] >= 64 && head[0] < 128: // RFC 8656 ends at 79, RFC 5766 went on to 127 and its clients are about
		return channelHeader + (length+3)&^3, nil
	}
	return 0, errFraming
}

// WriteTo sends a message to the only possible destination.
func (f *framedConn) WriteTo(p []byte, _ net.Addr) (int, error) { return f.Write(p) }
