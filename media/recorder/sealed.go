package recorder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
)

const (
	// plainChunk is how much of a file is encrypted at once, and so the least that a range request decrypts.
	plainChunk = 64 << 10
	// sealedChunk adds a nonce of 12 bytes and a tag of 16.
	sealedChunk = plainChunk + 28
)

// fileID is the same for each finalisation, so that a second one replaces the files of the first.
func fileID(recording uuid.UUID, kind FileKind, participant uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(recording, append([]byte(kind), participant[:]...))
}

func fileKey(recording, file uuid.UUID) string {
	return recordingPrefix(recording) + "files/" + file.String()
}

// sealedSize is the size of the ciphertext of so many bytes.
func sealedSize(plain int64) int64 {
	chunks := (plain + plainChunk - 1) / plainChunk
	return plain + chunks*(sealedChunk-plainChunk)
}

func (r *Recorder) renderAndStore(ctx context.Context, v *vault, plan renderPlan) (ManifestFile, error) {
	if err := r.ffmpeg(ctx, plan.args...); err != nil {
		return ManifestFile{}, err
	}
	f, err := os.Open(plan.path)
	if err != nil {
		return ManifestFile{}, fmt.Errorf("recorder: scratch: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ManifestFile{}, fmt.Errorf("recorder: scratch: %w", err)
	}
	id := fileID(v.recording, plan.kind, plan.participant)
	hash := sha256.New()
	sealer := &sealingReader{vault: v, file: id, size: info.Size(), plain: io.TeeReader(f, hash)}
	size := sealedSize(info.Size())
	stored, err := r.config.Store.Put(ctx, fileKey(v.recording, id), sealer, size)
	if err != nil {
		return ManifestFile{}, fmt.Errorf("recorder: store file: %w", err)
	}
	if stored.Size != size {
		return ManifestFile{}, errors.New("recorder: store file: the store has another size")
	}
	return ManifestFile{
		ID: id, Kind: plan.kind, Participant: plan.participant, MimeType: plan.mimeType, StartMs: plan.startMs, DurationMs: plan.durationMs,
		Bytes: info.Size(), SHA256: hash.Sum(nil),
	}, nil
}

// sealingReader encrypts a file chunk by chunk. Each is bound to the file, its size and the chunk's number.
type sealingReader struct {
	vault *vault
	file  uuid.UUID
	size  int64
	plain io.Reader
	index uint64
	chunk [plainChunk]byte
	ready bytes.Buffer
	ended bool
}

func (s *sealingReader) Read(p []byte) (int, error) {
	for s.ready.Len() == 0 {
		if s.ended {
			return 0, io.EOF
		}
		n, err := io.ReadFull(s.plain, s.chunk[:])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			s.ended = true
		} else if err != nil {
			return 0, err
		}
		if n > 0 {
			s.ready.Write(s.vault.files.Seal(nil, nil, s.chunk[:n], s.vault.identity(s.file, uint64(s.size), s.index)))
			s.index++
		}
	}
	return s.ready.Read(p)
}

// openingReader decrypts from chunk index on, and ends after left bytes.
type openingReader struct {
	vault  *vault
	file   uuid.UUID
	size   int64
	sealed io.ReadCloser
	index  uint64
	skip   int64 // of the first chunk
	left   int64
	plain  []byte
}

func (o *openingReader) Read(p []byte) (int, error) {
	if o.left == 0 {
		return 0, io.EOF
	}
	if len(o.plain) == 0 {
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain[:min(int64(len(o.plain)), o.left)])
	o.plain = o.plain[n:]
	o.left -= int64(n)
	return n, nil
}

func (o *openingReader) next() error {
	length := min(plainChunk, o.size-int64(o.index)*plainChunk) + sealedChunk - plainChunk
	sealed := make([]byte, length)
	if _, err := io.ReadFull(o.sealed, sealed); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	plain, err := open(o.vault.files, sealed, o.vault.identity(o.file, uint64(o.size), o.index))
	if err != nil {
		return err
	}
	if o.skip >= int64(len(plain)) {
		return ErrUnreadable
	}
	o.plain, o.skip = plain[o.skip:], 0
	o.index++
	return nil
}

func (o *openingReader) Close() error { return o.sealed.Close() }
