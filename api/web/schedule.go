package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// ScheduleVisits are the commands and queries of the schedule.
type ScheduleVisits interface {
	Day(ctx context.Context, who audit.Actor, clinicians []uuid.UUID, day scheduling.Date) ([]scheduling.VisitView, error)
	FreeTimes(ctx context.Context, who audit.Actor, clinician uuid.UUID, day scheduling.Date, length time.Duration) ([]scheduling.Slot, error)
	Book(ctx context.Context, who audit.Actor, b scheduling.Booking) (scheduling.VisitView, error)
	Move(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, start, end time.Time) (scheduling.VisitView, error)
	Cancel(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, reason string) (visit.State, error)
	Visit(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.VisitView, error)
	ForWork(ctx context.Context, org, id uuid.UUID) (scheduling.VisitView, error)
	Patient(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.PatientView, error)
	SavePatient(ctx context.Context, who audit.Actor, p scheduling.Patient) (uuid.UUID, error)
	PatientsSearched(ctx context.Context, who audit.Actor, ehr string, hits int, known ...uuid.UUID) error
}

// SchedulePages are the calendar and its panel. Each step is a form, so that all of it works without script.
type SchedulePages struct {
	Site   *Site
	Visits ScheduleVisits
	Staff  StaffRegister
	Charts Charts
	Links  PatientLinks
	EHRs   func(org uuid.UUID) []string // names of the organisation's EHRs
	Types  []VisitType
	Now    func() time.Time
}

// UsualTypes are the visit types of an organisation that names no others.
func UsualTypes() []VisitType {
	return []VisitType{{Code: "follow-up", Minutes: 20}, {Code: "new", Minutes: 40}, {Code: "urgent", Minutes: 15}, {Code: "therapy", Minutes: 50}}
}

// Register implements api.Registrar.
func (s *SchedulePages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/schedule", identity.CalendarView, s.page)
	r.Handle(http.MethodPost, "/schedule/patients/search", identity.PatientSearch, s.search)
	r.Handle(http.MethodPost, "/schedule/patients/choose", identity.PatientSearch, s.choose)
	r.Handle(http.MethodPost, "/schedule/book", identity.VisitBook, s.book)
	r.Handle(http.MethodPost, "/schedule/:id/move", identity.VisitMove, s.move)
	r.Handle(http.MethodPost, "/schedule/:id/cancel", identity.VisitCancel, s.cancel)
	r.Handle(http.MethodGet, "/schedule/:id/link", identity.LinkView, s.link)
}

