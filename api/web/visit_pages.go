package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir/ehr"
	"github.com/televisit/televisit/fhir/note"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/join"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// CallVisits are the queries and commands of a visit's workspace: *scheduling.Service.
type CallVisits interface {
	Visit(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.VisitView, error)
	ForWork(ctx context.Context, org, id uuid.UUID) (scheduling.VisitView, error)
	Start(ctx context.Context, who audit.Actor, id uuid.UUID) (visit.State, error)
	End(ctx context.Context, who audit.Actor, id uuid.UUID, reason string) (visit.State, error)
	NoShow(ctx context.Context, who audit.Actor, id uuid.UUID) (visit.State, error)
	Cancel(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, reason string) (visit.State, error)
	Consent(ctx context.Context, who audit.Actor, id, participant uuid.UUID, answer string) (visit.State, error)
	StartRecording(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.StartedRecording, error)
	StopRecording(ctx context.Context, who audit.Actor, id uuid.UUID) (visit.State, error)
	EnsureParticipant(ctx context.Context, who audit.Actor, id uuid.UUID, role string, staff uuid.UUID, label phi.Text) (uuid.UUID, error)
}

// Notes are the drafts and what is signed: *note.Service.
type Notes interface {
	Load(ctx context.Context, who audit.Actor, id uuid.UUID) (note.Draft, error)
	Save(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, body note.Body) (int64, error)
	Review(ctx context.Context, who audit.Actor, id uuid.UUID) (note.Review, error)
	Sign(ctx context.Context, who audit.Actor, id uuid.UUID, shown []byte) (note.Signed, error)
	ReviewAmendment(ctx context.Context, who audit.Actor, id uuid.UUID, kind note.Kind, body note.Body) (note.Review, error)
	Amend(ctx context.Context, who audit.Actor, id uuid.UUID, kind note.Kind, body note.Body, shown []byte) (note.Signed, error)
	Signed(ctx context.Context, who audit.Actor, id uuid.UUID) ([]note.Signed, error)
}

// GuestLinks makes the links of guests: *join.Links.
type GuestLinks interface {
	NewGuestLink(ctx context.Context, who audit.Actor, visit uuid.UUID, roleLabel string, name phi.Text) (join.Link, error)
}

// RoomTokens signs entries to a room: *join.Tokens.
type RoomTokens interface {
	Issue(c join.Claims) (token string, expires time.Time, err error)
}

// MediaServers gives the STUN and TURN servers for a participant, with credentials made for them; nil: there are none.
type MediaServers func(participant uuid.UUID) []media.ICEServer

// ChartSearch searches an EHR's chart with the server's own access to it.
type ChartSearch interface {
	Search(ctx context.Context, org uuid.UUID, ehr, resource string, params url.Values) ([]ehr.Resource, error)
}

// VisitPages are a clinician's pages of one visit: before, during and after its call.
type VisitPages struct {
	Site   *Site
	Visits CallVisits
	Notes  Notes
	Guests GuestLinks
	Tokens RoomTokens
	ICE    MediaServers
	Chart  ChartSearch
	Trail  api.Trail
	Proof  Proof // before a signature
	Now    func() time.Time
}

// Register implements api.Registrar.
func (p *VisitPages) Register(r api.Routes) {
	page := func(method, path string, action identity.Action, handle visitHandler) {
		r.Handle(method, "/visits/:id"+path, action, p.on(action, handle))
	}
	script := func(method, path string, action identity.Action, handle visitHandler) {
		r.HandleRoute(api.Route{Method: method, Path: "/visits/:id" + path, Action: action, Answers: api.JSON}, p.on(action, handle))
	}
	page(http.MethodGet, "", identity.VisitView, p.page)
	page(http.MethodGet, "/parts", identity.VisitView, p.parts)
	page(http.MethodGet, "/chart", identity.VisitView, p.chart)
	page(http.MethodPost, "/start", identity.VisitStart, p.start)
	page(http.MethodPost, "/end", identity.VisitEnd, p.end)
	page(http.MethodPost, "/no-show", identity.VisitNoShow, p.noShow)
	page(http.MethodPost, "/cancel", identity.VisitCancel, p.cancel)
	script(http.MethodPost, "/consent", identity.ConsentGive, p.consent)
	script(http.MethodPost, "/recording/start", identity.RecordingStart, p.startRecording)
	script(http.MethodPost, "/recording/stop", identity.RecordingStop, p.stopRecording)
	script(http.MethodPost, "/invite", identity.GuestInvite, p.invite)
	script(http.MethodPost, "/room-token", identity.RoomJoin, p.roomToken)
	script(http.MethodGet, "/people", identity.PeopleView, p.people)
	script(http.MethodGet, "/note", identity.NoteView, p.loadNote)
	script(http.MethodPut, "/note", identity.NoteEdit, p.saveNote)
	page(http.MethodGet, "/review", identity.NoteSign, p.review)
	page(http.MethodPost, "/sign", identity.NoteSign, p.sign)
	page(http.MethodPost, "/addendum", identity.NoteAmend, p.addendum)
}

