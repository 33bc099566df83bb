package packet

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func body(sequence uint16, size int) []byte {
	return binary.BigEndian.AppendUint16(bytes.Repeat([]byte{byte(sequence)}, size-2), sequence)
}

func TestCacheReturnsWhatItWasGiven(t *testing.T) {
	c := NewCache(10_000, 10_000, 16)
	for s := uint16(65530); s != 10; s++ { // across the wrap
		if !c.Put(s, body(s, 100+int(s%7)), 0) {
			t.Fatalf("packet %d refused", s)
		}
	}
	var dst [200]byte
	for s := uint16(65530); s != 10; s++ {
		n, ok := c.Get(s, dst[:])
		if !ok || !bytes.Equal(dst[:n], body(s, 100+int(s%7))) {
			t.Fatalf("packet %d: ok %v, %d bytes", s, ok, n)
		}
	}
}

func TestCacheRefuses(t *testing.T) {
	c := NewCache(1000, 1000, 16)
	var dst [600]byte
	if !c.Put(1, body(1, 100), 0) {
		t.Fatal("first packet refused")
	}
	if c.Put(1, body(1, 100), 0) {
		t.Error("the same sequence number was taken twice")
	}
	if c.Put(2, nil, 0) {
		t.Error("an empty packet was taken")
	}
	if c.Put(3, make([]byte, 501), 0) {
		t.Error("a packet over half the arena was taken")
	}
	if _, ok := c.Get(9, dst[:]); ok {
		t.Error("an unknown packet was found")
	}
	if _, ok := c.Get(1, dst[:99]); ok {
		t.Error("a packet was cut to a short destination")
	}
	c.Reset()
	if _, ok := c.Get(1, dst[:]); ok {
		t.Error("a packet survived Reset")
	}
	if !c.Put(1, body(1, 100), 0) {
		t.Error("a sequence number is refused after Reset")
	}
}

func TestCacheForgetsTheOldest(t *testing.T) {
	c := NewCache(1000, 1000, 64)
	for s := range uint16(30) {
		c.Put(s, body(s, 100), int64(s)*1000) // slow: it need not grow
	}
	var dst [200]byte
	for s := range uint16(30) {
		n, ok := c.Get(s, dst[:])
		if ok && !bytes.Equal(dst[:n], body(s, 100)) {
			t.Fatalf("packet %d was overwritten and still given", s)
		}
		if want := s >= 20; ok != want {
			t.Errorf("packet %d known: %v, want %v", s, ok, want)
		}
	}
	if c.Put(5, body(5, 100), 0) {
		t.Error("a packet that came and went was taken again")
	}
	if c.Size() != 1000 {
		t.Errorf("grew to %d", c.Size())
	}
}

func TestCacheGrowsWhenItTurnsOverFast(t *testing.T) {
	c := NewCache(1000, 3000, 64)
	now := int64(0)
	for s := range uint16(40) {
		now += 10
		c.Put(s, body(s, 100), now)
	}
	if c.Size() != 2000 {
		t.Fatalf("%d bytes; want 2000: doubled once, the limit forbids twice", c.Size())
	}
	var dst [200]byte
	for s := uint16(22); s < 40; s++ {
		n, ok := c.Get(s, dst[:])
		if !ok || !bytes.Equal(dst[:n], body(s, 100)) {
			t.Errorf("packet %d lost or changed by growing", s)
		}
	}
}

func TestCacheAllocatesNothing(t *testing.T) {
	c := NewCache(64<<10, 64<<10, 512)
	raw := body(0, 1100)
	var dst [1500]byte
	s := uint16(0)
	allocated := testing.AllocsPerRun(1000, func() {
		c.Put(s, raw, 0)
		c.Get(s, dst[:])
		s++
	})
	if allocated != 0 {
		t.Errorf("%v allocations a packet", allocated)
	}
}

// FuzzCache drives the cache with a program of puts and checks every get
// against what was put last under that number.
func FuzzCache(f *testing.F) {
	f.Add([]byte{1, 50, 2, 60, 3, 70, 1, 50}, uint16(500))
	f.Add([]byte{0, 255, 16, 255, 32, 255, 48, 255}, uint16(300))
	f.Fuzz(func(t *testing.T, program []byte, arena uint16) {
		c := NewCache(int(arena), 4*int(arena), 16)
		put := map[uint16][]byte{}
		var dst [600]byte
		for i := 0; i+1 < len(program); i += 2 {
			s := uint16(program[i])
			raw := body(s, 2+2*int(program[i+1]))
			if c.Put(s, raw, int64(i)*100) {
				put[s] = raw
			}
			for known, want := range put {
				if n, ok := c.Get(known, dst[:]); ok && !bytes.Equal(dst[:n], want) {
					t.Fatalf("packet %d: got %d bytes that were not put", known, n)
				}
			}
		}
	})
}
