package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

const maxManifest = 64 << 20

// Manifest describes a finalised recording. It is stored encrypted beside the files. All milliseconds count from Start.
type Manifest struct {
	Version    int             `json:"version"`
	Recording  uuid.UUID       `json:"recording"`
	Start      time.Time       `json:"start"` // the server's clock at the first packet of any track
	DurationMs int64           `json:"durationMs"`
	Tracks     []ManifestTrack `json:"tracks"`
	Files      []ManifestFile  `json:"files"`
}

// ManifestTrack is one capture of one stream.
type ManifestTrack struct {
	Capture     uuid.UUID         `json:"capture"`
	Stream      uuid.UUID         `json:"stream"`
	Participant uuid.UUID         `json:"participant"`
	Kind        string            `json:"kind"`
	Source      string            `json:"source"`
	MimeType    string            `json:"mimeType"`
	StartMs     int64             `json:"startMs"`
	EndMs       int64             `json:"endMs"`
	Packets     int               `json:"packets"`
	Frames      int               `json:"frames"`
	Synced      bool              `json:"synced"` // placed by sender reports, not by arrival alone
	Gaps        []ManifestGap     `json:"gaps,omitempty"`
	Segments    []ManifestSegment `json:"segments"`
}

// ManifestGap marks where something is missing.
type ManifestGap struct {
	AtMs   int64  `json:"atMs"`
	Reason string `json:"reason"` // reported, queue-full, disk, lost-packets, cut-segment, missing-segment, damaged-segment, codec
}

// ManifestSegment names a segment and proves its content.
type ManifestSegment struct {
	Seq    uint64 `json:"seq"`
	Bytes  int64  `json:"bytes"`
	SHA256 []byte `json:"sha256"`
	Cut    bool   `json:"cut,omitempty"` // ended by a crash, or cut by somebody
}

// FileKind tells what a file shows.
type FileKind string

const (
	// FileComposite is everybody side by side, with mixed sound.
	FileComposite FileKind = "composite"
	// FileParticipant is what one participant sent, as sent.
	FileParticipant FileKind = "participant"
)

// ManifestFile is a playable file.
type ManifestFile struct {
	ID          uuid.UUID `json:"id"`
	Kind        FileKind  `json:"kind"`
	Participant uuid.UUID `json:"participant,omitzero"`
	MimeType    string    `json:"mimeType"`
	StartMs     int64     `json:"startMs"`
	DurationMs  int64     `json:"durationMs"`
	Bytes       int64     `json:"bytes"` // of the plain file
	SHA256      []byte    `json:"sha256"`
}

// Composite returns the composite file.
func (m Manifest) Composite() (ManifestFile, bool) {
	for _, f := range m.Files {
		if f.Kind == FileComposite {
			return f, true
		}
	}
	return ManifestFile{}, false
}

func manifestKey(recording uuid.UUID) string { return recordingPrefix(recording) + "manifest" }

// Manifest reads the manifest of a finalised recording. An absent one gives the store's "not found".
func (r *Recorder) Manifest(ctx context.Context, recording uuid.UUID) (Manifest, error) {
	v, err := r.vault(ctx, recording)
	if err != nil {
		return Manifest{}, err
	}
	return r.readManifest(ctx, v)
}

func (r *Recorder) readManifest(ctx context.Context, v *vault) (Manifest, error) {
	body, _, err := r.config.Store.Get(ctx, manifestKey(v.recording))
	if err != nil {
		return Manifest{}, fmt.Errorf("recorder: manifest: %w", err)
	}
	defer body.Close()
	sealed, err := io.ReadAll(io.LimitReader(body, maxManifest))
	if err != nil {
		return Manifest{}, fmt.Errorf("recorder: manifest: %w", err)
	}
	plain, err := open(v.manifest, sealed, v.identity(uuid.Nil))
	if err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := json.Unmarshal(plain, &m); err != nil {
		return Manifest{}, ErrUnreadable
	}
	return m, nil
}

func (r *Recorder) writeManifest(ctx context.Context, v *vault, m Manifest) error {
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("recorder: manifest: %w", err)
	}
	sealed := v.manifest.Seal(nil, nil, plain, v.identity(uuid.Nil))
	if _, err := r.config.Store.Put(ctx, manifestKey(v.recording), bytes.NewReader(sealed), int64(len(sealed))); err != nil {
		return fmt.Errorf("recorder: manifest: %w", err)
	}
	return nil
}
