package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
	"github.com/televisit/televisit/media/recorder"
)

// troubledStore is a real store behind a bad line.
type troubledStore struct {
	*blob.Dir
	put func(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error)
}

func (s *troubledStore) Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
	return s.put(ctx, key, r, size)
}

func troubled(c *recorder.Config, put func(store *blob.Dir) func(context.Context, string, io.Reader, int64) (blob.Info, error)) {
	store := c.Store.(*blob.Dir)
	c.Store = &troubledStore{Dir: store, put: put(store)}
}

func spooled(f *fixture) int {
	names, _ := filepath.Glob(filepath.Join(f.dir, "spool", f.recording.String(), "*", "*.seg"))
	return len(names)
}

func TestStoreThatHangsStopsNobody(t *testing.T) {
	release := make(chan struct{})
	f := setUp(t, func(c *recorder.Config) {
		troubled(c, func(store *blob.Dir) func(context.Context, string, io.Reader, int64) (blob.Info, error) {
			return func(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
				select {
				case <-release:
				case <-ctx.Done():
					return blob.Info{}, ctx.Err()
				}
				return store.Put(ctx, key, r, size)
			}
		})
	})
	camera := video(t, "video/VP8", testPicture, 3)
	session := f.start(t)
	sink := session.TrackStarted(camera.info)
	camera.play(t, sink, time.Now(), 0, nil) // returns although nothing can be stored
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := session.Stop(ctx); !errors.Is(err, recorder.ErrPending) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop: %v, want ErrPending", err)
	}
	if spooled(f) == 0 {
		t.Error("the spool is empty although nothing was stored")
	}
	if _, err := f.Finalize(context.Background(), f.recording); !errors.Is(err, recorder.ErrPending) {
		t.Errorf("Finalize: %v, want ErrPending", err)
	}
	close(release)
	stop(t, session)
	if m := f.finalize(t); m.Tracks[0].Frames != len(camera.frames) {
		t.Errorf("%d frames of %d", m.Tracks[0].Frames, len(camera.frames))
	}
}

func TestStoreThatFailsOrLiesIsTriedAgain(t *testing.T) {
	var calls atomic.Int32
	f := setUp(t, func(c *recorder.Config) {
		troubled(c, func(store *blob.Dir) func(context.Context, string, io.Reader, int64) (blob.Info, error) {
			return func(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
				content, err := io.ReadAll(r)
				if err != nil {
					return blob.Info{}, err
				}
				switch calls.Add(1) {
				case 1:
					return blob.Info{}, errors.New("503")
				case 2: // keeps other bytes, and says so
					return store.Put(ctx, key, bytes.NewReader(content[:size-1]), size-1)
				case 3: // keeps damaged bytes of the right size
					content[size/2] ^= 1
				}
				return store.Put(ctx, key, bytes.NewReader(content), size)
			}
		})
	})
	f.facts.onFail = make(chan string, 10)
	mic := tone(t, 440, 1)
	session := f.start(t)
	mic.play(t, session.TrackStarted(mic.info), time.Now(), 0, nil)
	stop(t, session)
	if calls.Load() < 4 {
		t.Errorf("stored after %d calls, of which three failed", calls.Load())
	}
	if reason := <-f.facts.onFail; reason != "store" {
		t.Errorf("reported %q", reason)
	}
	if m := f.finalize(t); m.Tracks[0].Frames != len(mic.frames) || len(m.Tracks[0].Gaps) != 0 {
		t.Errorf("%d frames of %d", m.Tracks[0].Frames, len(mic.frames))
	}
}

func TestWhatCloseLeavesIsUploadedAfterTheNextStart(t *testing.T) {
	f := setUp(t, func(c *recorder.Config) {
		troubled(c, func(*blob.Dir) func(context.Context, string, io.Reader, int64) (blob.Info, error) {
			return func(context.Context, string, io.Reader, int64) (blob.Info, error) {
				return blob.Info{}, errors.New("the store is down")
			}
		})
	})
	mic := tone(t, 440, 1)
	session := f.start(t)
	mic.play(t, session.TrackStarted(mic.info), time.Now(), 0, nil)
	if err := f.Close(); err != nil { // without Stop
		t.Fatal(err)
	}
	if _, err := f.Start(context.Background(), uuid.New()); err == nil {
		t.Error("a closed recorder starts")
	}
	if spooled(f) == 0 {
		t.Fatal("Close lost the open segment")
	}
	f.config.Store = f.store
	next, err := recorder.New(f.config)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if found, err := next.Recover(context.Background()); err != nil || len(found) != 1 || found[0] != f.recording {
		t.Fatalf("Recover: %v, %v", found, err)
	}
	m, err := next.Finalize(context.Background(), f.recording)
	if err != nil || m.Tracks[0].Frames != len(mic.frames) || len(m.Tracks[0].Gaps) != 0 {
		t.Errorf("%+v, %v", m.Tracks, err)
	}
}

