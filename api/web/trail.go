package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity"
)

// Trail reads the trail; reading is itself an event: audit.DB.
type Trail interface {
	Search(ctx context.Context, who audit.Actor, f audit.Filter) ([]audit.Row, error)
}

// Seals tells what is proven of the trail.
type Seals interface {
	// Seal says where an event stands in the log, its inclusion checked against the signed checkpoint.
	Seal(ctx context.Context, org uuid.UUID, event int64) (SealState, error)
	// LastVerification is the last check of the whole trail.
	LastVerification(org uuid.UUID) Verification
}

// AuditPages are the compliance officer's search and the single event.
type AuditPages struct {
	Site   *Site
	Trail  Trail
	Seals  Seals
	Staff  StaffRegister
	Origin string
}

const trailPage = 100

// Register implements api.Registrar.
func (a *AuditPages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/audit", identity.AuditRead, a.search)
	r.Handle(http.MethodPost, "/audit", identity.AuditRead, a.search) // what is searched for stays out of addresses
	r.Handle(http.MethodGet, "/audit/:id", identity.AuditRead, a.event)
}

func (a *AuditPages) search(c *gin.Context) {
	query := AuditQuery{Text: strings.TrimSpace(c.PostForm("q")), Action: c.PostForm("action"), Outcome: c.PostForm("outcome"), From: c.PostForm("from"), To: c.PostForm("to")}
	view := &AuditView{Query: query, Actions: trailActions(), Verified: a.Seals.LastVerification(api.PrincipalOf(c).Org)}
	me, err := a.Staff.Staff(c.Request.Context(), api.ActorOf(c), api.PrincipalOf(c).Staff)
	if err != nil {
		api.Fail(c, err)
		return
	}
	local := zone(me.TimeZone)
	filters, problem := query.filters(local, number(c.PostForm("before")))
	if problem != "" {
		view.Problem = problem
		a.Site.Render(c, http.StatusBadRequest, view)
		return
	}
	rows, err := a.find(c, filters)
	if err != nil {
		api.Fail(c, err)
		return
	}
	for _, row := range rows {
		view.Rows = append(view.Rows, a.row(c, row, local))
	}
	if len(rows) == trailPage {
		view.Older = rows[len(rows)-1].ID
	}
	a.Site.Render(c, http.StatusOK, view)
}

// filters are what to search for. An id may name a visit, a patient, a person or a room: each is tried.
func (q AuditQuery) filters(local *time.Location, before int64) ([]audit.Filter, string) {
	base := audit.Filter{Action: q.Action, Outcome: q.Outcome, Before: before, Limit: trailPage}
	var err error
	if q.From != "" {
		if base.From, err = time.ParseInLocation(time.DateOnly, q.From, local); err != nil {
			return nil, "dates"
		}
	}
	if q.To != "" {
		last, err := time.ParseInLocation(time.DateOnly, q.To, local)
		if err != nil || last.Before(base.From) {
			return nil, "dates"
		}
		base.To = last.AddDate(0, 0, 1)
	}
	if q.Text == "" {
		return []audit.Filter{base}, ""
	}
	if id, err := uuid.Parse(q.Text); err == nil {
		visit, patient, actor, room := base, base, base, base
		visit.Visit, patient.Patient, actor.Actor, room.Room = id, id, id, id
		return []audit.Filter{visit, patient, actor, room}, ""
	}
	if ip, err := netip.ParseAddr(q.Text); err == nil {
		base.IP = ip.Unmap()
		return []audit.Filter{base}, ""
	}
	if len(q.Text) == 16 && strings.IndexFunc(q.Text, notRequestID) < 0 {
		base.Request = q.Text
		return []audit.Filter{base}, ""
	}
	return nil, "query"
}

