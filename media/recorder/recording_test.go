package recorder_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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

func compositeTiming(t *testing.T, f *fixture, m recorder.Manifest) {
	path := f.save(t, fileOf(t, m, recorder.FileComposite, uuid.Nil))
	mustDecode(t, path)
	p := ffprobe(t, path)
	codec, frames, _ := p.stream(t, "video")
	audio, _, _ := p.stream(t, "audio")
	if codec != "h264" || audio != "aac" || frames < 198 || frames > 202 || !near(p.duration(t), 8*time.Second, 60*time.Millisecond) {
		t.Errorf("%s and %s, %d frames in %v", codec, audio, frames, p.duration(t))
	}
	// Left panel red from 0 to 6, right panel green from 2 to 8.
	for _, tc := range []struct {
		at   float64
		x    int
		want string
	}{
		{0.2, 320, "red"}, {1.8, 960, "black"}, {2.3, 960, "green"}, {5.8, 320, "red"}, {6.3, 320, "black"}, {7.8, 960, "green"},
	} {
		if got := colourAt(t, path, tc.at, tc.x); got != tc.want {
			t.Errorf("at %v s, x = %d: %s, want %s", tc.at, tc.x, got, tc.want)
		}
	}
	for _, tc := range []struct{ hertz, from, to float64 }{{440, 0, 6}, {880, 2, 8}} {
		from, to := audible(t, path, tc.hertz)
		if math.Abs(from-tc.from) > 0.1 || math.Abs(to-tc.to) > 0.1 {
			t.Errorf("%v Hz sounds from %v to %v, want %v to %v", tc.hertz, from, to, tc.from, tc.to)
		}
	}
	head := make([]byte, 4096)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.ReadFull(file, head); err != nil || !bytes.Contains(head, []byte("moov")) {
		t.Error("the index is not in front: a browser would have to load everything before it can seek")
	}
}

// colourAt decodes one pixel, seeking as a browser does.
func colourAt(t *testing.T, path string, at float64, x int) string {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-ss", fmt.Sprint(at), "-i", path, "-frames:v", "1",
		"-vf", fmt.Sprintf("crop=2:2:%d:240", x), "-f", "rawvideo", "-pix_fmt", "rgb24", "-").Output()
	if err != nil || len(out) < 3 {
		t.Fatalf("pixel at %v: %d bytes, %v", at, len(out), err)
	}
	switch r, g, b := out[0], out[1], out[2]; {
	case r > 150 && g < 80 && b < 80:
		return "red"
	case g > 150 && r < 80 && b < 80:
		return "green"
	case r < 40 && g < 40 && b < 40:
		return "black"
	default:
		return fmt.Sprintf("rgb(%d,%d,%d)", r, g, b)
	}
}

// audible returns when a tone is heard first and last.
func audible(t *testing.T, path string, hertz float64) (from, to float64) {
	t.Helper()
	cmd := exec.Command("ffmpeg", "-nostdin", "-hide_banner", "-i", path, "-vn",
		"-af", fmt.Sprintf("bandpass=f=%v:width_type=h:w=40,bandpass=f=%v:width_type=h:w=40,silencedetect=noise=-40dB:d=0.3", hertz, hertz), "-f", "null", "-")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	times := func(name string) (all []float64) {
		for _, match := range regexp.MustCompile(name+`: (-?[0-9.]+)`).FindAllStringSubmatch(string(out), -1) {
			v, _ := strconv.ParseFloat(match[1], 64)
			all = append(all, v)
		}
		return all
	}
	to = 8
	starts, ends := times("silence_start"), times("silence_end")
	if len(starts) > 0 && starts[0] < 0.3 && len(ends) > 0 {
		from = ends[0]
	}
	if n := len(starts); n > 0 && starts[n-1] > 1 {
		to = starts[n-1]
	}
	return from, to
}

