package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/identity/keys"
	"github.com/televisit/televisit/media/blob"
	"github.com/televisit/televisit/media/packet"
	"github.com/televisit/televisit/media/recorder"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if spool := os.Getenv("TELEVISIT_TEST_CRASH_SPOOL"); spool != "" {
		recordUntilKilled(spool)
		return
	}
	goleak.VerifyTestMain(m)
}

// wrappedKeys keeps data keys as the database does: wrapped.
type wrappedKeys struct {
	kek *keys.Keys

	mu      sync.Mutex
	wrapped map[uuid.UUID][]byte
}

func newKeys(t testing.TB, file string) *wrappedKeys {
	t.Helper()
	kek, err := keys.Open(context.Background(), keys.Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return &wrappedKeys{kek: kek, wrapped: map[uuid.UUID][]byte{}}
}

var errDestroyed = errors.New("the key was destroyed")

func (w *wrappedKeys) create(t testing.TB, recording uuid.UUID) []byte {
	t.Helper()
	_, wrapped, err := w.kek.NewWrapped(context.Background(), recorder.KeyContext(recording))
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrapped[recording] = wrapped
	return wrapped
}

func (w *wrappedKeys) destroy(recording uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.wrapped, recording)
}

func (w *wrappedKeys) DataKey(ctx context.Context, recording uuid.UUID) ([]byte, error) {
	w.mu.Lock()
	wrapped := w.wrapped[recording]
	w.mu.Unlock()
	if wrapped == nil {
		return nil, errDestroyed
	}
	return w.kek.Unwrap(ctx, wrapped, recorder.KeyContext(recording))
}

// facts collects what the recorder reports.
type facts struct {
	mu        sync.Mutex
	started   []packet.TrackInfo
	segments  []recorder.Segment
	finalized []recorder.Manifest
	failed    []string
	onFail    chan string // if set, gets each reason too
}

func (f *facts) TrackStarted(_, _ uuid.UUID, info packet.TrackInfo, _ time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = append(f.started, info)
}

func (f *facts) SegmentStored(s recorder.Segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.segments = append(f.segments, s)
}

func (f *facts) Finalized(m recorder.Manifest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finalized = append(f.finalized, m)
}

func (f *facts) Failed(_ uuid.UUID, reason string) {
	f.mu.Lock()
	f.failed = append(f.failed, reason)
	f.mu.Unlock()
	if f.onFail != nil {
		f.onFail <- reason
	}
}

// fixture is a recorder with a real store, real keys and a recording that has a key.
type fixture struct {
	*recorder.Recorder
	config    recorder.Config
	dir       string
	store     *blob.Dir
	keys      *wrappedKeys
	facts     *facts
	recording uuid.UUID
}

func setUp(t testing.TB, change func(*recorder.Config)) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{dir: dir, facts: &facts{}, recording: uuid.New()}
	var err error
	if f.store, err = blob.OpenDir(filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	f.keys = newKeys(t, filepath.Join(dir, "key.json"))
	f.keys.create(t, f.recording)
	f.config = recorder.Config{Spool: filepath.Join(dir, "spool"), Store: f.store, Keys: f.keys, Facts: f.facts, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&f.config)
	}
	if f.Recorder, err = recorder.New(f.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func (f *fixture) start(t testing.TB) *recorder.Session {
	t.Helper()
	s, err := f.Start(context.Background(), f.recording)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t testing.TB, s *recorder.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) finalize(t testing.TB) recorder.Manifest {
	t.Helper()
	m, err := f.Finalize(context.Background(), f.recording)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// save decrypts a file of the recording to a temporary path.
func (f *fixture) save(t testing.TB, file recorder.ManifestFile) string {
	t.Helper()
	p, err := f.OpenFile(context.Background(), f.recording, file.ID)
	if err != nil {
		t.Fatal(err)
	}
	body, err := p.Range(context.Background(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	path := filepath.Join(t.TempDir(), "saved")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if n, err := io.Copy(out, body); err != nil || n != file.Bytes {
		t.Fatalf("copied %d of %d bytes: %v", n, file.Bytes, err)
	}
	return path
}

func fileOf(t testing.TB, m recorder.Manifest, kind recorder.FileKind, participant uuid.UUID) recorder.ManifestFile {
	t.Helper()
	for _, f := range m.Files {
		if f.Kind == kind && f.Participant == participant {
			return f
		}
	}
	t.Fatalf("no %s file in %+v", kind, m.Files)
	return recorder.ManifestFile{}
}

// mustBeEncrypted searches everything below the folder for pieces of the sources as they would be in the clear.
func mustBeEncrypted(t testing.TB, folder string, sources ...*source) {
	t.Helper()
	needles := [][]byte{[]byte("OpusHead"), []byte("ftyp"), []byte("matroska"), []byte("webm"), []byte("participant"), []byte("mimeType")}
	for _, s := range sources {
		for _, i := range []int{0, len(s.frames) / 2, len(s.frames) - 1} {
			payload := s.frames[i][0].Payload
			needles = append(needles, payload[len(payload)/2:])
		}
	}
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || entry.Name() == ".lock" {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		for _, needle := range needles {
			if bytes.Contains(content, needle) {
				t.Errorf("%s holds %d bytes of plain media or description", path, len(needle))
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("searched %d files: %v", files, err)
	}
}
