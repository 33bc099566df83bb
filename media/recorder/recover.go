package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
)

// Recover uploads what a crash or [Recorder.Close] left in the spool, and returns the recordings it belonged to, for
// the caller to finalise. It needs no key. If ctx ends before the store has all, the error wraps [ErrPending] and
// uploading goes on in the background.
func (r *Recorder) Recover(ctx context.Context) ([]uuid.UUID, error) {
	entries, err := os.ReadDir(r.config.Spool)
	if err != nil {
		return nil, fmt.Errorf("recorder: read spool: %w", err)
	}
	var found []uuid.UUID
	for _, entry := range entries {
		recording, err := uuid.Parse(entry.Name())
		if err != nil || !entry.IsDir() || r.active(recording) {
			continue
		}
		if err := r.recoverRecording(recording); err != nil {
			return found, err
		}
		found = append(found, recording)
	}
	for _, recording := range found {
		if err := r.uploads.wait(ctx, recording); err != nil {
			return found, fmt.Errorf("%w: %w", ErrPending, err)
		}
		r.removeEmpty(recording)
	}
	r.teller.settle(ctx)
	return found, nil
}

func (r *Recorder) recoverRecording(recording uuid.UUID) error {
	folder := filepath.Join(r.config.Spool, recording.String())
	names, err := filepath.Glob(filepath.Join(folder, "*", "*"))
	if err != nil {
		return fmt.Errorf("recorder: read spool: %w", err)
	}
	for _, name := range names {
		relative, err := filepath.Rel(folder, name)
		if err != nil {
			return fmt.Errorf("recorder: read spool: %w", err)
		}
		if id, ok := parseSegment(recording, relative, segmentSuffix); ok {
			r.uploads.add(upload{id: id, file: name})
			continue
		}
		id, ok := parseSegment(recording, relative, openSuffix)
		if !ok {
			continue
		}
		kept, err := keepWhole(name)
		if err != nil {
			return fmt.Errorf("recorder: recover segment: %w", err)
		}
		if kept != "" {
			r.uploads.add(upload{id: id, file: kept})
		}
	}
	return nil
}

// keepWhole cuts a crashed segment after its last whole chunk and gives it its final name; one without any is removed, and
// the name is empty.
func keepWhole(name string) (string, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	size, chunks, err := wholeChunks(f)
	if err == nil && chunks > 0 {
		err = errors.Join(f.Truncate(size), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if chunks == 0 {
		return "", os.Remove(name)
	}
	return sealName(name)
}

// removeEmpty removes the spool folders of a recording that is not running; os.Remove refuses those that hold something.
func (r *Recorder) removeEmpty(recording uuid.UUID) {
	folder := filepath.Join(r.config.Spool, recording.String())
	captures, _ := filepath.Glob(filepath.Join(folder, "*")) // the pattern is well formed
	for _, capture := range captures {
		_ = os.Remove(capture)
	}
	_ = os.Remove(folder)
}