func ranges(t *testing.T, f *fixture, m recorder.Manifest) {
	ctx := context.Background()
	composite := fileOf(t, m, recorder.FileComposite, uuid.Nil)
	whole, err := os.ReadFile(f.save(t, composite))
	if err != nil {
		t.Fatal(err)
	}
	if digest := sha256.Sum256(whole); !bytes.Equal(digest[:], composite.SHA256) {
		t.Error("another digest than the manifest says")
	}
	if size, err := f.Size(ctx, f.recording); err != nil || size != int64(len(whole)) {
		t.Errorf("Size: %d, %v", size, err)
	}
	size := int64(len(whole))
	cases := [][2]int64{{0, 1}, {0, -1}, {size - 1, 1}, {size - 1, 100}, {65535, 2}, {65536, 65536}, {65535, 65538}, {1, size}}
	for range 30 {
		cases = append(cases, [2]int64{rand.Int64N(size), 1 + rand.Int64N(200_000)})
	}
	for _, c := range cases {
		body, total, err := f.OpenRange(ctx, f.recording, c[0], c[1])
		if err != nil {
			t.Fatalf("range %v: %v", c, err)
		}
		got, err := io.ReadAll(body)
		body.Close()
		end := size
		if c[1] >= 0 {
			end = min(size, c[0]+c[1])
		}
		if err != nil || total != size || !bytes.Equal(got, whole[c[0]:end]) {
			t.Errorf("range %v: %d bytes of %d, %v", c, len(got), total, err)
		}
	}
	for _, c := range [][2]int64{{size, 1}, {-1, 1}, {0, 0}, {0, -2}} {
		if _, _, err := f.OpenRange(ctx, f.recording, c[0], c[1]); !errors.Is(err, blob.ErrRange) {
			t.Errorf("range %v: %v, want ErrRange", c, err)
		}
	}
	playback, err := f.Open(ctx, f.recording)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seeker := playback.Seeker(r.Context())
		defer seeker.Close()
		http.ServeContent(w, r, "x.mp4", time.Time{}, seeker)
	}))
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	request, _ := http.NewRequest(http.MethodGet, server.URL, nil)
	request.Header.Set("Range", "bytes=70000-70099")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusPartialContent || !bytes.Equal(got, whole[70000:70100]) {
		t.Errorf("over HTTP: %s, %d bytes", response.Status, len(got))
	}
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

func TestEveryCodec(t *testing.T) {
	for _, tc := range []struct{ mimeType, codec, container string }{
		{"video/VP9", "vp9", "video/webm"}, {"video/H264", "h264", "video/mp4"}, {"video/VP8", "vp8", "video/webm"},
	} {
		t.Run(tc.codec, func(t *testing.T) {
			f := setUp(t, nil)
			participant := uuid.New()
			camera, mic := video(t, tc.mimeType, testPicture, 2).of(participant), tone(t, 440, 2).of(participant)
			session := f.start(t)
			began := time.Now()
			for _, s := range []*source{camera, mic} {
				s.play(t, session.TrackStarted(s.info), began, 0, nil)
			}
			stop(t, session)
			m := f.finalize(t)
			file := fileOf(t, m, recorder.FileParticipant, participant)
			path := f.save(t, file)
			mustDecode(t, path)
			codec, frames, _ := ffprobe(t, path).stream(t, "video")
			_, voices, _ := ffprobe(t, path).stream(t, "audio")
			if codec != tc.codec || frames != 2*fps || voices != len(mic.frames) || file.MimeType != tc.container {
				t.Errorf("%s in %s with %d and %d frames", codec, file.MimeType, frames, voices)
			}
			for _, s := range ffprobe(t, path).Streams {
				if s.CodecType == "video" && (s.Width != 320 || s.Height != 240) {
					t.Errorf("picture of %dx%d", s.Width, s.Height)
				}
			}
			mustDecode(t, f.save(t, fileOf(t, m, recorder.FileComposite, uuid.Nil)))
		})
	}
}

func TestLossReorderingAndRepetition(t *testing.T) {
	f := setUp(t, nil)
	camera := video(t, "video/VP8", testPicture, 4)
	session := f.start(t)
	sink := session.TrackStarted(camera.info)
	began := time.Now()
	const lostFrame = 30 // the first of its packets; frames refer to it until the key frame 50
	var held [][]byte
	for i, packets := range camera.frames {
		for n, p := range packets {
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case i == lostFrame && n == 0:
			case i%10 == 3 && n == 0:
				held = append(held, raw) // comes 200 ms late, after later ones
			default:
				sink.WriteRTP(raw, began.Add(time.Duration(i)*camera.every))
			}
			if i%10 == 8 && n == 0 {
				for _, late := range held {
					sink.WriteRTP(late, began.Add(time.Duration(i)*camera.every))
					sink.WriteRTP(late, began.Add(time.Duration(i)*camera.every))
				}
				held = nil
			}
		}
	}
	sink.WriteRTP([]byte{1, 2, 3}, began)            // not RTP
	sink.WriteRTP(make([]byte, 1<<17), began)        // longer than any datagram
	sink.WriteRTP(padding(t, camera), camera.at(99)) // a probe without payload
	stop(t, session)
	m := f.finalize(t)
	want := len(camera.frames) - 20 // 30 to 49
	if got := m.Tracks[0].Frames; got != want {
		t.Errorf("%d frames, want %d", got, want)
	}
	if gaps := m.Tracks[0].Gaps; len(gaps) != 1 || gaps[0].Reason != "lost-packets" || gaps[0].AtMs < 1100 || gaps[0].AtMs > 1400 {
		t.Errorf("gaps %+v", gaps)
	}
	path := f.save(t, fileOf(t, m, recorder.FileParticipant, camera.info.Participant))
	mustDecode(t, path)
	if _, frames, _ := ffprobe(t, path).stream(t, "video"); frames != want {
		t.Errorf("%d frames in the file, want %d", frames, want)
	}
}

