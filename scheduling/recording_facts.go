package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
)

// Track is one uninterrupted capture of a published track.
type Track struct {
	ID          uuid.UUID
	Recording   uuid.UUID
	Participant uuid.UUID
	Kind        string // audio or video
	Source      string // mic, camera or screen
	Codec       string // MIME type, as video/VP8
	StartedAt   time.Time
}

// Segment is a stored piece of a track.
type Segment struct {
	Recording uuid.UUID
	Track     uuid.UUID
	Seq       int
	ObjectKey string
	Bytes     int64
	SHA256    []byte
	Start     time.Duration // since the beginning of the recording; zero where the recorder keeps it elsewhere
	Duration  time.Duration
	StoredAt  time.Time
}

// Manifest is all that is needed to play a recording.
type Manifest struct {
	RecordingView
	Visit, Room uuid.UUID
	WrappedKey  []byte // bound to RecordingKeyContext
	Tracks      []Track
	Segments    []Segment // by track, in order
}

// OrgOfRecording tells whose a recording is: the recorder knows recordings only.
func (s *Service) OrgOfRecording(ctx context.Context, recording uuid.UUID) (uuid.UUID, error) {
	var org *uuid.UUID
	err := s.db.Read(ctx, uuid.Nil, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select recording_org($1)", recording).Scan(&org)
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("find the recording: %w", err)
	}
	if org == nil {
		return uuid.Nil, ErrNotFound
	}
	return *org, nil
}

// TrackStarted keeps that a track is being recorded. Repeated, it changes nothing.
func (s *Service) TrackStarted(ctx context.Context, org uuid.UUID, t Track) error {
	return s.keepFact(ctx, org, t.Recording, `insert into recording_track (id, org_id, recording_id, participant_id, kind, source, codec, started_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing`,
		t.ID, org, t.Recording, t.Participant, t.Kind, t.Source, t.Codec, t.StartedAt.UTC())
}

// SegmentStored keeps that a segment is in the object store. Repeated, it changes nothing.
func (s *Service) SegmentStored(ctx context.Context, org uuid.UUID, g Segment) error {
	return s.keepFact(ctx, org, g.Recording, `insert into recording_segment (recording_id, track_id, seq, org_id, object_key, bytes, sha256, start_ms, duration_ms, stored_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (recording_id, track_id, seq) do nothing`,
		g.Recording, g.Track, g.Seq, org, g.ObjectKey, g.Bytes, g.SHA256, g.Start.Milliseconds(), g.Duration.Milliseconds(), g.StoredAt.UTC())
}

// keepFact writes what the recorder reports. It is no change that a person makes, so the trail holds the recording's
// start, stop and storage, and not each piece.
func (s *Service) keepFact(ctx context.Context, org, recording uuid.UUID, sql string, args ...any) error {
	return s.db.Housekeep(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		var ours bool
		if err := tx.QueryRow(ctx, "select exists (select from recording where id = $1)", recording).Scan(&ours); err != nil {
			return fmt.Errorf("find the recording: %w", err)
		}
		if !ours {
			return ErrNotFound
		}
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}

// Manifest reads a recording for the server's own work.
func (s *Service) Manifest(ctx context.Context, org, recording uuid.UUID) (m Manifest, err error) {
	err = s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		m, err = loadManifest(ctx, tx, recording)
		return err
	})
	return m, err
}

// RecordingUse is what somebody does with a recording.
type RecordingUse string

// The uses, which are also the audit actions.
const (
	RecordingViewed     RecordingUse = "recording.viewed"
	RecordingDownloaded RecordingUse = "recording.downloaded"
)

// OpenRecording reads a recording for somebody who watches or downloads it, and records that. The reason is required
// of those who do not treat the patient, and kept.
func (s *Service) OpenRecording(ctx context.Context, who audit.Actor, recording uuid.UUID, use RecordingUse, reason string) (m Manifest, err error) {
	event := audit.Event{Action: string(use), ObjectKind: "recording", ObjectID: recording.String(), Reason: reason}
	err = s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		if m, err = loadManifest(ctx, tx, recording); err != nil {
			return err
		}
		tx.Event.Visit, tx.Event.Room = m.Visit, m.Room
		return tx.QueryRow(ctx, "select patient_id from visit where id = $1", m.Visit).Scan(&tx.Event.Patient)
	})
	return m, err
}

func loadManifest(ctx context.Context, tx pgx.Tx, recording uuid.UUID) (m Manifest, err error) {
	rows, err := tx.Query(ctx, `select visit_id, (select room_id from visit v where v.id = visit_id), wrapped_key, `+recordingColumns+` from recording where id = $1`, recording)
	if err != nil {
		return m, fmt.Errorf("read the recording: %w", err)
	}
	m.RecordingView, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (RecordingView, error) {
		return scanRecording(row, &m.Visit, &m.Room, &m.WrappedKey)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return m, ErrNotFound
	}
	if err != nil {
		return m, fmt.Errorf("read the recording: %w", err)
	}
	if m.Tracks, err = loadTracks(ctx, tx, recording); err != nil {
		return m, fmt.Errorf("read the tracks: %w", err)
	}
	if m.Segments, err = loadSegments(ctx, tx, recording); err != nil {
		return m, fmt.Errorf("read the segments: %w", err)
	}
	return m, nil
}

func loadTracks(ctx context.Context, tx pgx.Tx, recording uuid.UUID) ([]Track, error) {
	rows, err := tx.Query(ctx, `select id, recording_id, participant_id, kind, source, codec, started_at from recording_track
		where recording_id = $1 order by started_at, id`, recording)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Track, error) {
		var t Track
		err := row.Scan(&t.ID, &t.Recording, &t.Participant, &t.Kind, &t.Source, &t.Codec, &t.StartedAt)
		utc(&t.StartedAt)
		return t, err
	})
}

func loadSegments(ctx context.Context, tx pgx.Tx, recording uuid.UUID) ([]Segment, error) {
	rows, err := tx.Query(ctx, `select recording_id, track_id, seq, object_key, bytes, sha256, start_ms, duration_ms, stored_at from recording_segment
		where recording_id = $1 order by track_id, seq`, recording)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Segment, error) {
		var g Segment
		var start, length int64
		err := row.Scan(&g.Recording, &g.Track, &g.Seq, &g.ObjectKey, &g.Bytes, &g.SHA256, &start, &length, &g.StoredAt)
		g.Start, g.Duration = time.Duration(start)*time.Millisecond, time.Duration(length)*time.Millisecond
		utc(&g.StoredAt)
		return g, err
	})
}
