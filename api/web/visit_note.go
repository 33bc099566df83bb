package web

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling"
)

// noteText is a draft on its way to or from the page's script. Reading uses phi.Text, so that no log can show it.
type noteText struct {
	Version    int64     `json:"version"`
	SavedAt    time.Time `json:"savedAt,omitzero"`
	Subjective string    `json:"subjective"`
	Objective  string    `json:"objective"`
	Assessment string    `json:"assessment"`
	Plan       string    `json:"plan"`
	Error      string    `json:"error,omitempty"`
}

func textOf(d note.Draft) noteText {
	return noteText{Version: d.Version, SavedAt: d.SavedAt, Subjective: d.Body.Subjective.Reveal(), Objective: d.Body.Objective.Reveal(),
		Assessment: d.Body.Assessment.Reveal(), Plan: d.Body.Plan.Reveal()}
}

func (p *VisitPages) loadNote(c *gin.Context, v scheduling.VisitView) error {
	draft, err := p.Notes.Load(c.Request.Context(), api.ActorOf(c), v.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, textOf(draft))
	return nil
}

// saveNote keeps what was typed. Somebody else's newer draft is answered whole, so that nothing of either is lost.
func (p *VisitPages) saveNote(c *gin.Context, v scheduling.VisitView) error {
	var typed struct {
		Version int64 `json:"version"`
		note.Body
	}
	if err := json.NewDecoder(c.Request.Body).Decode(&typed); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return &api.Invalid{Field: "note", Sentence: p.Site.texts.Get(p.Site.Lang(c), "visit.error.invalid")}
	}
	version, err := p.Notes.Save(c.Request.Context(), api.ActorOf(c), v.ID, typed.Version, typed.Body)
	var stale *note.Stale
	if errors.As(err, &stale) {
		newer := textOf(stale.Newer)
		newer.Error = "conflict"
		c.JSON(http.StatusConflict, newer)
		return nil
	}
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"version": version, "savedAt": p.Now().UTC().Format(time.RFC3339)})
	return nil
}

// review shows the exact bytes that a signature would cover.
func (p *VisitPages) review(c *gin.Context, v scheduling.VisitView) error {
	if p.proveFirst(c, v) {
		return nil
	}
	return p.showReview(c, v, http.StatusOK, "")
}

func (p *VisitPages) showReview(c *gin.Context, v scheduling.VisitView, status int, problem string) error {
	r, err := p.Notes.Review(c.Request.Context(), api.ActorOf(c), v.ID)
	if errors.Is(err, note.ErrAlreadySigned) || errors.Is(err, note.ErrNothingToSign) {
		c.Redirect(http.StatusSeeOther, workspace(v))
		return nil
	}
	if err != nil {
		return err
	}
	view := p.reviewView(c, v, r)
	view.Missing, view.Problem = missing(r.Content.Note), problem
	p.Site.Render(c, status, view)
	return nil
}

func (p *VisitPages) reviewView(c *gin.Context, v scheduling.VisitView, r note.Review) *ReviewView {
	where := zone(v.Clinician.TimeZone)
	return &ReviewView{
		ID: v.ID.String(), Person: p.person(c, v), Clinician: r.Content.Clinician.Name.Reveal(), Sections: sections(r.Content.Note),
		Bytes: r.Bytes.Reveal(), Fingerprint: hex.EncodeToString(r.SHA256), Attestation: r.Content.Attestation.Reveal(),
		StartedAt: r.Content.Visit.Started.In(where), EndedAt: r.Content.Visit.Ended.In(where), Zone: where.String(), Action: workspace(v) + "/sign",
	}
}

// missing lists the sections without which a note is not signed: what was found and what is to happen.
func missing(b note.Body) []string {
	var keys []string
	if strings.TrimSpace(b.Assessment.Reveal()) == "" {
		keys = append(keys, "assessment")
	}
	if strings.TrimSpace(b.Plan.Reveal()) == "" {
		keys = append(keys, "plan")
	}
	return keys
}

// sign signs what was shown, or shows what has changed since.
func (p *VisitPages) sign(c *gin.Context, v scheduling.VisitView) error {
	if p.proveFirst(c, v) {
		return p.noteOldProof(c, v, identity.NoteSign)
	}
	ctx, who := c.Request.Context(), api.ActorOf(c)
	draft, err := p.Notes.Load(ctx, who, v.ID)
	if err != nil {
		return err
	}
	if draft.Version > 0 && len(missing(draft.Body)) > 0 {
		return p.showReview(c, v, http.StatusUnprocessableEntity, "incomplete")
	}
	shown, err := hex.DecodeString(c.PostForm("sha256"))
	if err != nil {
		return &api.Invalid{Field: "sha256", Sentence: p.Site.texts.Get(p.Site.Lang(c), "visit.error.invalid")}
	}
	_, err = p.Notes.Sign(ctx, who, v.ID, shown)
	var notShown *note.NotShown
	if errors.As(err, &notShown) {
		return p.showReview(c, v, http.StatusConflict, "changed")
	}
	if err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, workspace(v))
	return nil
}

// addendum shows what an addendum would be, and signs it when that was shown.
func (p *VisitPages) addendum(c *gin.Context, v scheduling.VisitView) error {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	body, ok := addendumBody(c.PostForm("section"), phi.NewText(c.PostForm("text")))
	if !ok {
		return &api.Invalid{Field: "section", Sentence: p.Site.texts.Get(p.Site.Lang(c), "visit.error.invalid")}
	}
	old := p.proofTooOld(c)
	shown, err := hex.DecodeString(c.PostForm("sha256"))
	signing := err == nil && len(shown) > 0
	if signing && old {
		if err := p.noteOldProof(c, v, identity.NoteAmend); err != nil {
			return err
		}
	} else if signing {
		_, err := p.Notes.Amend(ctx, who, v.ID, note.Addendum, body, shown)
		var notShown *note.NotShown
		if err == nil {
			c.Redirect(http.StatusSeeOther, workspace(v))
			return nil
		}
		if !errors.As(err, &notShown) {
			return err
		}
	}
	r, err := p.Notes.ReviewAmendment(ctx, who, v.ID, note.Addendum, body)
	if err != nil {
		return err
	}
	view := p.reviewView(c, v, r)
	view.Action, view.Section, view.Text = workspace(v)+"/addendum", c.PostForm("section"), c.PostForm("text")
	if old {
		view.Prove = proveAt(workspace(v)) // in a window of its own: what was typed stays on this page
	}
	p.Site.Render(c, http.StatusOK, view)
	return nil
}

func addendumBody(section string, text phi.Text) (note.Body, bool) {
	switch section {
	case "subjective":
		return note.Body{Subjective: text}, true
	case "objective":
		return note.Body{Objective: text}, true
	case "assessment":
		return note.Body{Assessment: text}, true
	case "plan":
		return note.Body{Plan: text}, true
	}
	return note.Body{}, false
}