// notRequestID finds what the ids of requests never hold; they are 12 random bytes in base64url.
func notRequestID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// find runs the searches and merges what they give, newest first.
func (a *AuditPages) find(c *gin.Context, filters []audit.Filter) ([]audit.Row, error) {
	var all []audit.Row
	for _, f := range filters {
		rows, err := a.Trail.Search(c.Request.Context(), api.ActorOf(c), f)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(x, y audit.Row) int { return cmp.Compare(y.ID, x.ID) })
	all = slices.CompactFunc(all, func(x, y audit.Row) bool { return x.ID == y.ID })
	return all[:min(len(all), trailPage)], nil
}

// row names the staff among the actors; patients stay ids.
func (a *AuditPages) row(c *gin.Context, r audit.Row, local *time.Location) AuditRow {
	row := AuditRow{ID: r.ID, At: r.Recorded.In(local), Action: r.Action, Outcome: r.Outcome, Request: r.RequestID, Reason: r.Reason, Purpose: r.Purpose,
		Visit: idText(r.Visit), Patient: idText(r.Patient), Room: idText(r.Room), WhoID: idText(r.ActorID), Role: r.ActorKind}
	if len(r.ActorRoles) > 0 {
		row.Role = r.ActorRoles[0]
	}
	if r.IP != nil {
		row.From = r.IP.String()
	}
	var detail struct{ Code string }
	if json.Unmarshal(r.Detail, &detail) == nil {
		row.Code = detail.Code
	}
	row.Who = a.Site.Texts().Get(a.Site.Lang(c), "role."+r.ActorKind)
	if r.ActorKind == string(audit.Staff) && r.ActorID != nil {
		if person, err := a.Staff.Staff(c.Request.Context(), api.ActorOf(c), *r.ActorID); err == nil {
			row.Who = person.Name.Reveal()
		}
	}
	return row
}

func idText(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}

func (a *AuditPages) event(c *gin.Context) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id <= 0 {
		api.Fail(c, api.ErrNotFound)
		return
	}
	ctx, who := c.Request.Context(), api.ActorOf(c)
	rows, err := a.Trail.Search(ctx, who, audit.Filter{Before: id + 1, Limit: 1})
	if err == nil && (len(rows) == 0 || rows[0].ID != id) {
		err = api.ErrNotFound
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	me, err := a.Staff.Staff(ctx, who, who.ID)
	if err != nil {
		api.Fail(c, err)
		return
	}
	view := &AuditEventView{Row: a.row(c, rows[0], zone(me.TimeZone)), Detail: detailLines(rows[0].Detail), FHIR: indented(fhir.AuditEvent(rows[0], a.Origin))}
	if view.Seal, err = a.Seals.Seal(ctx, who.Org, id); err != nil {
		api.Fail(c, err)
		return
	}
	a.Site.Render(c, http.StatusOK, view)
}

func detailLines(raw json.RawMessage) []DetailLine {
	var detail map[string]any
	if json.Unmarshal(raw, &detail) != nil {
		return nil
	}
	var lines []DetailLine
	for name, value := range detail {
		lines = append(lines, DetailLine{Name: name, Value: fmt.Sprint(value)})
	}
	slices.SortFunc(lines, func(x, y DetailLine) int { return cmp.Compare(x.Name, y.Name) })
	return lines
}

func indented(raw []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}

// trailActions are offered as a facet; any action can be typed into the address of none.
func trailActions() []string {
	return []string{"access.refused", "admin.viewed", "audit.searched", "calendar.viewed", "calls.listed", "delivery.accepted", "delivery.rejected", "link.viewed", "login.failed",
		"login.succeeded", "logout", "note.amended", "note.saved", "note.signed", "patient.searched", "patient.viewed", "recording.consented", "recording.downloaded",
		"recording.started", "recording.stored", "recording.viewed", "room.joined", "room.left", "room.lost", "stream.started", "visit.arrived", "visit.booked", "visit.cancelled",
		"visit.ended", "visit.moved", "visit.no-show", "visit.started", "visit.viewed", "worklist.viewed"}
}