func (s *source) at(frame int) time.Time { return time.Now().Add(time.Duration(frame) * s.every) }

func padding(t *testing.T, s *source) []byte {
	t.Helper()
	last := s.frames[len(s.frames)-1]
	p := *last[len(last)-1]
	p.SequenceNumber++
	p.Payload, p.Padding, p.PaddingSize, p.Header.Padding = nil, true, 100, true
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The sender adapts to the network, is muted, leaves and comes back.
func TestChangesDuringTheCall(t *testing.T) {
	f := setUp(t, nil)
	participant := uuid.New()
	large, small := video(t, "video/VP8", "testsrc2=s=640x480:r=25", 2), video(t, "video/VP8", "testsrc2=s=240x320:r=25", 2)
	again := video(t, "video/VP8", testPicture, 1).of(participant)
	mic := tone(t, 440, 2).of(participant)
	joined := *large
	joined.of(participant)
	joined.frames = append(joined.frames, small.frames...)
	last := large.frames[len(large.frames)-1]
	seq, ts := last[len(last)-1].SequenceNumber, last[0].Timestamp
	for _, packets := range small.frames { // the same stream goes on
		ts += large.ticks
		for _, p := range packets {
			seq++
			p.SequenceNumber, p.Timestamp = seq, ts
		}
	}
	session := f.start(t)
	began := time.Now()
	sink := session.TrackStarted(joined.info)
	joined.play(t, sink, began, 0, nil)
	sink.Gap()
	sink.Close()
	mic.play(t, session.TrackStarted(mic.info), began, 0, nil)
	again.play(t, session.TrackStarted(again.info), began.Add(6*time.Second), 0, nil)
	stop(t, session)
	m := f.finalize(t)
	if len(m.Tracks) != 3 || len(m.Tracks[0].Gaps)+len(m.Tracks[1].Gaps)+len(m.Tracks[2].Gaps) != 1 {
		t.Errorf("tracks %+v", m.Tracks)
	}
	path := f.save(t, fileOf(t, m, recorder.FileParticipant, participant))
	if _, frames, _ := ffprobe(t, path).stream(t, "video"); frames != 125 || !near(ffprobe(t, path).duration(t), 7*time.Second, 60*time.Millisecond) {
		t.Errorf("%d frames in %v", frames, ffprobe(t, path).duration(t))
	}
	path = f.save(t, fileOf(t, m, recorder.FileComposite, uuid.Nil))
	mustDecode(t, path)
	if p := ffprobe(t, path); !near(p.duration(t), 7*time.Second, 60*time.Millisecond) {
		t.Errorf("composite of %v", p.duration(t))
	}
}

func TestAudioOnly(t *testing.T) {
	f := setUp(t, nil)
	mic := tone(t, 440, 2)
	unknown := *mic
	unknown.info.MimeType, unknown.info.ID = "audio/PCMU", uuid.New()
	session := f.start(t)
	mic.play(t, session.TrackStarted(mic.info), time.Now(), 0, nil)
	unknown.play(t, session.TrackStarted(unknown.info), time.Now(), 0, nil)
	stop(t, session)
	m := f.finalize(t)
	if file := fileOf(t, m, recorder.FileParticipant, mic.info.Participant); file.MimeType != "audio/webm" {
		t.Errorf("%+v", file)
	}
	mustDecode(t, f.save(t, fileOf(t, m, recorder.FileComposite, uuid.Nil)))
	reasons := ""
	for _, track := range m.Tracks {
		for _, gap := range track.Gaps {
			reasons += track.MimeType + " " + gap.Reason
		}
	}
	if reasons != "audio/PCMU codec" {
		t.Errorf("gaps: %s", reasons)
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
