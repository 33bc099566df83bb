package recorder

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// rendering is a playable file that ffmpeg made in the scratch folder.
type rendering struct {
	path        string
	kind        FileKind
	participant uuid.UUID
	mimeType    string
	startMs     int64 // after the recording's start
	durationMs  int64
}

// ffmpeg runs the program; its last words go into the error (they hold no more than scratch paths and stream properties).
func (r *Recorder) ffmpeg(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, r.config.FFmpeg, append([]string{"-nostdin", "-hide_banner", "-loglevel", "error", "-y"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("recorder: ffmpeg: %w", err)
	}
	// Calls on the same machine come first. Best effort: it changes how soon, not whether.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, 10)
	if err := cmd.Wait(); err != nil {
		said := strings.TrimSpace(stderr.String())
		return fmt.Errorf("recorder: ffmpeg: %w: %s", err, said[max(0, len(said)-500):])
	}
	return nil
}

// container chooses what plays in a browser: WebM for VP8 and VP9, MP4 for H264; both at once fit in Matroska only.
func container(lanes []*lane) (extension, mimeType string) {
	webmVideo, otherVideo := false, false
	for _, l := range lanes {
		webmVideo = webmVideo || l.codec.video && l.codec.webm
		otherVideo = otherVideo || l.codec.video && !l.codec.webm
	}
	hasVideo := "audio"
	if webmVideo || otherVideo {
		hasVideo = "video"
	}
	switch {
	case webmVideo && otherVideo:
		return ".mkv", "video/x-matroska"
	case otherVideo:
		return ".mp4", "video/mp4"
	}
	return ".webm", hasVideo + "/webm"
}

// participantArgs copies all lanes of a participant into one file with an index (cues), each at its place in time.
func participantArgs(lanes []*lane, start time.Time, output string) []string {
	var args, maps []string
	for i, l := range lanes {
		args = append(args, "-itsoffset", seconds(l.start.Sub(start)), "-i", l.path)
		maps = append(maps, "-map", strconv.Itoa(i))
	}
	args = append(append(args, maps...), "-c", "copy", "-map_metadata", "-1", "-cues_to_front", "1")
	if strings.HasSuffix(output, ".mp4") {
		args = append(args[:len(args)-2], "-movflags", "+faststart", "-strict", "experimental")
	}
	return append(args, output)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// layout is the grid of a composite; all sizes are even, as the encoder needs.
type layout struct{ columns, rows, width, height int }

func gridFor(panels int) layout {
	switch {
	case panels <= 1:
		return layout{1, 1, 1280, 720}
	case panels == 2:
		return layout{2, 1, 640, 480}
	case panels <= 4:
		return layout{2, 2, 640, 360}
	case panels <= 9:
		return layout{3, 3, 426, 240}
	}
	return layout{4, (panels + 3) / 4, 320, 180}
}

// panelKey is who and what is shown in a place of the grid, however often it was interrupted or changed its codec.
type panelKey struct {
	participant uuid.UUID
	source      string
}

// compositeArgs puts every video lane into its panel for as long as it lasts, mixes every audio lane at its time, and encodes what
// every browser plays and seeks: H264 and AAC in MP4, index in front.
func compositeArgs(lanes []*lane, start, end time.Time, output string) []string {
	panels := map[panelKey]int{}
	for _, l := range lanes {
		key := panelKey{l.participant, l.source}
		if _, found := panels[key]; l.codec.video && !found {
			panels[key] = len(panels)
		}
	}
	grid := gridFor(len(panels))
	duration := end.Sub(start)
	var inputs, filters, voices []string
	canvas := "[canvas]"
	filters = append(filters, fmt.Sprintf("color=black:s=%dx%d:r=25:d=%s%s", grid.columns*grid.width, grid.rows*grid.height, seconds(duration), canvas))
	for i, l := range lanes {
		at, until := l.start.Sub(start), l.end.Sub(start)
		if !l.codec.video {
			inputs = append(inputs, "-i", l.path)
			voices = append(voices, fmt.Sprintf("[v%d]", i))
			filters = append(filters, fmt.Sprintf("[%d:a]asetpts=PTS-STARTPTS,aresample=48000:async=1:min_hard_comp=0.1:first_pts=0,aformat=channel_layouts=stereo,adelay=%d:all=1[v%d]", i, at.Milliseconds(), i))
			continue
		}
		// The sender changes its resolution with the network: the filters must adapt, not restart.
		inputs = append(inputs, "-reinit_filter", "0", "-i", l.path)
		panel := panels[panelKey{l.participant, l.source}]
		x, y := panel%grid.columns*grid.width, panel/grid.columns*grid.height
		filters = append(filters,
			fmt.Sprintf("[%d:v]setpts=PTS-STARTPTS+%s/TB,scale=%d:%d:force_original_aspect_ratio=decrease:force_divisible_by=2,pad=%d:%d:(ow-iw)/2:(oh-ih)/2:eval=frame,setsar=1[p%d]", i, seconds(at), grid.width, grid.height, grid.width, grid.height, i),
			fmt.Sprintf("%s[p%d]overlay=%d:%d:eof_action=pass:enable='between(t,%s,%s)'[c%d]", canvas, i, x, y, seconds(at), seconds(until+40*time.Millisecond), i))
		canvas = fmt.Sprintf("[c%d]", i)
	}
	args := inputs
	maps := []string{"-map", canvas}
	if len(voices) > 0 {
		filters = append(filters, fmt.Sprintf("%samix=inputs=%d:duration=longest:dropout_transition=0:normalize=0,alimiter=limit=0.95,apad=whole_dur=%s[sound]", strings.Join(voices, ""), len(voices), seconds(duration)))
		maps = append(maps, "-map", "[sound]", "-c:a", "aac", "-b:a", "128k")
	}
	args = append(args, "-filter_complex", strings.Join(filters, ";"))
	args = append(args, maps...)
	return append(args, "-t", seconds(duration), "-c:v", "libx264", "-preset", "superfast", "-profile:v", "main", "-pix_fmt", "yuv420p",
		"-b:v", "1500k", "-maxrate", "2000k", "-bufsize", "4000k", "-g", "50", "-map_metadata", "-1", "-movflags", "+faststart", output)
}
