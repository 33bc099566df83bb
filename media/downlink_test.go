package media

import (
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/televisit/televisit/media/packet"
)

func TestDownlinkEstimate(t *testing.T) {
	at := time.Unix(1_790_000_000, 0)
	var d downlink
	if d.estimate(at) != 0 {
		t.Error("knows a limit from nothing")
	}
	d.noteLoss(0.01, 1_000_000, at)
	if d.estimate(at) != 0 {
		t.Error("little loss is no limit")
	}
	d.noteLoss(0.20, 1_000_000, at)
	if got := d.estimate(at); got != 900_000 {
		t.Errorf("20 %% loss at 1 Mbit/s: %d", got)
	}
	d.noteLoss(0.05, 1_000_000, at)
	if got := d.estimate(at); got != 900_000 {
		t.Errorf("between the thresholds: %d", got)
	}
	d.noteLoss(0, 1_000_000, at)
	if got := d.estimate(at); got != 945_000 {
		t.Errorf("no loss: %d", got)
	}
	d.noteLimit(500_000, at)
	if got := d.estimate(at); got != 500_000 {
		t.Errorf("the client's own limit: %d", got)
	}
	if got := d.estimate(at.Add(limitLifetime + time.Second)); got != 945_000 {
		t.Errorf("an old limit still counts: %d", got)
	}
	for range 30 {
		d.noteLoss(0, 1_000_000, at)
	}
	if got := d.estimate(at.Add(time.Minute)); got != 0 {
		t.Errorf("a limit far above the rate is none: %d", got)
	}
	d.noteLoss(1, 10_000, at)
	if got := d.estimate(at.Add(time.Minute)); got != minEstimate {
		t.Errorf("total loss: %d", got)
	}
}

func TestRepairStreamIsUnwrapped(t *testing.T) {
	table := &mediaTable{}
	table.types[97] = payloadType{repair: true, apt: 96}
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 97, SequenceNumber: 9, Timestamp: 77, SSRC: 8, Marker: true},
		Payload: []byte{0x12, 0x34, 1, 2, 3},
	}
	if err := p.SetExtension(1, []byte{5}); err != nil {
		t.Fatal(err)
	}
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	h, err := packet.ParseHeader(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !unwrapRepair(table, 7, &raw, &h) {
		t.Fatal("refused")
	}
	if h.Sequence != 0x1234 || h.SSRC != 7 || h.PayloadType != 96 || !h.Marker || h.Timestamp != 77 ||
		string(h.Payload(raw)) != "\x01\x02\x03" || string(h.Extension(raw, 1)) != "\x05" {
		t.Errorf("unwrapped to %+v, % x", h, raw)
	}
	short := rtp.Packet{Header: p.Header, Payload: []byte{1}}
	if raw, err = short.Marshal(); err != nil {
		t.Fatal(err)
	}
	if h, err = packet.ParseHeader(raw); err != nil {
		t.Fatal(err)
	}
	if unwrapRepair(table, 7, &raw, &h) {
		t.Error("a probe without content was taken for a repair")
	}
}
