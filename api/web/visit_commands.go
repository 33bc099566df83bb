package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// done answers a command: a script learns the new state, a form goes on to the page.
func done(c *gin.Context, state visit.State, next string) error {
	if wantsJSON(c) {
		c.JSON(http.StatusOK, gin.H{"stage": state.Stage, "recording": state.Recording})
		return nil
	}
	c.Redirect(http.StatusSeeOther, next)
	return nil
}

func wantsJSON(c *gin.Context) bool { return c.GetHeader("Accept") == "application/json" }

func workspace(v scheduling.VisitView) string { return "/visits/" + v.ID.String() }

func (p *VisitPages) start(c *gin.Context, v scheduling.VisitView) error {
	state, err := p.Visits.Start(c.Request.Context(), api.ActorOf(c), v.ID)
	if err != nil {
		return err
	}
	return done(c, state, workspace(v)+"#start")
}

func (p *VisitPages) end(c *gin.Context, v scheduling.VisitView) error {
	state, err := p.Visits.End(c.Request.Context(), api.ActorOf(c), v.ID, media.ReasonEndedByHost)
	if err != nil {
		return err
	}
	return done(c, state, workspace(v))
}

func (p *VisitPages) noShow(c *gin.Context, v scheduling.VisitView) error {
	state, err := p.Visits.NoShow(c.Request.Context(), api.ActorOf(c), v.ID)
	if err != nil {
		return err
	}
	return done(c, state, "/worklist")
}

// cancelledByProvider is of http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason.
const cancelledByProvider = "prov"

func (p *VisitPages) cancel(c *gin.Context, v scheduling.VisitView) error {
	state, err := p.Visits.Cancel(c.Request.Context(), api.ActorOf(c), v.ID, 0, cancelledByProvider)
	if err != nil {
		return err
	}
	return done(c, state, "/worklist")
}

// consent keeps an answer: the clinician's own, or the one that the patient gave aloud. The trail says who entered it.
func (p *VisitPages) consent(c *gin.Context, v scheduling.VisitView) error {
	var asked struct{ Answer, For string }
	if err := c.ShouldBindJSON(&asked); err != nil {
		return &api.Invalid{Field: "answer", Sentence: p.Site.texts.Get(p.Site.Lang(c), "visit.error.invalid")}
	}
	role := scheduling.RoleClinician
	if asked.For == scheduling.RolePatient {
		role = scheduling.RolePatient
	}
	participant := uuid.Nil
	if person := v.Participant(role); person != nil {
		participant = person.ID
	}
	state, err := p.Visits.Consent(c.Request.Context(), api.ActorOf(c), v.ID, participant, asked.Answer)
	if err != nil {
		return err
	}
	return done(c, state, workspace(v))
}

func (p *VisitPages) startRecording(c *gin.Context, v scheduling.VisitView) error {
	started, err := p.Visits.StartRecording(c.Request.Context(), api.ActorOf(c), v.ID)
	clear(started.Key) // the recorder unwraps its own
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"recording": visit.RecordingRunning, "id": started.ID})
	return nil
}

func (p *VisitPages) stopRecording(c *gin.Context, v scheduling.VisitView) error {
	state, err := p.Visits.StopRecording(c.Request.Context(), api.ActorOf(c), v.ID)
	if err != nil {
		return err
	}
	return done(c, state, workspace(v))
}

// guestRoles are the labels that a guest's link may have.
func guestRoles() []string { return []string{"family", "interpreter", "carer"} }

// invite makes a guest's link. It is answered once and can be copied from there.
func (p *VisitPages) invite(c *gin.Context, v scheduling.VisitView) error {
	var asked struct {
		Label string   `json:"label"`
		Name  phi.Text `json:"name"`
	}
	invalid := &api.Invalid{Field: "label", Sentence: p.Site.texts.Get(p.Site.Lang(c), "visit.error.invalid")}
	if err := c.ShouldBindJSON(&asked); err != nil {
		return invalid
	}
	label := ""
	for _, role := range guestRoles() {
		if role == asked.Label {
			label = p.Site.texts.Get(p.Site.Lang(c), "visit.guest."+role)
		}
	}
	if label == "" || len(asked.Name.Reveal()) > 80 {
		return invalid
	}
	link, err := p.Guests.NewGuestLink(c.Request.Context(), api.ActorOf(c), v.ID, label, asked.Name)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"link": link.URL, "expires": link.ExpiresAt, "participant": link.Participant})
	return nil
}
