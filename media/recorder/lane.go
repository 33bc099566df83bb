package recorder

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/at-wat/ebml-go/mkv"
	"github.com/at-wat/ebml-go/mkvcore"
	"github.com/at-wat/ebml-go/webm"
	"github.com/google/uuid"
)

// laneID is what may share one track of a file: a participant's source in one codec, however often it was captured.
type laneID struct {
	participant uuid.UUID
	source      string
	mimeType    string
}

// lane is a Matroska file with one track, on its way to ffmpeg.
type lane struct {
	laneID
	codec      *codec
	captures   []*capture
	path       string
	start, end time.Time // of its frames
	frames     int
}

// groupLanes sorts captures into lanes, in order of their first packet. Those of a codec that cannot be written are marked.
func groupLanes(captures []*capture) []*lane {
	var lanes []*lane
	byID := map[laneID]*lane{}
	for _, c := range captures {
		kind := codecFor(c.header.MimeType)
		if kind == nil {
			c.mark(c.first, "codec")
			continue
		}
		id := laneID{c.header.Participant, c.header.Source, strings.ToLower(c.header.MimeType)}
		if byID[id] == nil {
			byID[id] = &lane{laneID: id, codec: kind}
			lanes = append(lanes, byID[id])
		}
		byID[id].captures = append(byID[id].captures, c)
	}
	return lanes
}

// write makes the lane's file. Matroska times count from the lane's first frame.
func (l *lane) write(v *vault, folder string, number int) error {
	l.path = filepath.Join(folder, fmt.Sprintf("lane-%d.mkv", number))
	out := &laneWriter{lane: l}
	var err error
	for _, c := range l.captures {
		// A new depacketiser: fragments of one capture do not continue in the next.
		if err = c.replay(v, codecFor(l.mimeType), out.write); err != nil {
			break
		}
	}
	return errors.Join(err, out.close())
}

// laneWriter opens the file at the first frame, which tells the picture's size.
type laneWriter struct {
	lane   *lane
	track  mkvcore.BlockWriteCloser
	out    *stickyFile
	lastMs int64
}

func (w *laneWriter) write(f frame) error {
	if w.track == nil {
		if err := w.open(f); err != nil {
			return err
		}
	}
	ms := max(f.at.Sub(w.lane.start).Milliseconds(), w.lastMs+1)
	w.lastMs = ms
	w.lane.frames++
	w.lane.end = w.lane.start.Add(time.Duration(ms) * time.Millisecond)
	_, err := w.track.Write(f.key, ms, f.data)
	return errors.Join(err, w.out.failure())
}

func (w *laneWriter) open(first frame) error {
	f, err := os.OpenFile(w.lane.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("recorder: scratch: %w", err)
	}
	entry := w.lane.codec.describe(first.data)
	entry.TrackNumber, entry.TrackUID = 1, 1
	out := &stickyFile{file: f, buffer: bufio.NewWriterSize(f, 256<<10), closed: make(chan struct{})}
	tracks, err := mkvcore.NewSimpleBlockWriter(out,
		[]mkvcore.TrackDescription{{TrackNumber: 1, TrackEntry: entry}},
		mkvcore.WithEBMLHeader(mkv.DefaultEBMLHeader),
		mkvcore.WithSegmentInfo(&webm.Info{TimecodeScale: uint64(time.Millisecond), MuxingApp: "televisit", WritingApp: "televisit"}),
		mkvcore.WithOnFatalHandler(out.fail),
	)
	if err != nil {
		return errors.Join(fmt.Errorf("recorder: matroska: %w", err), f.Close())
	}
	w.track, w.out, w.lane.start, w.lastMs = tracks[0], out, first.at, -1
	return nil
}

func (w *laneWriter) close() error {
	if w.track == nil {
		return nil // no frame could be made
	}
	err := w.track.Close()
	<-w.out.closed
	return errors.Join(err, w.out.failure())
}

// stickyFile keeps its first error instead of returning it: the block writer's goroutine ends at an error, and everyone who
// writes to it would then wait for ever.
type stickyFile struct {
	file   *os.File
	buffer *bufio.Writer
	closed chan struct{}

	mu  sync.Mutex
	err error
}

func (s *stickyFile) Write(p []byte) (int, error) {
	if _, err := s.buffer.Write(p); err != nil {
		s.fail(err)
	}
	return len(p), nil
}

func (s *stickyFile) Close() error {
	defer close(s.closed)
	if err := errors.Join(s.buffer.Flush(), s.file.Close()); err != nil {
		s.fail(err)
	}
	return nil
}

func (s *stickyFile) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("recorder: scratch: %w", err)
	}
}

func (s *stickyFile) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
