package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
)

// ErrNoFile means that a recording has no such file.
var ErrNoFile = errors.New("recorder: the recording has no such file")

// Playback gives access to one file of a finalised recording, with one use of the recording's key. It is safe for concurrent use.
type Playback struct {
	// File describes it.
	File  ManifestFile
	vault *vault
	store Store
}

// Open opens the composite.
func (r *Recorder) Open(ctx context.Context, recording uuid.UUID) (*Playback, error) {
	return r.openFile(ctx, recording, Manifest.Composite)
}

// OpenFile opens the file of the manifest with the id.
func (r *Recorder) OpenFile(ctx context.Context, recording, file uuid.UUID) (*Playback, error) {
	return r.openFile(ctx, recording, func(m Manifest) (ManifestFile, bool) {
		for _, f := range m.Files {
			if f.ID == file {
				return f, true
			}
		}
		return ManifestFile{}, false
	})
}

func (r *Recorder) openFile(ctx context.Context, recording uuid.UUID, choose func(Manifest) (ManifestFile, bool)) (*Playback, error) {
	v, err := r.vault(ctx, recording)
	if err != nil {
		return nil, err
	}
	m, err := r.readManifest(ctx, v)
	if err != nil {
		return nil, err
	}
	f, found := choose(m)
	if !found {
		return nil, ErrNoFile
	}
	return &Playback{File: f, vault: v, store: r.config.Store}, nil
}

// OpenRange opens n bytes of the composite from offset off (all to the end if n is -1), and returns the size of the whole. Only the
// chunks asked for are fetched and decrypted. For several ranges use [Recorder.Open] once.
func (r *Recorder) OpenRange(ctx context.Context, recording uuid.UUID, off, n int64) (io.ReadCloser, int64, error) {
	p, err := r.Open(ctx, recording)
	if err != nil {
		return nil, 0, err
	}
	body, err := p.Range(ctx, off, n)
	return body, p.File.Bytes, err
}

// Size returns the size of the composite in bytes.
func (r *Recorder) Size(ctx context.Context, recording uuid.UUID) (int64, error) {
	p, err := r.Open(ctx, recording)
	if err != nil {
		return 0, err
	}
	return p.File.Bytes, nil
}

// Range opens n bytes from offset off, or all to the end if n is -1. A range that reaches beyond the end is cut; one that
// begins there fails with [blob.ErrRange].
func (p *Playback) Range(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	size := p.File.Bytes
	if off < 0 || off >= size || n == 0 || n < -1 {
		return nil, blob.ErrRange
	}
	if n == -1 || n > size-off {
		n = size - off
	}
	first, last := off/plainChunk, (off+n-1)/plainChunk
	body, info, err := p.store.GetRange(ctx, fileKey(p.vault.recording, p.File.ID), first*sealedChunk, (last-first+1)*sealedChunk)
	if err != nil {
		return nil, fmt.Errorf("recorder: file: %w", err)
	}
	if info.Size != sealedSize(size) {
		return nil, errors.Join(ErrUnreadable, body.Close())
	}
	return &openingReader{
		vault: p.vault, file: p.File.ID, size: size, sealed: body,
		index: uint64(first), skip: off - first*plainChunk, left: n,
	}, nil
}

// Seeker returns the file as net/http.ServeContent takes it. It fetches nothing before the first read after a seek.
func (p *Playback) Seeker(ctx context.Context) io.ReadSeekCloser {
	return &seeker{ctx: ctx, playback: p}
}

type seeker struct {
	ctx      context.Context
	playback *Playback
	pos      int64
	body     io.ReadCloser
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.pos
	case io.SeekEnd:
		offset += s.playback.File.Bytes
	}
	if offset < 0 {
		return 0, errors.New("recorder: seek before the start")
	}
	if offset == s.pos {
		return offset, nil
	}
	s.pos = offset
	return offset, s.Close()
}

func (s *seeker) Read(b []byte) (int, error) {
	if s.pos >= s.playback.File.Bytes {
		return 0, io.EOF
	}
	if s.body == nil {
		body, err := s.playback.Range(s.ctx, s.pos, -1)
		if err != nil {
			return 0, err
		}
		s.body = body
	}
	n, err := s.body.Read(b)
	s.pos += int64(n)
	return n, err
}

func (s *seeker) Close() error {
	if s.body == nil {
		return nil
	}
	err := s.body.Close()
	s.body = nil
	return err
}

// Delete removes everything of a recording from the store. Versions that the store keeps, and backups, become unreadable
// when the caller destroys the wrapped key.
func (r *Recorder) Delete(ctx context.Context, recording uuid.UUID) error {
	if r.active(recording) {
		return ErrActive
	}
	var keys []string
	for info, err := range r.config.Store.List(ctx, recordingPrefix(recording)) {
		if err != nil {
			return fmt.Errorf("recorder: delete: %w", err)
		}
		keys = append(keys, info.Key)
	}
	for _, key := range keys {
		if err := r.config.Store.Delete(ctx, key); err != nil {
			return fmt.Errorf("recorder: delete: %w", err)
		}
	}
	return nil
}
