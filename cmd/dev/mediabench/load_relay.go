package mediabench

import (
	"context"
	"encoding/binary"
	"net"
	"time"
)

const (
	bareHeader   = 12 + 16 // what an RTP header and an SRTP tag would take
	registerWait = 2 * time.Millisecond
)

// bareSender sends packets of the sizes that SRTP would have, by plain UDP.
type bareSender struct {
	conn   *net.UDPConn
	packet [bareHeader + 1100]byte
}

func (b *bareSender) audio(stamp []byte)               { b.send(stamp, audioSize) }
func (b *bareSender) video(stamp []byte, _, _, _ bool) { b.send(stamp, videoSize) }

func (b *bareSender) send(stamp []byte, size int) {
	copy(b.packet[bareHeader:], stamp)
	_, _ = b.conn.Write(b.packet[:bareHeader+size])
}

func joinRelay(ctx context.Context, p *party) error {
	address, err := net.ResolveUDPAddr("udp", p.work.Address)
	if err != nil {
		return err
	}
	for i := range 2 * p.work.Visits {
		conn, err := net.DialUDP("udp", nil, address)
		if err != nil {
			return err
		}
		_ = conn.SetReadBuffer(1 << 20)
		heard := newFirstHeard(i%2 == 1)
		p.keep(heard, func() { _ = conn.Close() })
		go func() {
			buffer := make([]byte, 1600)
			for {
				n, err := conn.Read(buffer)
				if err != nil {
					return
				}
				heard.note()
				if n > bareHeader {
					p.gauge.arrived(buffer[bareHeader:n])
				}
			}
		}()
		var register [4]byte
		binary.BigEndian.PutUint32(register[:], uint32(i/2))
		if _, err = conn.Write(register[:]); err != nil {
			return err
		}
		sleep(ctx, registerWait)
		p.pace.add(&bareSender{conn: conn}, frameEvery*time.Duration(i)/time.Duration(2*p.work.Visits))
	}
	return nil
}