func TestRecordingGoesOnAfterACrash(t *testing.T) {
	f := setUp(t, nil)
	mic := tone(t, 440, 1)
	session := f.start(t)
	mic.play(t, session.TrackStarted(mic.info), time.Now(), 0, nil)
	stop(t, session)
	// What a crash would have left: a segment without its end, in a capture of its own.
	names, _ := filepath.Glob(filepath.Join(f.dir, "store", "recordings", "*", "segments", "*", "*.seg"))
	if len(names) != 1 {
		t.Fatalf("%d segments", len(names))
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(f.dir, "spool", f.recording.String(), filepath.Base(filepath.Dir(names[0])))
	open := filepath.Join(folder, "00000000.open")
	if err := errors.Join(os.Remove(names[0]), os.MkdirAll(folder, 0o700), os.WriteFile(open, append(content, 0, 0, 0, 9, 9, 'x'), 0o600)); err != nil {
		t.Fatal(err)
	}
	session = f.start(t) // without Recover
	if found, err := f.Recover(context.Background()); err != nil || len(found) != 0 {
		t.Errorf("Recover beside a running session: %v, %v", found, err)
	}
	mic.play(t, session.TrackStarted(mic.info), time.Now().Add(3*time.Second), 0, nil)
	stop(t, session)
	m := f.finalize(t)
	if len(m.Tracks) != 2 || m.Tracks[0].Frames != len(mic.frames) && m.Tracks[1].Frames != len(mic.frames) {
		t.Errorf("%+v", m.Tracks)
	}
}

func TestSegmentRemovedFromTheSpoolDoesNotBlockTheRest(t *testing.T) {
	release := make(chan struct{})
	f := setUp(t, func(c *recorder.Config) {
		troubled(c, func(store *blob.Dir) func(context.Context, string, io.Reader, int64) (blob.Info, error) {
			return func(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
				select {
				case <-release:
					return store.Put(ctx, key, r, size)
				default:
					return blob.Info{}, errors.New("not yet")
				}
			}
		})
	})
	mic := tone(t, 440, 1)
	session := f.start(t)
	for range 2 {
		mic.play(t, session.TrackStarted(mic.info), time.Now(), 0, nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := session.Stop(ctx); !errors.Is(err, recorder.ErrPending) {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(f.dir, "spool", f.recording.String(), "*", "*.seg"))
	if len(names) != 2 {
		t.Fatalf("%d segments", len(names))
	}
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	close(release)
	stop(t, session)
	if m := f.finalize(t); len(m.Tracks) != 1 || m.Tracks[0].Frames != len(mic.frames) {
		t.Errorf("%+v", m.Tracks)
	}
}

func TestFullQueueDropsAndMarks(t *testing.T) {
	f := setUp(t, func(c *recorder.Config) { c.QueueBytes = 20_000 })
	camera := video(t, "video/VP8", testPicture, 3)
	session := f.start(t)
	sink := session.TrackStarted(camera.info)
	began := time.Now()
	// Far faster than the queue is emptied.
	for i := range camera.frames[:50] {
		camera.send(t, sink, i, began.Add(time.Duration(i)*camera.every), nil)
	}
	// The queue is emptied within a quarter of a second; go on until a packet got through again.
	for i := 50; i < len(camera.frames); i++ {
		time.Sleep(20 * time.Millisecond)
		camera.send(t, sink, i, began.Add(time.Duration(i)*camera.every), nil)
	}
	stop(t, session)
	m := f.finalize(t)
	track := m.Tracks[0]
	marked := false
	for _, gap := range track.Gaps {
		marked = marked || gap.Reason == "queue-full"
	}
	if !marked || track.Frames == 0 || track.Frames >= len(camera.frames) {
		t.Errorf("%d of %d frames, gaps %+v", track.Frames, len(camera.frames), track.Gaps)
	}
	mustDecode(t, f.save(t, fileOf(t, m, recorder.FileParticipant, camera.info.Participant)))
}

func TestSpoolThatCannotBeWritten(t *testing.T) {
	f := setUp(t, nil)
	f.facts.onFail = make(chan string, 10)
	mic := tone(t, 440, 2)
	session := f.start(t)
	folder := filepath.Join(f.dir, "spool", f.recording.String())
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // even root cannot make a folder in a file
		t.Fatal(err)
	}
	sink := session.TrackStarted(mic.info)
	began := time.Now()
	for i := range mic.frames[:50] {
		mic.send(t, sink, i, began.Add(time.Duration(i)*mic.every), nil)
	}
	if reason := <-f.facts.onFail; reason != "spool" {
		t.Errorf("reported %q", reason)
	}
	if err := errors.Join(os.Remove(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	for i := 50; i < len(mic.frames); i++ {
		mic.send(t, sink, i, began.Add(time.Duration(i)*mic.every), nil)
	}
	stop(t, session)
	m := f.finalize(t)
	if track := m.Tracks[0]; track.Frames == 0 || len(track.Gaps) == 0 || track.Gaps[0].Reason != "missing-segment" && track.Gaps[0].Reason != "disk" {
		t.Errorf("%d frames, gaps %+v", track.Frames, track.Gaps)
	}
}

func TestConcurrentWritersAndStop(t *testing.T) {
	f := setUp(t, nil)
	mic := tone(t, 440, 1)
	session := f.start(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			one := *mic
			one.info.ID = uuid.New()
			if sink := session.TrackStarted(one.info); sink != nil {
				one.play(t, sink, time.Now(), 0, nil)
				sink.Gap()
				sink.Close()
				sink.Close()
			}
		})
	}
	wg.Go(func() { stop(t, session) })
	wg.Wait()
	stop(t, session)
	if left, _ := filepath.Glob(filepath.Join(f.dir, "spool", f.recording.String(), "*", "*")); len(left) != 0 {
		t.Errorf("the spool holds %d files", len(left))
	}
}
