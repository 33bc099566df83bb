package recorder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/recorder"
)

func TestTamperedSegments(t *testing.T) {
	f := setUp(t, nil)
	mic := tone(t, 440, 1)
	session := f.start(t)
	for range 2 {
		sink := session.TrackStarted(mic.info)
		mic.play(t, sink, time.Now(), 0, nil)
	}
	stop(t, session)
	names, _ := filepath.Glob(filepath.Join(f.dir, "store", "recordings", "*", "segments", "*", "*"))
	if len(names) != 2 {
		t.Fatalf("%d segments", len(names))
	}
	// One segment in the place of the other.
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names[1], content, 0o600); err != nil {
		t.Fatal(err)
	}
	m := f.finalize(t)
	if len(m.Tracks) != 1 || m.Tracks[0].Frames != len(mic.frames) {
		t.Errorf("a moved segment was accepted, or the good one lost: %+v", m.Tracks)
	}
	content[len(content)-1] ^= 1
	for _, name := range names {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Finalize(context.Background(), f.recording); !errors.Is(err, recorder.ErrUnreadable) {
		t.Errorf("all damaged: %v, want ErrUnreadable", err)
	}
}

func TestTamperedFile(t *testing.T) {
	f := setUp(t, nil)
	camera := video(t, "video/VP8", testPicture, 3)
	session := f.start(t)
	camera.play(t, session.TrackStarted(camera.info), time.Now(), 0, nil)
	stop(t, session)
	m := f.finalize(t)
	composite := fileOf(t, m, recorder.FileComposite, uuid.Nil)
	name := filepath.Join(f.dir, "store", "recordings", f.recording.String(), "files", composite.ID.String())
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const chunk = 64<<10 + 28
	if len(good) < 3*chunk {
		t.Fatalf("the composite has %d bytes, too few for this test", len(good))
	}
	swapped := bytes.Clone(good)
	copy(swapped, good[chunk:2*chunk])
	copy(swapped[chunk:], good[:chunk])
	flipped := bytes.Clone(good)
	flipped[100] ^= 1
	for what, content := range map[string][]byte{"swapped": swapped, "flipped": flipped, "cut": good[:len(good)-chunk], "longer": append(bytes.Clone(good), 0)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		body, _, err := f.OpenRange(context.Background(), f.recording, 0, -1)
		if err == nil {
			_, err = io.Copy(io.Discard, body)
			body.Close()
		}
		if !errors.Is(err, recorder.ErrUnreadable) {
			t.Errorf("%s: %v, want ErrUnreadable", what, err)
		}
	}
}

func TestScratchIsWipedAtStart(t *testing.T) {
	f := setUp(t, nil)
	left := filepath.Join(f.dir, "spool", "scratch", "final-1", "composite.mp4")
	if err := errors.Join(f.Close(), os.MkdirAll(filepath.Dir(left), 0o700), os.WriteFile(left, []byte("plain"), 0o600)); err != nil {
		t.Fatal(err)
	}
	second, err := os.OpenFile(left, os.O_RDONLY, 0) // sees what was overwritten, even after the name is gone
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	next, err := recorder.New(f.config)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if _, err := os.Stat(filepath.Dir(left)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("decrypted media of a crashed finalisation is still there: %v", err)
	}
	if content, err := io.ReadAll(second); err != nil || !bytes.Equal(content, make([]byte, 5)) {
		t.Errorf("it was not overwritten: %q, %v", content, err)
	}
}