// visitHandler handles a request on a visit that its caller may act on. A returned error is the answer.
type visitHandler func(c *gin.Context, v scheduling.VisitView) error

// on finds the visit and asks the policy before handle runs.
func (p *VisitPages) on(action identity.Action, handle visitHandler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := p.allowed(c, action, handle); err != nil {
			api.Fail(c, p.Site.told(c, err))
		}
	}
}

func (p *VisitPages) allowed(c *gin.Context, action identity.Action, handle visitHandler) error {
	id, err := api.PathID(c, "id")
	if err != nil {
		return err
	}
	v, err := p.Visits.ForWork(c.Request.Context(), api.PrincipalOf(c).Org, id)
	if err != nil {
		return err
	}
	if api.PrincipalOf(c).Staff == uuid.Nil {
		action = identity.VisitView // patients and guests have pages of their own for what they may do
	}
	if err := api.Allow(c, action, identity.Resource{Visit: id, Clinician: v.Clinician.ID}); err != nil {
		return err
	}
	return handle(c, v)
}

// page shows the workspace. Only here are the patient's data read as an event of its own.
func (p *VisitPages) page(c *gin.Context, v scheduling.VisitView) error {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	v, err := p.Visits.Visit(ctx, who, v.ID)
	if err != nil {
		return err
	}
	view := p.fill(c, v)
	mine := identity.Resource{Org: who.Org, Visit: v.ID, Clinician: v.Clinician.ID}
	if view.CanStart() && identity.Can(api.PrincipalOf(c), identity.RoomJoin, mine) == nil {
		if view.Entry, err = p.entry(c, v); err != nil {
			return err
		}
	}
	if view.Writable() {
		draft, err := p.Notes.Load(ctx, who, v.ID)
		if err != nil {
			return err
		}
		view.Draft = fillDraft(draft, zone(v.Clinician.TimeZone))
	} else if view.MayAmend() {
		signed, err := p.Notes.Signed(ctx, who, v.ID)
		if err != nil {
			return err
		}
		view.Signed = fillSigned(signed, v)
	}
	p.Site.Render(c, http.StatusOK, view)
	return nil
}

// parts are what changes while the page is open.
func (p *VisitPages) parts(c *gin.Context, v scheduling.VisitView) error {
	p.Site.Fragment(c, http.StatusOK, "parts", p.fill(c, v))
	return nil
}

// people tells whom the ids of a call mean; names never travel with it.
func (p *VisitPages) people(c *gin.Context, v scheduling.VisitView) error {
	c.JSON(http.StatusOK, namesIn(v, true))
	return nil
}

type personName struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// namesIn gives the names that somebody in the call may see. The patient's is for the clinician: a guest was let in by
// a link, not by the patient's chart.
func namesIn(v scheduling.VisitView, forClinician bool) map[string]personName {
	names := map[string]personName{}
	for _, person := range v.Participants {
		name := ""
		switch {
		case person.Role == scheduling.RoleGuest:
			name = person.Label.Reveal()
		case person.Role == scheduling.RolePatient && forClinician:
			name = v.Patient.Name.Reveal()
		case person.Role == scheduling.RoleClinician && person.Staff == v.Clinician.ID:
			name = v.Clinician.Name.Reveal()
		}
		if name != "" {
			names[person.ID.String()] = personName{Name: name, Role: person.Role}
		}
	}
	return names
}

// roomToken is an entry to the call. The page brings one; the script fetches those that it needs later.
func (p *VisitPages) roomToken(c *gin.Context, v scheduling.VisitView) error {
	entry, err := p.entry(c, v)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, entry)
	return nil
}

func (p *VisitPages) entry(c *gin.Context, v scheduling.VisitView) (*RoomEntry, error) {
	who := api.ActorOf(c)
	participant, err := p.Visits.EnsureParticipant(c.Request.Context(), who, v.ID, scheduling.RoleClinician, who.ID, phi.Text{})
	if err != nil {
		return nil, err
	}
	return issue(p.Tokens, p.ICE, v, join.Claims{Org: who.Org, Room: v.Room, Participant: participant, Role: scheduling.RoleClinician, Host: true})
}

func issue(tokens RoomTokens, ice MediaServers, v scheduling.VisitView, claims join.Claims) (*RoomEntry, error) {
	token, expires, err := tokens.Issue(claims)
	if err != nil {
		return nil, err
	}
	entry := &RoomEntry{Token: token, Expires: expires.UTC().Format(time.RFC3339), Socket: "/rtc", Room: claims.Room.String(),
		Participant: claims.Participant.String(), Policy: v.MediaPolicy}
	if ice != nil {
		entry.ICEServers = ice(claims.Participant)
	}
	return entry, nil
}
