package recorder_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/recorder"
)

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
