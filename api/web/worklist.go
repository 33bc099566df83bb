package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// WorklistVisits are the queries and commands of the worklist.
type WorklistVisits interface {
	Worklist(ctx context.Context, who audit.Actor, day scheduling.Date) ([]scheduling.VisitView, error)
	Unfinished(ctx context.Context, who audit.Actor) ([]scheduling.VisitView, error)
	ForWork(ctx context.Context, org, id uuid.UUID) (scheduling.VisitView, error)
	RetryDelivery(ctx context.Context, who audit.Actor, id uuid.UUID) error
}

// WorklistPages are a clinician's lists.
type WorklistPages struct {
	Site   *Site
	Visits WorklistVisits
	Staff  StaffRegister
	Now    func() time.Time
}

// Register implements api.Registrar.
func (w *WorklistPages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/worklist", identity.WorklistView, w.page)
	r.Handle(http.MethodGet, "/worklist/list", identity.WorklistView, w.list)
	r.Handle(http.MethodPost, "/visits/:id/delivery/retry", identity.DeliveryRetry, w.retry)
}

func (w *WorklistPages) page(c *gin.Context) {
	view, err := w.view(c)
	if err != nil {
		api.Fail(c, err)
		return
	}
	w.Site.Render(c, http.StatusOK, view)
}

// list is the part of the page that is refreshed in place.
func (w *WorklistPages) list(c *gin.Context) {
	view, err := w.view(c)
	if err != nil {
		api.Fail(c, err)
		return
	}
	w.Site.Fragment(c, http.StatusOK, "worklist-groups", view)
}

func (w *WorklistPages) view(c *gin.Context) (*WorklistView, error) {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	me, err := w.Staff.Staff(ctx, who, who.ID)
	if err != nil {
		return nil, err
	}
	now := w.Now().In(zone(me.TimeZone))
	today, err := w.Visits.Worklist(ctx, who, scheduling.Date{})
	if err != nil {
		return nil, err
	}
	open, err := w.Visits.Unfinished(ctx, who)
	if err != nil {
		return nil, err
	}
	view := &WorklistView{List: c.Query("list"), Day: now, Zone: now.Format("MST"), AsOf: now}
	unsigned, undelivered := unfinished(open, now)
	switch view.List {
	case "signing":
		view.Groups = []WorklistGroup{{Key: "signing", Rows: unsigned}}
	case "delivery":
		view.Groups = []WorklistGroup{{Key: "delivery", Rows: undelivered}}
	default:
		view.List, view.Groups = "today", dayGroups(today, now)
	}
	view.Rail = Rail{Current: view.List, Today: len(today), Signing: len(unsigned), Undelivered: len(undelivered)}
	return view, nil
}

// unfinished splits what is left to do: to be signed, and signed but not yet in the EHR.
func unfinished(visits []scheduling.VisitView, now time.Time) (unsigned, undelivered []WorklistRow) {
	for _, v := range visits {
		row := worklistRow(v, now)
		if row.State == "unsigned" {
			unsigned = append(unsigned, row)
		} else {
			undelivered = append(undelivered, row)
		}
	}
	return unsigned, undelivered
}

// soon is how far ahead a visit counts as next.
const soon = time.Hour

// dayGroups orders a day: who waits longest first, then by time.
func dayGroups(visits []scheduling.VisitView, now time.Time) []WorklistGroup {
	groups := []WorklistGroup{{Key: "waiting"}, {Key: "call"}, {Key: "next"}, {Key: "later"}, {Key: "done"}}
	for _, v := range visits {
		group := 4
		switch v.State.Stage {
		case visit.Arrived:
			group = 0
		case visit.InCall:
			group = 1
		case visit.Booked:
			if group = 3; v.StartsAt.Before(now.Add(soon)) {
				group = 2
			}
		}
		groups[group].Rows = append(groups[group].Rows, worklistRow(v, now))
	}
	longestFirst(groups[0].Rows)
	return groups
}

func longestFirst(rows []WorklistRow) {
	for i := 1; i < len(rows); i++ {
		for j := i; j > 0 && rows[j].Since.Before(rows[j-1].Since); j-- {
			rows[j], rows[j-1] = rows[j-1], rows[j]
		}
	}
}

