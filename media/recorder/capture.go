package recorder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
)

// capture is what the store holds of one capture of a stream: first its index, then (by replay) its packets.
type capture struct {
	id       uuid.UUID
	header   trackHeader
	packets  int
	frames   int
	first    time.Time // arrival, of packets
	last     time.Time
	reports  []senderReport
	gaps     []gapMark
	segments []ManifestSegment
	files    []string // ciphertext in the scratch folder, parallel to segments
	offset   time.Duration
	known    bool // the offset
	synced   bool
}

type gapMark struct {
	at     time.Time
	reason string
}

func (c *capture) mark(at time.Time, reason string) {
	if n := len(c.gaps); n > 0 && c.gaps[n-1].reason == reason && at.Sub(c.gaps[n-1].at) < time.Second {
		return // one mark a second tells enough
	}
	c.gaps = append(c.gaps, gapMark{at, reason})
}

// loadCaptures copies every segment of the recording, as it is (encrypted), into the folder and indexes it.
func (r *Recorder) loadCaptures(ctx context.Context, v *vault, folder string) ([]*capture, error) {
	byID := map[uuid.UUID]*capture{}
	damaged := 0
	prefix := segmentPrefix(v.recording)
	for info, err := range r.config.Store.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("recorder: list segments: %w", err)
		}
		id, ok := parseSegment(v.recording, strings.TrimPrefix(info.Key, prefix), segmentSuffix)
		if !ok {
			continue
		}
		if byID[id.capture] == nil {
			byID[id.capture] = &capture{id: id.capture}
		}
		if err := r.loadSegment(ctx, v, id, byID[id.capture], folder); errors.Is(err, ErrUnreadable) {
			damaged++
		} else if err != nil {
			return nil, err
		}
	}
	var captures []*capture
	for _, c := range byID {
		if c.packets > 0 {
			captures = append(captures, c)
		}
	}
	if len(captures) == 0 && damaged > 0 {
		return nil, ErrUnreadable
	}
	if len(captures) == 0 {
		return nil, ErrEmpty
	}
	slices.SortFunc(captures, func(a, b *capture) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.id.String(), b.id.String()))
	})
	shareOffsets(captures)
	return captures, nil
}

func (r *Recorder) loadSegment(ctx context.Context, v *vault, id segmentID, c *capture, folder string) error {
	if n := len(c.segments); n > 0 && id.seq != c.segments[n-1].Seq+1 || n == 0 && id.seq != 0 {
		c.mark(c.last, "missing-segment")
	}
	name := filepath.Join(folder, id.capture.String()+"-"+id.fileName())
	digest, size, err := r.download(ctx, id.key(), name)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("recorder: segment: %w", err)
	}
	defer f.Close()
	complete, err := readSegment(v, id, f, c.index)
	c.segments = append(c.segments, ManifestSegment{Seq: id.seq, Bytes: size, SHA256: digest, Cut: !complete})
	c.files = append(c.files, name)
	switch {
	case errors.Is(err, ErrUnreadable):
		c.mark(c.last, "damaged-segment")
	case !complete:
		c.mark(c.last, "cut-segment")
	}
	return err
}

// download copies an object to a file, returning its digest and size.
func (r *Recorder) download(ctx context.Context, key, name string) ([]byte, int64, error) {
	body, _, err := r.config.Store.Get(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("recorder: segment: %w", err)
	}
	defer body.Close()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("recorder: scratch: %w", err)
	}
	hash := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, hash), body)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, 0, fmt.Errorf("recorder: segment: %w", err)
	}
	return hash.Sum(nil), size, nil
}

// index takes in one record on the first pass.
func (c *capture) index(rec record) error {
	switch rec.kind {
	case kindInfo:
		c.header = rec.header
	case kindRTP:
		if c.packets == 0 {
			c.first = rec.at
		}
		c.packets++
		c.last = rec.at
	case kindReport:
		c.reports = append(c.reports, senderReport{ntp: ntpTime(rec.ntp), rtp: rec.rtpTS, arrival: rec.at})
	case kindGap:
		c.mark(rec.at, rec.gap.String())
	}
	return nil
}

func shareOffsets(captures []*capture) {
	byParticipant := map[uuid.UUID][]time.Duration{}
	for _, c := range captures {
		if c.offset, c.known = clockOffset(c.reports); c.known {
			byParticipant[c.header.Participant] = append(byParticipant[c.header.Participant], c.offset)
		}
	}
	for _, c := range captures {
		if c.known {
			c.offset = sharedOffset(c.offset, byParticipant[c.header.Participant])
		}
	}
}

// replay reads the capture again and emits its frames in order.
func (c *capture) replay(v *vault, kind *codec, emit func(frame) error) error {
	clock := newStreamClock(c.header.ClockRate, c.reports, c.offset, c.known)
	var order reorderer
	frames := newAssembler(kind, func(f frame) error {
		c.frames++
		return emit(f)
	}, func(at time.Time) { c.mark(at, "lost-packets") })
	var failed error
	ordered := func(p timedPacket, lost bool) {
		if failed == nil {
			failed = frames.push(p, lost)
		}
	}
	visit := func(rec record) error {
		if rec.kind != kindRTP {
			return failed
		}
		packet := &rtp.Packet{}
		if err := packet.Unmarshal(rec.rtp); err != nil {
			return nil // not RTP: the room would not have forwarded it either
		}
		order.push(timedPacket{Packet: packet, at: clock.at(packet.Timestamp, rec.at)}, ordered)
		return failed
	}
	for i, name := range c.files {
		id := segmentID{recording: v.recording, capture: c.id, seq: c.segments[i].Seq}
		if err := replaySegment(v, id, name, visit); err != nil {
			return err
		}
	}
	order.flush(ordered)
	c.synced = clock.synced
	return failed
}

func replaySegment(v *vault, id segmentID, name string, visit func(record) error) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("recorder: scratch: %w", err)
	}
	defer f.Close()
	if _, err := readSegment(v, id, f, visit); err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	return nil
}
