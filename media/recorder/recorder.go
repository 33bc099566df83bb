package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
	"github.com/televisit/televisit/media/packet"
)

var (
	// ErrActive means that the recording is running.
	ErrActive = errors.New("recorder: the recording is running")
	// ErrPending means that segments of the recording are still being uploaded; try again later.
	ErrPending = errors.New("recorder: segments of the recording are not uploaded yet")
	// ErrEmpty means that nothing was ever recorded.
	ErrEmpty = errors.New("recorder: the recording holds no packets")
	// ErrClosed means that the recorder was closed.
	ErrClosed = errors.New("recorder: closed")
)

// Store is where recordings are kept; media/blob has two.
type Store interface {
	Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error)
	Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error)
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error)
	Head(ctx context.Context, key string) (blob.Info, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error]
}

// Keys gives the data key of a recording: [DataKeySize] bytes, which the recorder wipes. It fails once the key was destroyed.
type Keys interface {
	DataKey(ctx context.Context, recording uuid.UUID) ([]byte, error)
}

// Segment is the fact that a piece of a track is in the store, verified.
type Segment struct {
	// Capture is one uninterrupted capture of a stream; recording it again after a stop makes another.
	Recording, Capture uuid.UUID
	Seq                uint64
	Key                string
	SHA256             []byte
	Bytes              int64
}

// Facts is told what happened, in order, from one goroutine of the recorder: a slow one delays nothing but the facts behind it.
// [Session.Stop], [Recorder.Recover] and [Recorder.Finalize] return after their facts were told.
// A lost fact loses nothing: the store is the truth, and [Recorder.Finalize] goes by it.
type Facts interface {
	TrackStarted(recording, capture uuid.UUID, track packet.TrackInfo, at time.Time)
	SegmentStored(Segment)
	Finalized(Manifest)
	// Failed gives a reason for logs, without identifiers; recording goes on where it can.
	Failed(recording uuid.UUID, reason string)
}

// Config is what a Recorder needs.
type Config struct {
	// Spool is a folder of this process alone, on a disk with room for what is recorded while the store is out of reach.
	Spool string
	// Scratch holds decrypted media while a recording is finalised, and is wiped after. Best a tmpfs or an encrypted
	// volume: overwriting is no guarantee on flash. Default: a folder in the spool.
	Scratch string
	Store   Store
	Keys    Keys
	Facts   Facts
	// FFmpeg is the program; default "ffmpeg".
	FFmpeg string
	// QueueBytes bounds what a track holds in memory while the disk stalls; default 4 MiB.
	QueueBytes int
	Now        func() time.Time // default time.Now
	Log        *slog.Logger
}

// Recorder records calls. It is safe for concurrent use.
type Recorder struct {
	config  Config
	lock    *os.File
	teller  *teller
	uploads *uploader

	mu       sync.Mutex
	closed   bool
	sessions map[uuid.UUID]*Session
}

// New takes the spool for this process, and wipes what an interrupted finalisation left. Call [Recorder.Recover] next.
func New(c Config) (*Recorder, error) {
	if c.Spool == "" || c.Store == nil || c.Keys == nil || c.Facts == nil || c.Log == nil {
		return nil, errors.New("recorder: spool, store, keys, facts and log are required")
	}
	if c.Scratch == "" {
		c.Scratch = filepath.Join(c.Spool, "scratch")
	}
	if c.FFmpeg == "" {
		c.FFmpeg = "ffmpeg"
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 4 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, folder := range []string{c.Spool, c.Scratch} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("recorder: make folder: %w", err)
		}
	}
	lock, err := lockFolder(c.Spool)
	if err != nil {
		return nil, err
	}
	if err := wipeContents(c.Scratch); err != nil {
		lock.Close()
		return nil, fmt.Errorf("recorder: wipe scratch folder: %w", err)
	}
	r := &Recorder{config: c, lock: lock, sessions: map[uuid.UUID]*Session{}}
	r.teller = newTeller(c.Facts)
	r.uploads = newUploader(c, r.teller)
	return r, nil
}

// lockFolder keeps a second process away: it would take the open segments of this one for those of a crash.
func lockFolder(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recorder: lock spool: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("recorder: another process uses the spool: %w", err)
	}
	return f, nil
}

// Start begins to record. The session is a [packet.Tap]: hand it to the room.
func (r *Recorder) Start(ctx context.Context, recording uuid.UUID) (*Session, error) {
	if r.active(recording) {
		return nil, ErrActive
	}
	v, err := r.vault(ctx, recording)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(r.config.Spool, recording.String())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("recorder: make spool folder: %w", err)
	}
	if err := syncFolder(r.config.Spool); err != nil {
		return nil, fmt.Errorf("recorder: sync spool: %w", err)
	}
	// A crash may have left segments of the same recording, which goes on now.
	if err := r.recoverRecording(recording); err != nil {
		return nil, err
	}
	s := &Session{recorder: r, recording: recording, vault: v, folder: folder}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if r.sessions[recording] != nil {
		return nil, ErrActive
	}
	r.sessions[recording] = s
	return s, nil
}

func (r *Recorder) vault(ctx context.Context, recording uuid.UUID) (*vault, error) {
	key, err := r.config.Keys.DataKey(ctx, recording)
	if err != nil {
		return nil, fmt.Errorf("recorder: data key: %w", err)
	}
	return newVault(recording, key)
}

func (r *Recorder) active(recording uuid.UUID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[recording] != nil
}

func (r *Recorder) ended(recording uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, recording)
}

// Close ends all sessions, makes what they have durable in the spool, stops uploading and returns when every goroutine
// is gone. What is in the spool is uploaded after the next start by [Recorder.Recover].
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closed = true
	sessions := make([]*Session, 0, len(r.sessions))
	for _, s := range r.sessions {
		sessions = append(sessions, s)
	}
	r.mu.Unlock()
	for _, s := range sessions {
		s.end()
	}
	r.uploads.close()
	r.teller.close()
	return r.lock.Close()
}
