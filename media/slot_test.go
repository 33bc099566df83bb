package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/televisit/televisit/media/packet"
)

// wire stands in for a slot's transport: full refuses every packet.
type wire struct {
	full bool
	sent []rtp.Packet
}

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if w.full {
		return 0, nil
	}
	w.sent = append(w.sent, rtp.Packet{Header: h.Clone(), Payload: append([]byte(nil), payload...)})
	return len(payload), nil
}

func (w *wire) Write([]byte) (int, error) { return 0, nil }

// bench is a publication and a slot that receives it, without a network.
type bench struct {
	t    *testing.T
	wire *wire
	slot *slot
	pub  *publication
	now  time.Time
	next uint16
	kind payloadType
}

func newBench(t *testing.T, rtx uint32) *bench {
	b := &bench{
		t: t, wire: &wire{}, now: time.Unix(1_790_000_000, 0), next: 65000,
		kind: payloadType{codec: packet.CodecVP8, mime: "video/VP8", clock: videoClock},
	}
	n := &Node{}
	n.cfg, _ = Config{Now: func() time.Time { return b.now }}.withDefaults()
	l := &link{node: n, peer: &member{node: n}}
	l.feedback.init(l)
	l.pubs.Store(&map[string]*publication{})
	l.bySSRC.Store(&map[uint32]*slot{})
	table := &mediaTable{}
	table.types[96] = b.kind
	table.types[97] = payloadType{repair: true, apt: 96}
	l.table.Store(table)
	b.pub = newPublication(l, "1", kindVideo, SourceCamera)
	b.pub.ssrc = 7
	b.pub.codec.Store(&b.kind)
	b.slot = newSlot(l, "1", kindVideo, 0)
	b.slot.writer, b.slot.ssrc, b.slot.rtxSSRC = b.wire, 100, rtx
	b.slot.header, b.slot.rtx = rtp.Header{Version: 2, SSRC: 100}, rtp.Header{Version: 2, SSRC: rtx}
	b.slot.assign(b.pub, b.now)
	l.connected.Store(true)
	l.pc = mustPC(t) // RTCP is written to a connection that goes nowhere
	return b
}

func mustPC(t *testing.T) *webrtc.PeerConnection {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

// publish sends one packet through the publication.
func (b *bench) publish(key bool) {
	frame := byte(1)
	if key {
		frame = 0
	}
	b.now = b.now.Add(10 * time.Millisecond)
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: b.next, Timestamp: uint32(b.next) * 900, SSRC: 7, Marker: true},
		Payload: []byte{0x90, 0x80, 0x80 | byte(b.next>>8)&0x7f, byte(b.next), frame, byte(b.next)},
	}
	b.next++
	raw, err := p.Marshal()
	if err != nil {
		b.t.Fatal(err)
	}
	h, err := packet.ParseHeader(raw)
	if err != nil {
		b.t.Fatal(err)
	}
	b.pub.receive(b.slot.link.table.Load(), raw, &h, b.now)
}

func TestSlotWaitsForAKeyframeAndAgainAfterOverflow(t *testing.T) {
	b := newBench(t, 200)
	b.publish(false)
	if len(b.wire.sent) != 0 {
		t.Fatal("began without a key frame")
	}
	if b.slot.link.node.totals.keyframesAsked.Load() != 1 {
		t.Fatal("did not ask for one")
	}
	b.publish(true)
	b.publish(false)
	b.wire.full = true
	b.publish(false)
	b.wire.full = false
	b.publish(false) // what follows a hole cannot be shown
	if len(b.wire.sent) != 2 {
		t.Fatalf("%d packets sent", len(b.wire.sent))
	}
	b.now = b.now.Add(time.Second)
	b.publish(true)
	sent := b.wire.sent
	if len(sent) != 3 {
		t.Fatalf("%d packets sent", len(sent))
	}
	// The refused packet used its number: it may have left in part.
	if step := sent[2].SequenceNumber - sent[1].SequenceNumber; step != 2 {
		t.Errorf("sequence moved by %d", step)
	}
	if a, c := sent[1].Payload, sent[2].Payload; c[3]-a[3] != 2 {
		t.Errorf("picture id moved by %d", c[3]-a[3])
	}
	for _, p := range sent {
		if p.SSRC != 100 || p.PayloadType != 96 {
			t.Errorf("sent as %d/%d", p.SSRC, p.PayloadType)
		}
	}
}

