package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/media/packet"
	"github.com/televisit/televisit/media/recorder"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/job"
)

// tapes runs the recordings: sessions of the recorder, their facts as rows, their finalising as jobs, their keys.
type tapes struct {
	visits   *scheduling.Service
	recorder *recorder.Recorder
	keys     *keys.Keys
	log      *slog.Logger
	mu       sync.Mutex
	sessions map[uuid.UUID]*recorder.Session
	waiting  map[uuid.UUID]uuid.UUID // room -> a recording that a crash interrupted
	orgs     map[uuid.UUID]uuid.UUID
}

func newTapes(visits *scheduling.Service, k *keys.Keys, log *slog.Logger) *tapes {
	return &tapes{visits: visits, keys: k, log: log, sessions: map[uuid.UUID]*recorder.Session{},
		waiting: map[uuid.UUID]uuid.UUID{}, orgs: map[uuid.UUID]uuid.UUID{}}
}

func (t *tapes) start(ctx context.Context, recording uuid.UUID) (packet.Tap, error) {
	session, err := t.recorder.Start(ctx, recording)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[recording] = session
	return session, nil
}

func (t *tapes) stop(ctx context.Context, recording uuid.UUID) {
	t.mu.Lock()
	session := t.sessions[recording]
	delete(t.sessions, recording)
	t.mu.Unlock()
	if session == nil {
		return
	}
	if err := session.Stop(ctx); err != nil && !errors.Is(err, recorder.ErrPending) {
		t.log.Error("a recording did not stop cleanly", "recording", recording, "cause", err)
	}
}

// expect notes a recording that a crash interrupted: it goes on when somebody returns to the room.
func (t *tapes) expect(room, recording uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[room] = recording
}

func (t *tapes) interrupted(room uuid.UUID) (uuid.UUID, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	recording, ok := t.waiting[room]
	delete(t.waiting, room)
	return recording, ok
}

// DataKey implements recorder.Keys: it fails once the wrapped key was destroyed.
func (t *tapes) DataKey(ctx context.Context, recording uuid.UUID) ([]byte, error) {
	org, err := t.orgOf(ctx, recording)
	if err != nil {
		return nil, err
	}
	manifest, err := t.visits.Manifest(ctx, org, recording)
	if err != nil {
		return nil, err
	}
	return t.keys.Unwrap(ctx, manifest.WrappedKey, scheduling.RecordingKeyContext(recording))
}

func (t *tapes) orgOf(ctx context.Context, recording uuid.UUID) (uuid.UUID, error) {
	t.mu.Lock()
	org, known := t.orgs[recording]
	t.mu.Unlock()
	if known {
		return org, nil
	}
	org, err := t.visits.OrgOfRecording(ctx, recording)
	if err != nil {
		return uuid.Nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.orgs[recording] = org
	return org, nil
}

// TrackStarted implements recorder.Facts.
func (t *tapes) TrackStarted(recording, capture uuid.UUID, track packet.TrackInfo, at time.Time) {
	t.keep("track", recording, func(ctx context.Context, org uuid.UUID) error {
		return t.visits.TrackStarted(ctx, org, scheduling.Track{ID: capture, Recording: recording, Participant: track.Participant,
			Kind: track.Kind, Source: track.Source, Codec: track.MimeType, StartedAt: at})
	})
}

// SegmentStored implements recorder.Facts.
func (t *tapes) SegmentStored(s recorder.Segment) {
	t.keep("segment", s.Recording, func(ctx context.Context, org uuid.UUID) error {
		return t.visits.SegmentStored(ctx, org, scheduling.Segment{Recording: s.Recording, Track: s.Capture, Seq: int(s.Seq),
			ObjectKey: s.Key, Bytes: s.Bytes, SHA256: s.SHA256, StoredAt: time.Now()})
	})
}

// Finalized implements recorder.Facts; the job that finalises keeps the result.
func (t *tapes) Finalized(m recorder.Manifest) {
	t.log.Info("a recording is finalised", "recording", m.Recording, "tracks", len(m.Tracks), "duration_ms", m.DurationMs)
}

// Failed implements recorder.Facts; the job that finalises decides what is left of it.
func (t *tapes) Failed(recording uuid.UUID, reason string) {
	t.log.Warn("a recording reports a fault", "recording", recording, "reason", reason)
}

func (t *tapes) keep(what string, recording uuid.UUID, do func(context.Context, uuid.UUID) error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	org, err := t.orgOf(ctx, recording)
	if err == nil {
		err = do(ctx, org)
	}
	if err != nil {
		t.log.Error("a fact of a recording could not be kept", "fact", what, "recording", recording, "cause", audit.Safe(err))
	}
}

// finalize is the job that makes a stopped recording playable.
func (t *tapes) finalize(ctx context.Context, org, recording uuid.UUID, attempt job.Attempt) error {
	manifest, err := t.recorder.Finalize(ctx, recording)
	switch {
	case errors.Is(err, recorder.ErrActive), errors.Is(err, recorder.ErrPending):
		return job.RetryAfter(2 * time.Second)
	case errors.Is(err, recorder.ErrEmpty):
		return t.giveUp(ctx, org, recording, "Nothing was captured.", err)
	case err != nil && attempt.Last:
		return t.giveUp(ctx, org, recording, "The recording could not be put together.", err)
	case err != nil:
		return err
	}
	file, ok := manifest.Composite()
	if !ok {
		return t.giveUp(ctx, org, recording, "The recording holds nothing that can be played.", recorder.ErrNoFile)
	}
	return t.visits.RecordingStored(ctx, audit.SystemActor(org), recording, scheduling.StoredRecording{
		Duration: time.Duration(file.DurationMs) * time.Millisecond, Bytes: file.Bytes, SHA256: file.SHA256, ContentType: file.MimeType,
	})
}

func (t *tapes) giveUp(ctx context.Context, org, recording uuid.UUID, problem string, cause error) error {
	if err := t.visits.RecordingFailed(ctx, audit.SystemActor(org), recording, problem); err != nil {
		return err
	}
	return job.GiveUp(cause)
}
