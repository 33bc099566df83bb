package web

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/media/recorder"
	"github.com/televisit/televisit/scheduling"
)

// RecordingVisits are the queries about recordings.
type RecordingVisits interface {
	Recordings(ctx context.Context, who audit.Actor, clinician uuid.UUID) ([]scheduling.VisitView, error)
	Manifest(ctx context.Context, org, recording uuid.UUID) (scheduling.Manifest, error)
	OpenRecording(ctx context.Context, who audit.Actor, recording uuid.UUID, use scheduling.RecordingUse, reason string) (scheduling.Manifest, error)
	Visit(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.VisitView, error)
	ForWork(ctx context.Context, org, id uuid.UUID) (scheduling.VisitView, error)
}

// Playbacks opens what the recorder stored: *recorder.Recorder.
type Playbacks interface {
	Open(ctx context.Context, recording uuid.UUID) (*recorder.Playback, error)
}

// RecordingPages list and play recordings, for the clinician of the visit.
type RecordingPages struct {
	Site      *Site
	Visits    RecordingVisits
	Playbacks Playbacks
	Now       func() time.Time

	mu     sync.Mutex
	viewed map[viewing]time.Time
}

// viewing is one session watching one recording.
type viewing struct{ session, recording uuid.UUID }

// sameViewing is how long the pieces that a player asks for count as one view.
const sameViewing = 15 * time.Minute

// Register implements api.Registrar.
func (p *RecordingPages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/recordings", identity.RecordingView, p.list)
	r.Handle(http.MethodGet, "/recordings/:id", identity.RecordingView, p.player)
	r.HandleRoute(api.Route{Method: http.MethodGet, Path: "/recordings/:id/media", Action: identity.RecordingView, Stream: true}, p.media)
}

func (p *RecordingPages) list(c *gin.Context) {
	who := api.ActorOf(c)
	visits, err := p.Visits.Recordings(c.Request.Context(), who, who.ID)
	if err != nil {
		api.Fail(c, err)
		return
	}
	view := &RecordingsView{Rail: Rail{Current: "recordings"}}
	for i := len(visits) - 1; i >= 0; i-- {
		if visits[i].Recording != nil {
			view.Rows = append(view.Rows, recordingRow(visits[i]))
		}
	}
	p.Site.Render(c, http.StatusOK, view)
}

func recordingRow(v scheduling.VisitView) RecordingRow {
	r := v.Recording
	row := RecordingRow{ID: r.ID.String(), Started: r.StartedAt.In(zone(v.Clinician.TimeZone)), Patient: v.Patient.Name.Reveal(), Type: v.VisitType, State: r.State,
		Problem: r.Problem, Length: r.Duration, Size: size(r.Bytes)}
	for _, consent := range v.Consents {
		if consent.Answer == scheduling.AnswerYes {
			row.Consents++
		}
	}
	return row
}

// size is a number of bytes as people say it.
func size(bytes int64) string {
	switch {
	case bytes <= 0:
		return ""
	case bytes < 1e6:
		return fmt.Sprintf("%d kB", (bytes+999)/1000)
	case bytes < 1e9:
		return fmt.Sprintf("%d MB", bytes/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

func (p *RecordingPages) player(c *gin.Context) {
	recording, visitID, err := p.allowed(c)
	if err != nil {
		api.Fail(c, err)
		return
	}
	v, err := p.Visits.Visit(c.Request.Context(), api.ActorOf(c), visitID)
	if err != nil {
		api.Fail(c, err)
		return
	}
	if v.Recording == nil || v.Recording.ID != recording {
		api.Fail(c, api.ErrNotFound)
		return
	}
	p.Site.Render(c, http.StatusOK, &PlayerView{Recording: recordingRow(v), Clinician: v.Clinician.Name.Reveal(), Fingerprint: fingerprint(v.Recording.SHA256),
		ContentType: v.Recording.ContentType, VisitHref: "/visits/" + v.ID.String()})
}

// fingerprint is a digest in groups that can be read aloud.
func fingerprint(sum []byte) string {
	text := hex.EncodeToString(sum)
	var groups []string
	for len(text) > 4 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return strings.Join(append(groups, text), " ")
}

// media serves the recording in the ranges that a player asks for. Each view and each download is recorded by name
// before the first byte.
func (p *RecordingPages) media(c *gin.Context) {
	recording, _, err := p.allowed(c)
	if err != nil {
		api.Fail(c, err)
		return
	}
	ctx := c.Request.Context()
	if err := p.record(c, recording); err != nil {
		api.Fail(c, err)
		return
	}
	playback, err := p.Playbacks.Open(ctx, recording)
	if errors.Is(err, recorder.ErrNoFile) {
		err = api.ErrNotFound
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	body := playback.Seeker(ctx)
	defer func() { _ = body.Close() }() // read only: nothing can be lost
	c.Header("Content-Type", playback.File.MimeType)
	if c.Query("download") != "" {
		c.Header("Content-Disposition", `attachment; filename="recording-`+recording.String()+`.webm"`)
	}
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, body)
}

// allowed finds the recording's visit and asks the policy.
func (p *RecordingPages) allowed(c *gin.Context) (recording, visit uuid.UUID, err error) {
	if recording, err = api.PathID(c, "id"); err != nil {
		return
	}
	org := api.PrincipalOf(c).Org
	m, err := p.Visits.Manifest(c.Request.Context(), org, recording)
	if err != nil {
		return
	}
	v, err := p.Visits.ForWork(c.Request.Context(), org, m.Visit)
	if err != nil {
		return
	}
	return recording, m.Visit, api.Allow(c, identity.RecordingView, identity.Resource{Visit: m.Visit, Clinician: v.Clinician.ID})
}

// record writes the event, once for the many ranges of one viewing, and for every download.
func (p *RecordingPages) record(c *gin.Context, recording uuid.UUID) error {
	use := scheduling.RecordingViewed
	if c.Query("download") != "" {
		use = scheduling.RecordingDownloaded
	} else if p.ongoing(viewing{api.PrincipalOf(c).Session, recording}) {
		return nil
	}
	_, err := p.Visits.OpenRecording(c.Request.Context(), api.ActorOf(c), recording, use, "")
	if err == nil && use == scheduling.RecordingViewed {
		p.began(viewing{api.PrincipalOf(c).Session, recording})
	}
	return err
}

func (p *RecordingPages) ongoing(v viewing) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	began, ok := p.viewed[v]
	return ok && p.Now().Sub(began) < sameViewing
}

func (p *RecordingPages) began(v viewing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if p.viewed == nil {
		p.viewed = map[viewing]time.Time{}
	}
	for old, began := range p.viewed {
		if now.Sub(began) >= sameViewing {
			delete(p.viewed, old)
		}
	}
	p.viewed[v] = now
}