func TestSlotRepairs(t *testing.T) {
	for name, rtx := range map[string]uint32{"on the repair stream": 200, "as it was": 0} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, rtx)
			b.publish(true)
			for range 5 {
				b.publish(false)
			}
			original := b.wire.sent[2]
			ask := func(sequence uint16) []rtp.Packet {
				had := len(b.wire.sent)
				b.slot.repairAll(rtcp.NackPairsFromSequenceNumbers([]uint16{sequence}), b.now)
				return b.wire.sent[had:]
			}
			got := ask(original.SequenceNumber)
			if len(got) != 1 {
				t.Fatalf("%d packets", len(got))
			}
			payload := got[0].Payload
			if rtx != 0 {
				if got[0].SSRC != rtx || got[0].PayloadType != 97 {
					t.Errorf("repair on %d/%d", got[0].SSRC, got[0].PayloadType)
				}
				if s := uint16(payload[0])<<8 | uint16(payload[1]); s != original.SequenceNumber {
					t.Errorf("repairs %d, want %d", s, original.SequenceNumber)
				}
				payload = payload[2:]
			} else if header, _ := got[0].Header.Marshal(); string(header) != string(mustHeader(t, original)) {
				t.Error("a repeated packet must be the same to the byte")
			}
			if string(payload) != string(original.Payload) || got[0].Timestamp != original.Timestamp {
				t.Errorf("repair carries % x, want % x", payload, original.Payload)
			}
			if len(ask(original.SequenceNumber)) != 0 {
				t.Error("repaired again at once")
			}
			for range 5 {
				b.now = b.now.Add(repairPause)
				ask(original.SequenceNumber)
			}
			repairs := 0
			for _, p := range b.wire.sent {
				if p.Timestamp == original.Timestamp {
					repairs++
				}
			}
			if repairs != 1+repairLimit {
				t.Errorf("sent %d times, want once and %d repairs", repairs, repairLimit)
			}
			if len(ask(original.SequenceNumber+1000)) != 0 {
				t.Error("repaired what was never sent")
			}
		})
	}
}

func mustHeader(t *testing.T, p rtp.Packet) []byte {
	t.Helper()
	raw, err := p.Header.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The same packet twice would be two ciphertexts under one SRTP index.
func TestDuplicatesAreNotForwarded(t *testing.T) {
	b := newBench(t, 200)
	b.publish(true)
	b.publish(false)
	b.next -= 1
	b.publish(false)
	if len(b.wire.sent) != 2 {
		t.Errorf("%d packets sent, want 2", len(b.wire.sent))
	}
}

func TestBudgetPausesVideo(t *testing.T) {
	b := newBench(t, 200)
	b.publish(true)
	b.slot.setBudget(packet.Budget{}, b.now)
	b.publish(true)
	b.publish(false)
	if len(b.wire.sent) != 1 {
		t.Fatalf("%d packets sent while paused", len(b.wire.sent)-1)
	}
	b.slot.setBudget(packet.Budget{Video: true, Temporal: packet.MaxTemporal}, b.now)
	if len(b.wire.sent) != 3 {
		t.Fatalf("%d packets replayed, want the key frame and what followed", len(b.wire.sent)-1)
	}
	b.publish(false)
	if len(b.wire.sent) != 4 {
		t.Error("does not go on after the replay")
	}
}

func TestForwardingAllocatesNothing(t *testing.T) {
	b := newBench(t, 200)
	b.publish(true)
	b.slot.writer = discard{}
	raw := make([]byte, 1100)
	copy(raw, []byte{0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x90, 0x80, 0x80, 0, 1})
	table := b.slot.link.table.Load()
	sent := b.slot.packets
	allocated := testing.AllocsPerRun(500, func() {
		raw[2], raw[3] = byte(b.next>>8), byte(b.next)
		b.next++
		h, _ := packet.ParseHeader(raw)
		b.pub.receive(table, raw, &h, b.now)
	})
	if b.slot.packets-sent < 500 {
		t.Fatalf("forwarded %d packets", b.slot.packets-sent)
	}
	if allocated != 0 {
		t.Errorf("%v allocations a packet", allocated)
	}
}

type discard struct{}

func (discard) WriteRTP(_ *rtp.Header, payload []byte) (int, error) { return len(payload), nil }
func (discard) Write(b []byte) (int, error)                         { return len(b), nil }
