package recorder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	uploadWorkers = 2
	uploadTimeout = time.Minute
	firstRetry    = 250 * time.Millisecond
	longestRetry  = 30 * time.Second
)

// upload is a closed segment in the spool.
type upload struct {
	id      segmentID
	file    string
	tries   int
	ready   time.Time // not before
	retried time.Duration
}

// uploader moves segments from the spool to the store. The queue holds names, so that it may grow while the store is away.
type uploader struct {
	config Config
	teller *teller
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	queue   []upload
	known   map[string]bool               // files that are queued or being uploaded
	left    map[uuid.UUID]int             // segments not yet verified, by recording
	waiting map[uuid.UUID][]chan struct{} // closed when a recording has none left
	changed chan struct{}                 // closed and replaced when the queue gets something
}

func newUploader(c Config, t *teller) *uploader {
	u := &uploader{config: c, teller: t, known: map[string]bool{}, left: map[uuid.UUID]int{}, waiting: map[uuid.UUID][]chan struct{}{}, changed: make(chan struct{})}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	for range uploadWorkers {
		u.work.Go(u.run)
	}
	return u
}

func (u *uploader) close() {
	u.cancel()
	u.work.Wait()
}

func (u *uploader) add(job upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known[job.file] {
		return // found again, by Recover
	}
	u.known[job.file] = true
	u.left[job.id.recording]++
	u.push(job)
}

func (u *uploader) push(job upload) {
	u.queue = append(u.queue, job)
	close(u.changed)
	u.changed = make(chan struct{})
}

// pending reports how many segments of the recording are not in the store yet.
func (u *uploader) pending(recording uuid.UUID) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.left[recording]
}

// wait returns when every segment of the recording is in the store.
func (u *uploader) wait(ctx context.Context, recording uuid.UUID) error {
	u.mu.Lock()
	if u.left[recording] == 0 {
		u.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	u.waiting[recording] = append(u.waiting[recording], done)
	u.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-u.ctx.Done():
		return ErrClosed
	}
}

func (u *uploader) run() {
	for {
		job, ok := u.next()
		if !ok {
			return
		}
		segment, err := u.store(job)
		switch {
		case err == nil:
			u.teller.segmentStored(segment)
			u.finish(job)
		case u.ctx.Err() != nil:
			return
		case errors.Is(err, fs.ErrNotExist):
			u.config.Log.Error("a recorded segment was removed from the spool before it was stored")
			u.teller.failed(job.id.recording, "spool")
			u.finish(job)
		default:
			u.retry(job, err)
		}
	}
}

// next waits for a job that is due; false when the uploader closes.
func (u *uploader) next() (upload, bool) {
	for {
		job, delay, changed := u.pick()
		if delay == 0 {
			return job, true
		}
		timer := time.NewTimer(delay)
		select {
		case <-u.ctx.Done():
			timer.Stop()
			return upload{}, false
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pick takes a due job out of the queue (delay 0), or says how long until one is due.
func (u *uploader) pick() (job upload, delay time.Duration, changed <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delay = time.Hour
	for i, candidate := range u.queue {
		due := candidate.ready.Sub(u.config.Now())
		if due <= 0 {
			u.queue = append(u.queue[:i], u.queue[i+1:]...)
			return candidate, 0, nil
		}
		delay = min(delay, due)
	}
	return upload{}, delay, u.changed
}

// store puts the segment and asks the store what it has; only then the spool's copy goes.
func (u *uploader) store(job upload) (Segment, error) {
	ctx, cancel := context.WithTimeout(u.ctx, uploadTimeout)
	defer cancel()
	content, err := os.ReadFile(job.file)
	if err != nil {
		return Segment{}, fmt.Errorf("read spool: %w", err)
	}
	digest := sha256.Sum256(content)
	key := job.id.key()
	put, err := u.config.Store.Put(ctx, key, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return Segment{}, err
	}
	head, err := u.config.Store.Head(ctx, key)
	if err != nil {
		return Segment{}, err
	}
	if !bytes.Equal(put.SHA256, digest[:]) || head.Size != int64(len(content)) || head.SHA256 != nil && !bytes.Equal(head.SHA256, digest[:]) {
		return Segment{}, errors.New("the store has other bytes than it was given")
	}
	if err := os.Remove(job.file); err != nil {
		return Segment{}, fmt.Errorf("remove from spool: %w", err)
	}
	id := job.id
	return Segment{Recording: id.recording, Capture: id.capture, Seq: id.seq, Key: key, SHA256: digest[:], Bytes: int64(len(content))}, nil
}

func (u *uploader) retry(job upload, cause error) {
	job.tries++
	job.retried = min(max(firstRetry, 2*job.retried), longestRetry)
	job.ready = u.config.Now().Add(job.retried)
	u.config.Log.Warn("recording segment is not stored yet", slog.Int("tries", job.tries), slog.Duration("next", job.retried), slog.String("cause", cause.Error()))
	if job.tries == 1 {
		u.teller.failed(job.id.recording, "store")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.push(job)
}

func (u *uploader) finish(job upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	recording := job.id.recording
	delete(u.known, job.file)
	if u.left[recording]--; u.left[recording] > 0 {
		return
	}
	delete(u.left, recording)
	for _, done := range u.waiting[recording] {
		close(done)
	}
	delete(u.waiting, recording)
}
