package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
)

func testVault(t testing.TB) *vault {
	t.Helper()
	v, err := newVault(uuid.MustParse("7f2c6f6e-9c0f-4a58-9a0c-3b1d0c8f6e11"), bytes.Repeat([]byte{3}, DataKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVaultTakesOverAndWipesTheKey(t *testing.T) {
	key := bytes.Repeat([]byte{3}, DataKeySize)
	if _, err := newVault(uuid.New(), key); err != nil || !bytes.Equal(key, make([]byte, DataKeySize)) {
		t.Errorf("%v, key %x", err, key)
	}
	if _, err := newVault(uuid.New(), make([]byte, 16)); err == nil {
		t.Error("a key of 128 bits was accepted")
	}
}

// segmentBytes writes a segment of so many chunks, each with one packet.
func segmentBytes(t testing.TB, v *vault, id segmentID, chunks int) []byte {
	t.Helper()
	s, err := createSegment(v, id, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range chunks {
		if err := s.append(appendRTP(nil, fmt.Appendf(nil, "packet %d", i), time.Unix(1, int64(i))), i == chunks-1); err != nil {
			t.Fatal(err)
		}
	}
	name, err := s.close()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func read(v *vault, id segmentID, content []byte) (packets int, complete bool, err error) {
	complete, err = readSegment(v, id, bytes.NewReader(content), func(r record) error {
		if string(r.rtp) != fmt.Sprintf("packet %d", packets) {
			return errors.New("another packet")
		}
		packets++
		return nil
	})
	return packets, complete, err
}

func TestSegmentCannotBeChangedUnnoticed(t *testing.T) {
	v, id := testVault(t), segmentID{capture: uuid.New(), seq: 7}
	id.recording = v.recording
	const chunks = 5
	good := segmentBytes(t, v, id, chunks)
	if n, complete, err := read(v, id, good); n != chunks || !complete || err != nil {
		t.Fatalf("%d packets, complete %v, %v", n, complete, err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if n, complete, err := read(v, id, bad); err == nil && complete {
			t.Errorf("byte %d changed, and %d packets pass as complete", i, n)
		}
	}
	for n := range good {
		packets, complete, err := read(v, id, good[:n])
		if complete || packets > chunks-1 || n >= len(segmentMagic) && err != nil {
			t.Errorf("cut to %d bytes: %d packets, complete %v, %v", n, packets, complete, err)
		}
		size, whole, err := wholeChunks(bytes.NewReader(good[:n]))
		if err != nil || size > int64(n) || whole != packets {
			t.Errorf("cut to %d bytes: %d whole chunks in %d bytes, %v, want %d", n, whole, size, err, packets)
		}
	}
	if _, _, err := read(v, id, append(bytes.Clone(good), 0)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("something behind the end: %v", err)
	}
	for name, other := range map[string]segmentID{
		"another number": {v.recording, id.capture, 8}, "another capture": {v.recording, uuid.New(), 7},
	} {
		if n, _, err := read(v, other, good); !errors.Is(err, ErrUnreadable) || n != 0 {
			t.Errorf("as %s: %d packets, %v", name, n, err)
		}
	}
	// The first chunk of another segment in the place of this one's.
	other := segmentBytes(t, v, segmentID{v.recording, uuid.New(), 7}, chunks)
	size := (len(good) - len(segmentMagic)) / chunks
	copy(other[len(segmentMagic)+size:], good[len(segmentMagic)+size:])
	if n, complete, err := read(v, id, other); err == nil {
		t.Errorf("mixture of two segments: %d packets, complete %v", n, complete)
	}
}

func FuzzReadSegment(f *testing.F) {
	v, id := testVault(f), segmentID{seq: 1}
	id.recording = v.recording
	f.Add(segmentBytes(f, v, id, 3))
	f.Add([]byte(segmentMagic + "\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		size, _, err := wholeChunks(bytes.NewReader(content))
		if err != nil || size > int64(len(content)) {
			t.Errorf("%d of %d bytes are whole, %v", size, len(content), err)
		}
		_, _ = readSegment(v, id, bytes.NewReader(content), func(record) error { return nil })
	})
}

func FuzzRecords(f *testing.F) {
	at := time.Unix(1, 2)
	seed, _ := appendInfo(nil, trackHeader{Kind: "audio"}, at)
	f.Add(appendGap(appendReport(appendRTP(seed, []byte("x"), at), 1, 2, at), gapQueue, at))
	f.Add([]byte{byte(kindRTP), 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, chunk []byte) {
		var again []byte
		err := eachRecord(chunk, func(r record) error {
			switch r.kind {
			case kindRTP:
				again = appendRTP(again, r.rtp, r.at)
			case kindReport:
				again = appendReport(again, r.ntp, r.rtpTS, r.at)
			case kindGap:
				again = appendGap(again, r.gap, r.at)
			case kindInfo:
				return io.EOF // JSON need not come out as it went in
			}
			return nil
		})
		if err == nil && !bytes.Equal(again, chunk) {
			t.Errorf("%x decodes as %x", chunk, again)
		}
	})
}