func (s *SchedulePages) page(c *gin.Context) {
	view, err := s.day(c, c.Query("day"))
	if err != nil {
		api.Fail(c, err)
		return
	}
	view.List = c.Query("as") == "list"
	switch {
	case c.Query("patient") != "":
		err = s.bookPanel(c, view)
	case c.Query("visit") != "":
		err = s.visitPanel(c, view, c.Query("visit"), "visit")
	case c.Query("booked") != "":
		err = s.visitPanel(c, view, c.Query("booked"), "booked")
		view.Panel.Booked.Moved = c.Query("moved") != ""
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	s.Site.Render(c, http.StatusOK, view)
}

// search looks for patients in the EHR. What is searched for travels in the body, never in an address.
func (s *SchedulePages) search(c *gin.Context) {
	view, err := s.day(c, c.PostForm("day"))
	if err != nil {
		api.Fail(c, err)
		return
	}
	query := PatientQuery{EHR: c.PostForm("ehr"), Family: c.PostForm("family"), Given: c.PostForm("given"), BirthDate: c.PostForm("birthdate"), MRN: c.PostForm("mrn")}
	view.Panel.Query = query
	if !query.usable() {
		view.Panel.Problem = "query"
		s.Site.Render(c, http.StatusBadRequest, view)
		return
	}
	ctx, who := c.Request.Context(), api.ActorOf(c)
	found, err := s.Charts.FindPatients(ctx, who.Org, query.EHR, query)
	if err != nil {
		api.Warn(c, "the EHR could not be searched", err)
		view.Panel.Problem = "offline"
		s.Site.Render(c, http.StatusServiceUnavailable, view)
		return
	}
	if err := s.Visits.PatientsSearched(ctx, who, query.EHR, len(found)); err != nil {
		api.Fail(c, err)
		return
	}
	view.Panel.Step, view.Panel.AsOf = "results", s.Now()
	for _, p := range found {
		view.Panel.Found = append(view.Panel.Found, foundPatient(p, s.Now()))
	}
	s.Site.Render(c, http.StatusOK, view)
}

// usable asks for enough to find one person and not to list many.
func (q PatientQuery) usable() bool {
	if q.MRN != "" {
		return len(q.MRN) <= 64
	}
	_, err := time.Parse(time.DateOnly, q.BirthDate)
	return err == nil && len([]rune(q.Family)) >= 2 && len(q.Family) <= 100 && len(q.Given) <= 100
}

// choose keeps the patient and goes on to the times.
func (s *SchedulePages) choose(c *gin.Context) {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	patient, err := s.Charts.Patient(ctx, who.Org, c.PostForm("ehr"), phiText(c.PostForm("ref")))
	if err != nil {
		api.Fail(c, err)
		return
	}
	id, err := s.Visits.SavePatient(ctx, who, patient)
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/schedule?"+url.Values{"day": {c.PostForm("day")}, "patient": {id.String()}}.Encode())
}

func (s *SchedulePages) book(c *gin.Context) {
	start, clinician, ok := parseSlot(c.PostForm("slot"))
	patient, err := uuid.Parse(c.PostForm("patient"))
	length := s.length(c.PostForm("type"))
	if !ok || err != nil || length == 0 {
		api.Fail(c, &api.Invalid{Field: "slot", Sentence: s.Site.Texts().Get(s.Site.Lang(c), "schedule.problem.slot")})
		return
	}
	if err := api.Allow(c, identity.VisitBook, identity.Resource{Clinician: clinician}); err != nil {
		api.Fail(c, err)
		return
	}
	ctx, who := c.Request.Context(), api.ActorOf(c)
	booking := scheduling.Booking{Clinician: clinician, Patient: patient, StartsAt: start, EndsAt: start.Add(length), VisitType: c.PostForm("type"),
		Reason: phiText(shortened(c.PostForm("reason"))), Language: c.PostForm("language")}
	if c.PostForm("interpreter") != "" {
		booking.Interpreter = booking.Language
	}
	booked, err := s.Visits.Book(ctx, who, booking)
	if taken := new(scheduling.Taken); errors.As(err, &taken) {
		s.takenWhileBooking(c, clinician, taken.Nearest)
		return
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	if _, err := s.Links.NewPatientLink(ctx, who, booked.ID); err != nil {
		api.Fail(c, err)
		return
	}
	s.toVisit(c, booked, "booked", "")
}

func (s *SchedulePages) takenWhileBooking(c *gin.Context, clinician uuid.UUID, nearest []scheduling.Slot) {
	view, err := s.day(c, c.PostForm("day"))
	if err == nil {
		err = s.bookPanel(c, view)
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	view.Panel.Taken, view.Panel.Reason = true, c.PostForm("reason")
	view.Panel.Slots = s.slots(view, clinician, nearest)
	s.Site.Render(c, http.StatusConflict, view)
}

func (s *SchedulePages) move(c *gin.Context) {
	v, err := s.mine(c, identity.VisitMove)
	if err != nil {
		api.Fail(c, err)
		return
	}
	start, _, ok := parseSlot(c.PostForm("slot"))
	if !ok {
		s.again(c, v, "slot", nil)
		return
	}
	moved, err := s.Visits.Move(c.Request.Context(), api.ActorOf(c), v.ID, number(c.PostForm("version")), start, start.Add(v.EndsAt.Sub(v.StartsAt)))
	taken, changed, refused := new(scheduling.Taken), new(scheduling.Changed), new(visit.Refused)
	switch {
	case err == nil:
		s.toVisit(c, moved, "booked", "1")
	case errors.As(err, &taken):
		s.again(c, v, "", taken.Nearest)
	case errors.As(err, &changed):
		s.again(c, v, "stale", nil)
	case errors.As(err, &refused):
		s.again(c, v, "not-now", nil)
	default:
		api.Fail(c, err)
	}
}

// again shows the visit's panel once more, with what stood in the way.
func (s *SchedulePages) again(c *gin.Context, v scheduling.VisitView, problem string, nearest []scheduling.Slot) {
	view, err := s.day(c, scheduling.DateOf(v.StartsAt, zone(v.Clinician.TimeZone)).String())
	if err == nil {
		err = s.visitPanel(c, view, v.ID.String(), "visit")
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	view.Panel.Problem = problem
	status := http.StatusConflict
	if nearest != nil {
		view.Panel.Taken, view.Panel.Slots = true, s.slots(view, v.Clinician.ID, nearest)
	}
	if problem == "slot" {
		status = http.StatusBadRequest
	}
	s.Site.Render(c, status, view)
}

func (s *SchedulePages) cancel(c *gin.Context) {
	v, err := s.mine(c, identity.VisitCancel)
	if err == nil {
		_, err = s.Visits.Cancel(c.Request.Context(), api.ActorOf(c), v.ID, 0, cancelReason(c.PostForm("reason")))
	}
	if refused := new(visit.Refused); errors.As(err, &refused) {
		s.again(c, v, "not-now", nil)
		return
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	day := scheduling.DateOf(v.StartsAt, zone(v.Clinician.TimeZone)).String()
	c.Redirect(http.StatusSeeOther, "/schedule?"+url.Values{"day": {day}}.Encode())
}

// cancelReason is the code of http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason.
func cancelReason(chosen string) string {
	switch chosen {
	case "patient":
		return "pat"
	case "clinician":
		return "prov"
	case "duplicate", "undo":
		return "oth-err"
	}
	return "other"
}

// mine is the visit in the path, once the policy allows the action on it.
func (s *SchedulePages) mine(c *gin.Context, action identity.Action) (scheduling.VisitView, error) {
	id, err := api.PathID(c, "id")
	if err != nil {
		return scheduling.VisitView{}, err
	}
	v, err := s.Visits.ForWork(c.Request.Context(), api.PrincipalOf(c).Org, id)
	if err != nil {
		return scheduling.VisitView{}, err
	}
	return v, api.Allow(c, action, identity.Resource{Visit: id, Clinician: v.Clinician.ID})
}

func (s *SchedulePages) toVisit(c *gin.Context, v scheduling.VisitView, step, moved string) {
	q := url.Values{"day": {scheduling.DateOf(v.StartsAt, zone(v.Clinician.TimeZone)).String()}, step: {v.ID.String()}}
	if moved != "" {
		q.Set("moved", moved)
	}
	c.Redirect(http.StatusSeeOther, "/schedule?"+q.Encode())
}
