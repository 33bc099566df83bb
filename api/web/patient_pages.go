package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// VisitorVisits are the queries and commands of a patient's or guest's page: *scheduling.Service.
type VisitorVisits interface {
	ForWork(ctx context.Context, org, id uuid.UUID) (scheduling.VisitView, error)
	Arrive(ctx context.Context, who audit.Actor, id uuid.UUID, check scheduling.DeviceCheck) (visit.State, error)
	Consent(ctx context.Context, who audit.Actor, id, participant uuid.UUID, answer string) (visit.State, error)
	End(ctx context.Context, who audit.Actor, id uuid.UUID, reason string) (visit.State, error)
	ExpectedWait(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.Wait, error)
}

// VisitorPages are the visit of a patient or a guest: the one that their session is bound to, and no other.
type VisitorPages struct {
	Site   *Site
	Visits VisitorVisits
	Tokens RoomTokens
	ICE    MediaServers
	Trail  api.Trail
	Now    func() time.Time
}

// Register implements api.Registrar.
func (p *VisitorPages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/visit", identity.VisitAttend, p.on(identity.VisitAttend, p.page))
	script := func(method, path string, action identity.Action, handle visitHandler) {
		r.HandleRoute(api.Route{Method: method, Path: "/visit" + path, Action: action, Answers: api.JSON}, p.on(action, handle))
	}
	script(http.MethodGet, "/status", identity.VisitAttend, p.status)
	script(http.MethodGet, "/people", identity.PeopleView, p.people)
	script(http.MethodPost, "/arrive", identity.VisitArrive, p.arrive)
	script(http.MethodPost, "/consent", identity.ConsentGive, p.consent)
	script(http.MethodPost, "/room-token", identity.RoomJoin, p.roomToken)
	script(http.MethodPost, "/leave", identity.VisitLeave, p.leave)
	script(http.MethodPost, "/feedback", identity.VisitAttend, p.feedback)
}

func (p *VisitorPages) on(action identity.Action, handle visitHandler) gin.HandlerFunc {
	return func(c *gin.Context) {
		who := api.PrincipalOf(c)
		v, err := p.Visits.ForWork(c.Request.Context(), who.Org, who.Visit)
		if err == nil {
			err = api.Allow(c, action, identity.Resource{Visit: who.Visit, Clinician: v.Clinician.ID})
		}
		if err == nil {
			err = handle(c, v)
		}
		if err != nil {
			api.Fail(c, p.Site.told(c, err))
		}
	}
}

// page shows the clinician's name and the time, and nothing of the chart or the reason.
func (p *VisitorPages) page(c *gin.Context, v scheduling.VisitView) error {
	who := api.PrincipalOf(c)
	err := p.Trail.Record(c.Request.Context(), api.ActorOf(c), audit.Event{Action: "visit.opened", Outcome: audit.Success,
		Visit: v.ID, Room: v.Room, Patient: v.Patient.ID})
	if err != nil {
		return err
	}
	view := &VisitorView{Role: string(who.Kind), State: string(v.State.Stage), Clinician: v.Clinician.Name.Reveal(),
		StartsAt: v.StartsAt.In(zone(v.Clinician.TimeZone))}
	for _, consent := range v.Consents {
		if consent.Participant == who.Participant {
			view.Consent = consent.Answer
		}
	}
	if view.Wait, err = p.wait(c, v); err != nil {
		return err
	}
	p.Site.Render(c, http.StatusOK, view)
	return nil
}

func (p *VisitorPages) status(c *gin.Context, v scheduling.VisitView) error {
	wait, err := p.wait(c, v)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"stage": v.State.Stage, "recording": v.State.Recording, "wait": wait})
	return nil
}

// early is how long before its time a visit is told by the clock instead of by minutes.
const early = 30 * time.Minute

// wait says how long it may take, as a sentence.
func (p *VisitorPages) wait(c *gin.Context, v scheduling.VisitView) (string, error) {
	lang := p.Site.Lang(c)
	if v.State.Stage != visit.Booked && v.State.Stage != visit.Arrived {
		return "", nil
	}
	if v.StartsAt.Sub(p.Now()) > early {
		at := formats{lang: lang, texts: p.Site.texts}.clock12(v.StartsAt.In(zone(v.Clinician.TimeZone)))
		return p.Site.texts.Get(lang, "patient.wait.early", "time", at), nil
	}
	wait, err := p.Visits.ExpectedWait(c.Request.Context(), api.ActorOf(c), v.ID)
	if err != nil {
		return "", err
	}
	if minutes := int(wait.Expected / time.Minute); minutes > 0 {
		return p.Site.texts.Count(lang, "patient.wait.about", minutes), nil
	}
	return p.Site.texts.Get(lang, "patient.wait.soon"), nil
}

func (p *VisitorPages) people(c *gin.Context, v scheduling.VisitView) error {
	c.JSON(http.StatusOK, namesIn(v, false))
	return nil
}

func (p *VisitorPages) arrive(c *gin.Context, v scheduling.VisitView) error {
	var check scheduling.DeviceCheck
	if err := c.ShouldBindJSON(&check); err != nil {
		return p.invalid(c, "check")
	}
	state, err := p.Visits.Arrive(c.Request.Context(), api.ActorOf(c), v.ID, check)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"stage": state.Stage})
	return nil
}

func (p *VisitorPages) consent(c *gin.Context, v scheduling.VisitView) error {
	var given struct {
		Answer string `json:"answer"`
	}
	if err := c.ShouldBindJSON(&given); err != nil {
		return p.invalid(c, "answer")
	}
	if _, err := p.Visits.Consent(c.Request.Context(), api.ActorOf(c), v.ID, api.PrincipalOf(c).Participant, given.Answer); err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"answer": given.Answer})
	return nil
}

func (p *VisitorPages) roomToken(c *gin.Context, v scheduling.VisitView) error {
	who := api.PrincipalOf(c)
	entry, err := issue(p.Tokens, p.ICE, v, join.Claims{Org: who.Org, Room: v.Room, Participant: who.Participant, Role: string(who.Kind)})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, entry)
	return nil
}

// leave ends the call for everybody when its patient goes; a guest's going is the room's to know. It is repeated by a
// beacon of the page that closes, so a call that is over is no error.
func (p *VisitorPages) leave(c *gin.Context, v scheduling.VisitView) error {
	if api.PrincipalOf(c).Kind == audit.Patient && v.State.Stage == visit.InCall {
		_, err := p.Visits.End(c.Request.Context(), api.ActorOf(c), v.ID, media.ReasonPeerLeft)
		var refused *visit.Refused
		if err != nil && !errors.As(err, &refused) {
			return err
		}
	}
	c.Status(http.StatusNoContent)
	return nil
}

// feedback keeps how the call was: one word, in the trail beside the call's other facts.
func (p *VisitorPages) feedback(c *gin.Context, v scheduling.VisitView) error {
	var given struct {
		Answer string `json:"answer"`
	}
	if err := c.ShouldBindJSON(&given); err != nil || (given.Answer != "good" && given.Answer != "bad") {
		return p.invalid(c, "answer")
	}
	err := p.Trail.Record(c.Request.Context(), api.ActorOf(c), audit.Event{Action: "call.rated", Outcome: audit.Success, Visit: v.ID, Room: v.Room,
		Detail: map[string]any{"answer": given.Answer}})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"answer": given.Answer})
	return nil
}

func (p *VisitorPages) invalid(c *gin.Context, field string) error {
	return &api.Invalid{Field: field, Sentence: p.Site.texts.Get(p.Site.Lang(c), "visit.error.invalid")}
}