// worklistRow reveals what the visit's own clinician sees of it. now carries the zone that times are shown in.
func worklistRow(v scheduling.VisitView, now time.Time) WorklistRow {
	details := patientDetails(v.Patient)
	row := WorklistRow{ID: v.ID.String(), StartsAt: v.StartsAt.In(now.Location()), Minutes: int(v.EndsAt.Sub(v.StartsAt) / time.Minute),
		Patient: v.Patient.Name.Reveal(), Age: age(v.Patient, now), Pronoun: details.Pronoun, Reason: v.Reason.Reveal(), Type: v.VisitType,
		Interpreter: v.Interpreter != "", State: stateOf(v.State), Checks: deviceChecks(v.DeviceCheck)}
	if v.Language != DefaultLanguage {
		row.Language = v.Language
	}
	switch {
	case v.State.Stage == visit.Arrived && v.ArrivedAt != nil:
		row.Since, row.Waited = *v.ArrivedAt, int(max(now.Sub(*v.ArrivedAt), 0)/time.Minute)
	case v.State.Stage == visit.InCall && v.StartedAt != nil:
		row.Since = *v.StartedAt
	}
	for _, d := range v.Deliveries {
		if d.State == visit.DeliveryRejected && row.State == "undelivered" {
			row.Problem = d.Problem
		}
	}
	row.Action = rowAction(row.ID, v.State)
	early := v.State.Stage == visit.Booked || v.State.Stage == visit.Arrived
	row.Link, row.Cancel, row.NoShow = early || v.State.Stage == visit.InCall, early, v.State.Stage == visit.Booked && v.StartsAt.Before(now)
	return row
}

// stateOf is the one word for the four states of a visit.
func stateOf(s visit.State) string {
	switch s.Stage {
	case visit.Arrived:
		return "waiting"
	case visit.Ended:
		switch {
		case s.Note == visit.NoteNone || s.Note == visit.NoteDraft:
			return "unsigned"
		case s.Delivery == visit.DeliveryRejected:
			return "undelivered"
		case s.Delivery == visit.DeliveryAccepted:
			return "accepted"
		}
		return "sending"
	}
	return string(s.Stage)
}

// rowAction is the one button that fits the state.
func rowAction(id string, s visit.State) RowAction {
	page := "/visits/" + id
	switch stateOf(s) {
	case "booked":
		return RowAction{Key: "open", Href: page}
	case "waiting":
		return RowAction{Key: "start", Href: page + "#start"}
	case "in-call":
		return RowAction{Key: "rejoin", Href: page + "#start"}
	case "unsigned":
		if s.Note == visit.NoteNone {
			return RowAction{Key: "write", Href: page}
		}
		return RowAction{Key: "sign", Href: page + "/review"}
	case "undelivered":
		return RowAction{Key: "retry", Href: page + "/delivery/retry", Post: true}
	case "accepted", "sending":
		return RowAction{Key: "open", Href: page}
	}
	return RowAction{}
}

func deviceChecks(d scheduling.DeviceCheck) []DeviceCheck {
	var marks []DeviceCheck
	for _, mark := range []DeviceCheck{{"camera", d.Camera}, {"mic", d.Microphone}, {"network", d.Network}} {
		if mark.Result != "" {
			marks = append(marks, mark)
		}
	}
	return marks
}

// details are those of a patient's details that pages show.
type details struct {
	Pronoun string `json:"pronoun,omitempty"`
	Gender  string `json:"gender,omitempty"`
	MRN     string `json:"mrn,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Email   string `json:"email,omitempty"`
}

func patientDetails(p scheduling.PatientView) details {
	var d details
	// Details that cannot be read are shown as absent: the visit matters more than a pronoun.
	_ = json.Unmarshal([]byte(p.Details.Reveal()), &d)
	return d
}

// age is in years, from the day of birth to now.
func age(p scheduling.PatientView, now time.Time) string {
	born, err := time.Parse(time.DateOnly, p.BirthDate.Reveal())
	if err != nil {
		return ""
	}
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		years--
	}
	return strconv.Itoa(max(years, 0))
}

// retry sends what the EHR refused once more.
func (w *WorklistPages) retry(c *gin.Context) {
	id, err := api.PathID(c, "id")
	if err != nil {
		api.Fail(c, err)
		return
	}
	ctx, who := c.Request.Context(), api.ActorOf(c)
	v, err := w.Visits.ForWork(ctx, who.Org, id)
	if err == nil {
		err = api.Allow(c, identity.DeliveryRetry, identity.Resource{Visit: id, Clinician: v.Clinician.ID})
	}
	for _, d := range v.Deliveries {
		if err == nil && d.State == visit.DeliveryRejected {
			err = errors.Join(err, w.Visits.RetryDelivery(ctx, who, d.ID))
		}
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	if strings.HasPrefix(c.GetHeader("Accept"), "application/json") {
		c.JSON(http.StatusOK, map[string]string{"delivery": "due"})
		return
	}
	c.Redirect(http.StatusSeeOther, "/worklist?list=delivery")
}
