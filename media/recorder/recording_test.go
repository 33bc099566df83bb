package recorder_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
	"github.com/televisit/televisit/media/packet"
	"github.com/televisit/televisit/media/recorder"
)

const testPicture = "testsrc2=s=320x240:r=25"

func near(got, want, tolerance time.Duration) bool { return (got - want).Abs() <= tolerance }

// One participant is there from the start; the other comes after two seconds, with clocks that are wrong in other ways, and stays longer.
func TestTwoParticipants(t *testing.T) {
	f := setUp(t, nil)
	first, second := uuid.New(), uuid.New()
	camera1, mic1 := video(t, "video/VP8", "color=red:s=320x240:r=25", 6).of(first), tone(t, 440, 6).of(first)
	camera2, mic2 := video(t, "video/VP8", "color=lime:s=320x240:r=25", 6).of(second), tone(t, 880, 6).of(second)
	sources := []*source{camera1, mic1, camera2, mic2}
	began := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	session := f.start(t)
	for i, s := range sources {
		late, skew := time.Duration(0), 700*time.Millisecond
		if i >= 2 {
			late, skew = 2*time.Second, -40*time.Minute
		}
		sink := session.TrackStarted(s.info)
		s.play(t, sink, began.Add(late), skew, nil)
		sink.Close()
	}
	stop(t, session)
	mustBeEncrypted(t, f.dir+"/store", sources...)
	m := f.finalize(t)
	mustBeEncrypted(t, f.dir+"/store", sources...)
	if left, _ := filepath.Glob(f.dir + "/spool/[^.]*"); len(left) != 1 || filepath.Base(left[0]) != "scratch" {
		t.Errorf("the spool holds %v", left)
	}
	if left, _ := filepath.Glob(f.dir + "/spool/scratch/*"); len(left) != 0 {
		t.Errorf("the scratch folder holds %v", left)
	}
	if !near(m.Start.Sub(began), 0, 20*time.Millisecond) || !near(time.Duration(m.DurationMs)*time.Millisecond, 8*time.Second, 50*time.Millisecond) {
		t.Errorf("recording starts %v after the first packet and lasts %d ms", m.Start.Sub(began), m.DurationMs)
	}
	for i, track := range m.Tracks {
		if track.Frames == 0 || !track.Synced || len(track.Gaps) != 0 {
			t.Errorf("track %d: %+v", i, track)
		}
	}
	t.Run("participant files hold every frame", func(t *testing.T) {
		for i, participant := range []uuid.UUID{first, second} {
			file := fileOf(t, m, recorder.FileParticipant, participant)
			path := f.save(t, file)
			mustDecode(t, path)
			p := ffprobe(t, path)
			codec, frames, videoStart := p.stream(t, "video")
			audioCodec, audioFrames, audioStart := p.stream(t, "audio")
			if codec != "vp8" || audioCodec != "opus" || frames != 150 || audioFrames != len(mic1.frames) || file.MimeType != "video/webm" {
				t.Errorf("%s with %d %s and %d %s frames", file.MimeType, frames, codec, audioFrames, audioCodec)
			}
			if math.Abs(videoStart-audioStart) > 0.02 || !near(p.duration(t), 6*time.Second, 50*time.Millisecond) || !near(time.Duration(file.StartMs)*time.Millisecond, time.Duration(2*i)*time.Second, 20*time.Millisecond) {
				t.Errorf("video at %v, audio at %v, %v long, begins at %d ms", videoStart, audioStart, p.duration(t), file.StartMs)
			}
		}
	})
	t.Run("composite keeps the timing", func(t *testing.T) { compositeTiming(t, f, m) })
	t.Run("ranges", func(t *testing.T) { ranges(t, f, m) })
	t.Run("facts", func(t *testing.T) { checkFacts(t, f, m) })
}

func checkFacts(t *testing.T, f *fixture, m recorder.Manifest) {
	f.facts.mu.Lock()
	defer f.facts.mu.Unlock()
	if len(f.facts.started) != 4 || len(f.facts.finalized) != 1 || len(f.facts.failed) != 0 {
		t.Errorf("%d tracks, %d finalized, failed %v", len(f.facts.started), len(f.facts.finalized), f.facts.failed)
	}
	want := 0
	for _, track := range m.Tracks {
		want += len(track.Segments)
	}
	if len(f.facts.segments) != want || want < 4 {
		t.Errorf("%d segments reported, %d in the manifest", len(f.facts.segments), want)
	}
	pattern := regexp.MustCompile(`^recordings/[0-9a-f-]{36}/segments/[0-9a-f-]{36}/[0-9]{8}\.seg$`)
	for _, s := range f.facts.segments {
		if !pattern.MatchString(s.Key) {
			t.Errorf("object key %s", s.Key)
		}
	}
	again, err := f.Manifest(context.Background(), f.recording)
	if err != nil || again.DurationMs != m.DurationMs || len(again.Files) != len(m.Files) || !again.Start.Equal(m.Start) {
		t.Errorf("stored manifest: %+v, %v", again, err)
	}
}

