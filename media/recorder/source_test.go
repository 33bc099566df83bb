package recorder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"
	"github.com/televisit/televisit/media/packet"
)

// source is a real encoded stream, cut into RTP packets.
type source struct {
	info   packet.TrackInfo
	frames [][]*rtp.Packet
	every  time.Duration
	ticks  uint32 // RTP ticks a frame
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func encode(t testing.TB, file string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	run(t, "ffmpeg", append(append([]string{"-nostdin", "-v", "error"}, args...), path)...)
	return path
}

const fps = 25

// video makes a stream of ffmpeg's test picture, or of another lavfi source, at 25 frames a second with a key frame each second.
func video(t testing.TB, mimeType, lavfi string, seconds int) *source {
	t.Helper()
	in := []string{"-f", "lavfi", "-i", lavfi, "-t", strconv.Itoa(seconds), "-r", strconv.Itoa(fps), "-g", strconv.Itoa(fps)}
	var frames [][]byte
	var payloader rtp.Payloader
	switch mimeType {
	case "video/VP8":
		frames = ivfFrames(t, encode(t, "v.ivf", append(in, "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k", "-auto-alt-ref", "0")...))
		payloader = &codecs.VP8Payloader{EnablePictureID: true}
	case "video/VP9":
		frames = ivfFrames(t, encode(t, "v.ivf", append(in, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "400k", "-auto-alt-ref", "0", "-lag-in-frames", "0")...))
		payloader = &codecs.VP9Payloader{}
	case "video/H264":
		frames = h264Frames(t, encode(t, "v.h264", append(in, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-x264-params", "sliced-threads=0:slices=1", "-pix_fmt", "yuv420p", "-b:v", "400k")...))
		payloader = &codecs.H264Payloader{}
	}
	s := &source{every: time.Second / fps, ticks: 90000 / fps}
	s.info = packet.TrackInfo{ID: uuid.New(), Participant: uuid.New(), Kind: "video", Source: "camera", MimeType: mimeType, ClockRate: 90000, SSRC: 0x1000}
	s.packetize(frames, payloader, 96)
	return s
}

// tone makes a stream of Opus, 20 ms a frame.
func tone(t testing.TB, hertz, seconds int) *source {
	t.Helper()
	path := encode(t, "a.ogg", "-f", "lavfi", "-i", "sine=frequency="+strconv.Itoa(hertz)+":sample_rate=48000", "-t", strconv.Itoa(seconds),
		"-c:a", "libopus", "-b:a", "48k", "-frame_duration", "20", "-page_duration", "20000")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ogg, _, err := oggreader.NewWith(f)
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for {
		page, _, err := ogg.ParseNextPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(page, []byte("Opus")) { // tags
			frames = append(frames, page)
		}
	}
	s := &source{every: 20 * time.Millisecond, ticks: 960}
	s.info = packet.TrackInfo{ID: uuid.New(), Participant: uuid.New(), Kind: "audio", Source: "mic", MimeType: "audio/opus", ClockRate: 48000, SSRC: 0x2000}
	s.packetize(frames, &codecs.OpusPayloader{}, 111)
	return s
}

func (s *source) packetize(frames [][]byte, payloader rtp.Payloader, payloadType uint8) {
	// Both counters wrap within the stream.
	p := rtp.NewPacketizerWithOptions(1200, payloader, rtp.NewFixedSequencer(65500), s.info.ClockRate,
		rtp.WithSSRC(s.info.SSRC), rtp.WithPayloadType(payloadType), rtp.WithTimestamp(0xffffff00))
	for _, data := range frames {
		s.frames = append(s.frames, p.Packetize(data, s.ticks))
	}
}

// of makes the stream one of the participant.
func (s *source) of(participant uuid.UUID) *source {
	s.info.Participant = participant
	return s
}

func ivfFrames(t testing.TB, path string) (frames [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ivf, _, err := ivfreader.NewWith(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := ivf.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, data)
	}
}

// h264Frames returns access units in the byte-stream format: whatever comes before a slice belongs to it.
func h264Frames(t testing.TB, path string) (frames [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	reader, err := h264reader.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var unit []byte
	for {
		nal, err := reader.NextNAL()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		unit = append(append(unit, 0, 0, 0, 1), nal.Data...)
		if nal.UnitType == h264reader.NalUnitTypeCodedSliceIdr || nal.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr {
			frames, unit = append(frames, unit), nil
		}
	}
}

// play writes the whole stream into the sink as if its first packet had arrived at the time, with a sender report each second from a
// publisher whose clock is ahead by skew. keep chooses packets by frame and number in it; nil keeps all.
func (s *source) play(t testing.TB, sink packet.TrackSink, at time.Time, skew time.Duration, keep func(frame, n int) bool) {
	t.Helper()
	for i, packets := range s.frames {
		arrival := at.Add(time.Duration(i) * s.every)
		if i%int(time.Second/s.every) == 0 {
			sink.SenderReport(ntp(arrival.Add(skew)), packets[0].Timestamp, arrival.Add(5*time.Millisecond))
		}
		s.send(t, sink, i, arrival, keep)
	}
}

func (s *source) send(t testing.TB, sink packet.TrackSink, i int, arrival time.Time, keep func(frame, n int) bool) {
	t.Helper()
	for n, p := range s.frames[i] {
		if keep != nil && !keep(i, n) {
			continue
		}
		raw, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		sink.WriteRTP(raw, arrival.Add(time.Duration(n)*100*time.Microsecond))
		clear(raw) // it is valid during the call only
	}
}

func ntp(at time.Time) uint64 {
	return uint64(at.Unix()+2208988800)<<32 | uint64(at.Nanosecond())<<32/uint64(time.Second)
}

// probe is what ffprobe says of a file.
type probe struct {
	Streams []struct {
		CodecType string `json:"codec_type"`
		CodecName string `json:"codec_name"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
		Frames    string `json:"nb_read_frames"`
		Start     string `json:"start_time"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
		Name     string `json:"format_name"`
	} `json:"format"`
}

func ffprobe(t testing.TB, path string) probe {
	t.Helper()
	var p probe
	out := run(t, "ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", path)
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p probe) duration(t testing.TB) time.Duration {
	t.Helper()
	seconds, err := strconv.ParseFloat(p.Format.Duration, 64)
	if err != nil {
		t.Fatalf("no duration: %v", err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// stream returns codec, frames and start of the first stream of the type.
func (p probe) stream(t testing.TB, codecType string) (codec string, frames int, start float64) {
	t.Helper()
	for _, s := range p.Streams {
		if s.CodecType == codecType {
			frames, err := strconv.Atoi(s.Frames)
			start, startErr := strconv.ParseFloat(s.Start, 64)
			if err != nil || startErr != nil {
				t.Fatalf("stream %+v", s)
			}
			return s.CodecName, frames, start
		}
	}
	t.Fatalf("no %s stream in %+v", codecType, p)
	return "", 0, 0
}

// mustDecode fails if a decoder complains about anything in the file.
func mustDecode(t testing.TB, path string) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-")
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("decoding: %v\n%s", err, stderr.String())
	}
}
