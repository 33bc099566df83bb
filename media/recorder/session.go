package recorder

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/packet"
)

// Session is one running recording: a [packet.Tap].
type Session struct {
	recorder  *Recorder
	recording uuid.UUID
	vault     *vault
	folder    string

	mu     sync.Mutex
	ended  bool
	tracks []*track
}

var _ packet.Tap = (*Session)(nil)

// TrackStarted begins to capture a track and returns at once; nil after [Session.Stop].
func (s *Session) TrackStarted(info packet.TrackInfo) packet.TrackSink {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	// The stream may have been captured before, by an earlier session of this recording: a new capture never meets its files.
	capture := uuid.New()
	t := newTrack(s, info, capture, filepath.Join(s.folder, capture.String()))
	s.tracks = append(s.tracks, t)
	go t.run()
	return t
}

// Stop ends the session: every track is closed, synced and uploaded. If ctx ends before the store has all, the error wraps
// [ErrPending]; uploading then goes on in the background, and nothing is lost.
func (s *Session) Stop(ctx context.Context) error {
	s.end()
	if err := s.recorder.uploads.wait(ctx, s.recording); err != nil {
		return fmt.Errorf("%w: %w", ErrPending, err)
	}
	s.recorder.teller.settle(ctx)
	if !s.recorder.active(s.recording) {
		s.recorder.removeEmpty(s.recording)
	}
	return nil
}

// end closes the tracks and waits until their segments are closed, which takes as long as an fsync.
func (s *Session) end() {
	s.mu.Lock()
	s.ended = true
	tracks := s.tracks
	s.mu.Unlock()
	for _, t := range tracks {
		t.Close()
	}
	for _, t := range tracks {
		<-t.done
	}
	s.recorder.ended(s.recording)
}
