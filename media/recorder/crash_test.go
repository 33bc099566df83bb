package recorder_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
	"github.com/televisit/televisit/media/packet"
	"github.com/televisit/televisit/media/recorder"
)

// crashPlan is what the child process needs to record as the parent would.
type crashPlan struct {
	Recording uuid.UUID
	Wrapped   []byte
	Tracks    []crashTrack
}

type crashTrack struct {
	Info   packet.TrackInfo
	Every  time.Duration
	Frames [][]string // packets, in hexadecimal
}

// recordUntilKilled is the child: it records at the pace of a call, tells how far it is, and never stops in order.
func recordUntilKilled(dir string) {
	if err := crashingCall(dir); err != nil {
		fmt.Println("error", err)
	}
}

func crashingCall(dir string) error {
	plan, err := readPlan(dir)
	if err != nil {
		return err
	}
	store, err := blob.OpenDir(filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	keys := newKeys(&testing.B{}, filepath.Join(dir, "key.json"))
	keys.wrapped[plan.Recording] = plan.Wrapped
	r, err := recorder.New(recorder.Config{Spool: filepath.Join(dir, "spool"), Store: store, Keys: keys, Facts: &facts{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	session, err := r.Start(context.Background(), plan.Recording)
	if err != nil {
		return err
	}
	var sinks []packet.TrackSink
	for _, track := range plan.Tracks {
		sinks = append(sinks, session.TrackStarted(track.Info))
	}
	began := time.Now()
	next := make([]int, len(sinks))
	for {
		for i, track := range plan.Tracks {
			for next[i] < len(track.Frames) && time.Since(began) >= time.Duration(next[i])*track.Every {
				for _, encoded := range track.Frames[next[i]] {
					raw, err := hex.DecodeString(encoded)
					if err != nil {
						return err
					}
					sinks[i].WriteRTP(raw, time.Now())
				}
				next[i]++
			}
		}
		fmt.Println("sent", next[0], next[1])
		time.Sleep(5 * time.Millisecond)
	}
}

func readPlan(dir string) (plan crashPlan, err error) {
	content, err := os.ReadFile(filepath.Join(dir, "plan.json"))
	if err != nil {
		return plan, err
	}
	return plan, json.Unmarshal(content, &plan)
}

func planOf(t *testing.T, recording uuid.UUID, wrapped []byte, sources ...*source) crashPlan {
	t.Helper()
	plan := crashPlan{Recording: recording, Wrapped: wrapped}
	for _, s := range sources {
		track := crashTrack{Info: s.info, Every: s.every}
		for _, packets := range s.frames {
			var encoded []string
			for _, p := range packets {
				raw, err := p.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				encoded = append(encoded, hex.EncodeToString(raw))
			}
			track.Frames = append(track.Frames, encoded)
		}
		plan.Tracks = append(plan.Tracks, track)
	}
	return plan
}

func TestKilledProcessLosesAtMostTwoSeconds(t *testing.T) {
	dir, participant, recording := t.TempDir(), uuid.New(), uuid.New()
	camera, mic := video(t, "video/VP8", testPicture, 20).of(participant), tone(t, 440, 20).of(participant)
	keys := newKeys(t, filepath.Join(dir, "key.json"))
	plan, err := json.Marshal(planOf(t, recording, keys.create(t, recording), camera, mic))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plan.json"), plan, 0o600); err != nil {
		t.Fatal(err)
	}
	sentFrames, sentVoices := killAfter(t, dir, 130)
	if err := os.Remove(filepath.Join(dir, "plan.json")); err != nil { // it holds the packets
		t.Fatal(err)
	}
	mustBeEncrypted(t, filepath.Join(dir, "spool"), camera, mic)
	if open, _ := filepath.Glob(filepath.Join(dir, "spool", "*", "*", "*.open")); len(open) == 0 {
		t.Error("nothing was open when the process was killed: the test proves less than it says")
	}

	store, err := blob.OpenDir(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r, err := recorder.New(recorder.Config{Spool: filepath.Join(dir, "spool"), Store: store, Keys: keys, Facts: &facts{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	found, err := r.Recover(context.Background())
	if err != nil || len(found) != 1 || found[0] != recording {
		t.Fatalf("Recover: %v, %v", found, err)
	}
	f := &fixture{Recorder: r, recording: recording}
	m := f.finalize(t)
	if found, err := r.Recover(context.Background()); err != nil || len(found) != 0 {
		t.Errorf("second Recover: %v, %v", found, err)
	}
	path := f.save(t, fileOf(t, m, recorder.FileParticipant, participant))
	mustDecode(t, path)
	_, frames, _ := ffprobe(t, path).stream(t, "video")
	_, voices, _ := ffprobe(t, path).stream(t, "audio")
	t.Logf("sent %d and %d frames, kept %d and %d", sentFrames, sentVoices, frames, voices)
	if frames < sentFrames-2*fps || voices < sentVoices-2*50 || frames > len(camera.frames) {
		t.Errorf("sent %d and %d frames before the kill, %d and %d are left", sentFrames, sentVoices, frames, voices)
	}
	cut := 0
	for _, track := range m.Tracks {
		for _, gap := range track.Gaps {
			if gap.Reason == "cut-segment" {
				cut++
			}
		}
	}
	if cut == 0 {
		t.Errorf("the manifest does not say that segments were cut: %+v", m.Tracks)
	}
	mustDecode(t, f.save(t, fileOf(t, m, recorder.FileComposite, uuid.Nil)))
}

// killAfter runs the child until it sent so many frames of video, kills it, and returns what it had sent.
func killAfter(t *testing.T, dir string, enough int) (frames, voices int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TELEVISIT_TEST_CRASH_SPOOL="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[0] != "sent" {
			t.Errorf("child: %s", lines.Text())
			break
		}
		frames, _ = strconv.Atoi(words[1])
		voices, _ = strconv.Atoi(words[2])
		if frames >= enough {
			if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			enough = 1 << 30
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended in order")
	}
	return frames, voices
}
