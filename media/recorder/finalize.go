package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

// lastFrame is how long the last frame of a track is shown.
const lastFrame = 40 * time.Millisecond

// Finalize makes the files of a recording that was stopped (or recovered) and stores them with the manifest, replacing
// what an earlier run stored. It takes a fraction of the recording's length in processor time: run it as a job. Decrypted media is
// in the scratch folder meanwhile, and wiped before it returns.
func (r *Recorder) Finalize(ctx context.Context, recording uuid.UUID) (Manifest, error) {
	m, err := r.finalize(ctx, recording)
	if err != nil {
		r.teller.failed(recording, "finalize")
		r.teller.settle(ctx)
		return Manifest{}, err
	}
	r.teller.finalized(m)
	r.teller.settle(ctx)
	return m, nil
}

func (r *Recorder) finalize(ctx context.Context, recording uuid.UUID) (Manifest, error) {
	if r.active(recording) {
		return Manifest{}, ErrActive
	}
	left, _ := filepath.Glob(filepath.Join(r.config.Spool, recording.String(), "*", "*")) // the pattern is well formed
	if len(left) > 0 || r.uploads.pending(recording) > 0 {
		return Manifest{}, ErrPending
	}
	v, err := r.vault(ctx, recording)
	if err != nil {
		return Manifest{}, err
	}
	folder, err := os.MkdirTemp(r.config.Scratch, "final-")
	if err != nil {
		return Manifest{}, fmt.Errorf("recorder: scratch: %w", err)
	}
	defer r.wipe(folder)
	captures, err := r.loadCaptures(ctx, v, folder)
	if err != nil {
		return Manifest{}, err
	}
	lanes, err := writeLanes(ctx, v, captures, folder)
	if err != nil {
		return Manifest{}, err
	}
	m := newManifest(recording, captures, lanes)
	for _, render := range r.renderings(lanes, m, folder) {
		file, err := r.renderAndStore(ctx, v, render)
		if err != nil {
			return Manifest{}, err
		}
		m.Files = append(m.Files, file)
	}
	return m, r.writeManifest(ctx, v, m)
}

func (r *Recorder) wipe(folder string) {
	if err := wipeContents(folder); err != nil {
		r.config.Log.Error("decrypted media could not be wiped from the scratch folder", slog.String("cause", err.Error()))
	}
	if err := os.RemoveAll(folder); err != nil {
		r.config.Log.Error("scratch folder could not be removed", slog.String("cause", err.Error()))
	}
}

// writeLanes writes every lane, and leaves out those in which no frame was whole.
func writeLanes(ctx context.Context, v *vault, captures []*capture, folder string) ([]*lane, error) {
	var written []*lane
	for i, l := range groupLanes(captures) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := l.write(v, folder, i); err != nil {
			return nil, err
		}
		if l.frames > 0 {
			l.end = l.end.Add(lastFrame)
			written = append(written, l)
		}
	}
	return written, nil
}

// renderPlan is one file to make.
type renderPlan struct {
	rendering
	args []string
}

func (r *Recorder) renderings(lanes []*lane, m Manifest, folder string) []renderPlan {
	var plans []renderPlan
	var order []uuid.UUID
	byParticipant := map[uuid.UUID][]*lane{}
	for _, l := range lanes {
		if byParticipant[l.participant] == nil {
			order = append(order, l.participant)
		}
		byParticipant[l.participant] = append(byParticipant[l.participant], l)
	}
	for i, participant := range order {
		own := byParticipant[participant]
		start, end := span(own)
		extension, mimeType := container(own)
		path := filepath.Join(folder, fmt.Sprintf("participant-%d%s", i, extension))
		plans = append(plans, renderPlan{
			rendering{path: path, kind: FileParticipant, participant: participant, mimeType: mimeType, startMs: start.Sub(m.Start).Milliseconds(), durationMs: end.Sub(start).Milliseconds()},
			participantArgs(own, start, path),
		})
	}
	if len(lanes) > 0 {
		path, end := filepath.Join(folder, "composite.mp4"), m.Start.Add(time.Duration(m.DurationMs)*time.Millisecond)
		plans = append(plans, renderPlan{
			rendering{path: path, kind: FileComposite, mimeType: "video/mp4", durationMs: m.DurationMs},
			compositeArgs(lanes, m.Start, end, path),
		})
	}
	return plans
}

func span(lanes []*lane) (start, end time.Time) {
	for i, l := range lanes {
		if i == 0 || l.start.Before(start) {
			start = l.start
		}
		if l.end.After(end) {
			end = l.end
		}
	}
	return start, end
}

func newManifest(recording uuid.UUID, captures []*capture, lanes []*lane) Manifest {
	start, end := span(lanes)
	for _, c := range captures {
		if len(lanes) == 0 && (start.IsZero() || c.first.Before(start)) {
			start = c.first
		}
		if len(lanes) == 0 && c.last.After(end) {
			end = c.last
		}
	}
	m := Manifest{Version: 1, Recording: recording, Start: start.UTC(), DurationMs: end.Sub(start).Milliseconds()}
	for _, c := range captures {
		t := ManifestTrack{
			Capture: c.id, Stream: c.header.Stream, Participant: c.header.Participant, Kind: c.header.Kind, Source: c.header.Source,
			MimeType: c.header.MimeType, StartMs: c.first.Sub(start).Milliseconds(), EndMs: c.last.Sub(start).Milliseconds(),
			Packets: c.packets, Frames: c.frames, Synced: c.synced, Segments: c.segments,
		}
		for _, gap := range c.gaps {
			t.Gaps = append(t.Gaps, ManifestGap{AtMs: max(0, gap.at.Sub(start).Milliseconds()), Reason: gap.reason})
		}
		m.Tracks = append(m.Tracks, t)
	}
	return m
}
