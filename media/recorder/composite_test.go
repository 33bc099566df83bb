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
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
	"github.com/televisit/televisit/media/recorder"
)

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