func TestDestroyedKeyMakesEverythingUnreadable(t *testing.T) {
	f := setUp(t, nil)
	camera := video(t, "video/VP8", testPicture, 1)
	session := f.start(t)
	sink := session.TrackStarted(camera.info)
	camera.play(t, sink, time.Now(), 0, nil)
	stop(t, session)
	m := f.finalize(t)
	f.keys.destroy(f.recording)
	mustBeEncrypted(t, f.dir+"/store", camera)
	ctx := context.Background()
	_, finalizeErr := f.Finalize(ctx, f.recording)
	_, manifestErr := f.Manifest(ctx, f.recording)
	_, _, rangeErr := f.OpenRange(ctx, f.recording, 0, 1)
	_, sizeErr := f.Size(ctx, f.recording)
	_, fileErr := f.OpenFile(ctx, f.recording, m.Files[0].ID)
	_, startErr := f.Start(ctx, f.recording)
	for i, err := range []error{finalizeErr, manifestErr, rangeErr, sizeErr, fileErr, startErr} {
		if !errors.Is(err, errDestroyed) {
			t.Errorf("call %d: %v, want that the key is gone", i, err)
		}
	}
	f.keys.create(t, f.recording) // another key does not help
	_, finalizeErr = f.Finalize(ctx, f.recording)
	_, manifestErr = f.Manifest(ctx, f.recording)
	_, _, rangeErr = f.OpenRange(ctx, f.recording, 0, 1)
	for i, err := range []error{finalizeErr, manifestErr, rangeErr} {
		if !errors.Is(err, recorder.ErrUnreadable) {
			t.Errorf("with another key, call %d: %v, want ErrUnreadable", i, err)
		}
	}
	if err := f.Delete(ctx, f.recording); err != nil {
		t.Fatal(err)
	}
	for info := range f.store.List(ctx, "") {
		t.Errorf("%s is left after Delete", info.Key)
	}
}

func TestNothingRecorded(t *testing.T) {
	f := setUp(t, nil)
	session := f.start(t)
	if _, err := f.Start(context.Background(), f.recording); !errors.Is(err, recorder.ErrActive) {
		t.Errorf("second start: %v, want ErrActive", err)
	}
	if _, err := f.Finalize(context.Background(), f.recording); !errors.Is(err, recorder.ErrActive) {
		t.Errorf("finalize while running: %v, want ErrActive", err)
	}
	sink := session.TrackStarted(packet.TrackInfo{ID: uuid.New()})
	stop(t, session)
	if session.TrackStarted(packet.TrackInfo{ID: uuid.New()}) != nil {
		t.Error("a stopped session takes tracks")
	}
	sink.WriteRTP([]byte("late"), time.Now())
	sink.Close()
	if _, err := f.Finalize(context.Background(), f.recording); !errors.Is(err, recorder.ErrEmpty) {
		t.Errorf("finalize: %v, want ErrEmpty", err)
	}
	if _, err := f.Manifest(context.Background(), f.recording); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("manifest: %v, want ErrNotFound", err)
	}
	if _, err := recorder.New(recorder.Config{}); err == nil || !strings.Contains(err.Error(), "spool") {
		t.Errorf("empty configuration: %v", err)
	}
	if second, err := recorder.New(f.config); err == nil {
		second.Close()
		t.Error("a second recorder took the same spool")
	}
}

func TestFinalizeWithoutFFmpegSaysSo(t *testing.T) {
	f := setUp(t, func(c *recorder.Config) { c.FFmpeg = "/nonexistent/ffmpeg" })
	mic := tone(t, 440, 1)
	session := f.start(t)
	mic.play(t, session.TrackStarted(mic.info), time.Now(), 0, nil)
	stop(t, session)
	if _, err := f.Finalize(context.Background(), f.recording); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that ffmpeg is missing", err)
	}
	if len(f.facts.failed) != 1 || f.facts.failed[0] != "finalize" {
		t.Errorf("reported %v", f.facts.failed)
	}
	if left, _ := filepath.Glob(f.dir + "/spool/scratch/*"); len(left) != 0 {
		t.Errorf("the scratch folder holds %v", left)
	}
}
