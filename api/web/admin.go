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
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// CallRegister is what an administrator may see of visits: nothing clinical, and nobody's name.
type CallRegister interface {
	Calls(ctx context.Context, who audit.Actor, day scheduling.Date) ([]scheduling.Call, scheduling.Date, error)
	Inspect(ctx context.Context, who audit.Actor, id uuid.UUID, reason string) (scheduling.Inspection, error)
}

// AdminPages show administrators how calls go. One visit is shown for a reason only, which the trail keeps.
type AdminPages struct {
	Site  *Site
	Calls CallRegister
	Staff StaffRegister
	Now   func() time.Time
}

// operations is the purpose of an administrator's look (HL7 v3-ActReason: healthcare operations).
const operations = "HOPERAT"

// Register implements api.Registrar.
func (a *AdminPages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/admin/visits", identity.VisitInspect, a.list)
	r.Handle(http.MethodGet, "/admin/visits/:id", identity.VisitInspect, a.ask)
	r.Handle(http.MethodPost, "/admin/visits/:id", identity.VisitInspect, a.inspect)
}

func (a *AdminPages) list(c *gin.Context) {
	var wanted scheduling.Date
	if day := c.Query("day"); day != "" {
		var err error
		if wanted, err = scheduling.ParseDate(day); err != nil {
			api.Fail(c, err)
			return
		}
	}
	ctx, who := c.Request.Context(), a.actor(c)
	me, err := a.Staff.Staff(ctx, who, who.ID)
	if err != nil {
		api.Fail(c, err)
		return
	}
	calls, day, err := a.Calls.Calls(ctx, who, wanted)
	if err != nil {
		api.Fail(c, err)
		return
	}
	local := zone(me.TimeZone)
	now := a.Now().In(local)
	today := scheduling.DateOf(now, local)
	view := &CallsView{Day: time.Date(day.Year, day.Month, day.Day, 0, 0, 0, 0, local), Previous: day.Add(-1).String(), Next: day.Add(1).String(),
		Today: today.String(), IsToday: day == today}
	for _, call := range calls {
		view.Rows = append(view.Rows, callRow(call, now))
	}
	a.Site.Render(c, http.StatusOK, view)
}

// ask is the form for the reason; nothing of the visit is read yet.
func (a *AdminPages) ask(c *gin.Context) {
	id, err := api.PathID(c, "id")
	if err != nil {
		api.Fail(c, err)
		return
	}
	a.Site.Render(c, http.StatusOK, &InspectView{Visit: id.String()})
}

func (a *AdminPages) inspect(c *gin.Context) {
	id, err := api.PathID(c, "id")
	if err != nil {
		api.Fail(c, err)
		return
	}
	if err := api.Allow(c, identity.VisitInspect, identity.Resource{Visit: id}); err != nil {
		api.Fail(c, err)
		return
	}
	ctx, who := c.Request.Context(), a.actor(c)
	view := &InspectView{Visit: id.String(), Reason: c.PostForm("reason")}
	in, err := a.Calls.Inspect(ctx, who, id, view.Reason)
	var invalid *scheduling.Invalid
	switch {
	case errors.Is(err, scheduling.ErrNoReason):
		view.Problem = "no-reason"
	case errors.As(err, &invalid):
		view.Problem = "reason"
	case err != nil:
		api.Fail(c, err)
		return
	}
	if view.Problem != "" {
		a.Site.Render(c, http.StatusBadRequest, view)
		return
	}
	me, err := a.Staff.Staff(ctx, who, who.ID)
	if err != nil {
		api.Fail(c, err)
		return
	}
	view.Shown = inspectedCall(in, a.Now().In(zone(me.TimeZone)))
	a.Site.Render(c, http.StatusOK, view)
}

func (a *AdminPages) actor(c *gin.Context) audit.Actor {
	who := api.ActorOf(c)
	who.Purpose = operations
	return who
}

// callRow shows a visit in the zone that now carries.
func callRow(call scheduling.Call, now time.Time) CallRow {
	row := CallRow{ID: call.ID.String(), StartsAt: call.StartsAt.In(now.Location()), EndsAt: call.EndsAt.In(now.Location()), State: stateOf(call.State), Present: call.Present}
	if r := call.State.Recording; r != visit.RecordingOff && r != visit.RecordingConsented {
		row.Recording = string(r)
	}
	if call.StartedAt != nil {
		until := now
		if call.EndedAt != nil {
			until = *call.EndedAt
		}
		row.HasStarted, row.Length = true, max(until.Sub(*call.StartedAt), 0)
	}
	return row
}

func inspectedCall(in scheduling.Inspection, now time.Time) *InspectedCall {
	local := now.Location()
	shown := &InspectedCall{CallRow: callRow(in.Call, now), Room: in.Room.String(), Policy: in.MediaPolicy, Zone: now.Format("MST"), Checks: deviceChecks(in.DeviceCheck)}
	people := map[uuid.UUID]*InspectedPerson{}
	shown.People = make([]InspectedPerson, len(in.People))
	for i, p := range in.People {
		shown.People[i] = InspectedPerson{ID: p.ID.String(), Role: p.Role}
		person := &shown.People[i]
		people[p.ID] = person
		if p.JoinedAt != nil {
			person.HasJoined, person.JoinedAt = true, p.JoinedAt.In(local)
		}
		if p.LeftAt != nil {
			person.HasLeft, person.LeftAt = true, p.LeftAt.In(local)
		}
	}
	for _, e := range in.Timeline {
		shown.Timeline = append(shown.Timeline, inspectedEvent(e, in, local))
		person := people[e.Participant]
		switch {
		case e.Action == "room.lost":
			shown.Losses++
			if person != nil {
				person.Interrupts++
			}
		case e.Action == "stream.started" && person != nil:
			person.Streams++
		}
	}
	for _, r := range in.Recordings {
		shown.Recordings = append(shown.Recordings, RecordingRow{Started: r.StartedAt.In(local), State: r.State, Problem: r.Problem, Length: r.Duration, Size: size(r.Bytes)})
	}
	for _, d := range in.Deliveries {
		line := InspectedDelivery{Kind: d.Kind, State: string(d.State), Problem: d.Problem, Attempts: d.Attempts, DueAt: d.DueAt.In(local)}
		if d.AcceptedAt != nil {
			line.HasAccepted, line.AcceptedAt = true, d.AcceptedAt.In(local)
		}
		shown.Deliveries = append(shown.Deliveries, line)
	}
	return shown
}

func inspectedEvent(e scheduling.InspectedEvent, in scheduling.Inspection, local *time.Location) InspectedEvent {
	line := InspectedEvent{At: e.At.In(local), Role: e.Role, Action: e.Action, Outcome: e.Outcome, Kind: e.Kind, Code: e.Code, Mark: "quiet"}
	if e.Participant != uuid.Nil {
		line.Who = e.Participant.String()
	}
	switch e.Action {
	case "room.lost", "recording.failed", "delivery.rejected", "delivery.postponed":
		line.Mark = "failed"
	case "room.joined", "room.resumed", "stream.started", "visit.started", "recording.started":
		line.Mark = "live"
	}
	if e.Outcome != string(audit.Success) {
		line.Mark = "failed"
	}
	if in.StartedAt != nil && !e.At.Before(*in.StartedAt) {
		line.HasClock, line.Clock = true, e.At.Sub(*in.StartedAt)
	}
	return line
}
