package fhirapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
)

// searchTrail answers with events, newest first. Reading the trail is an event.
func (s *Server) searchTrail(c *gin.Context) {
	q, err := parameters(c, "AuditEvent")
	if err != nil {
		fail(c, err)
		return
	}
	filter, err := trailFilter(q)
	if err != nil {
		fail(c, err)
		return
	}
	rows, err := s.DB.Search(c.Request.Context(), api.ActorOf(c), filter)
	if err != nil {
		fail(c, err)
		return
	}
	base, next := s.base+"/AuditEvent", ""
	if len(rows) > q.count {
		rows = rows[:q.count]
		if q.count > 0 {
			next = q.next(base, strconv.FormatInt(rows[q.count-1].ID, 10))
		}
	}
	var entries []fhir.Entry
	for _, row := range rows {
		entries = append(entries, fhir.Entry{FullURL: base + "/" + strconv.FormatInt(row.ID, 10), Resource: fhir.AuditEvent(row, s.Origin)})
	}
	bundle(c, q.self(base), next, nil, entries)
}

func trailFilter(q criteria) (audit.Filter, error) {
	f := audit.Filter{Limit: q.count + 1}
	when, err := dates(q.values["date"])
	if err != nil {
		return f, err
	}
	if len(when.not) > 0 {
		return f, badSearch("the prefix ne is not supported on the date of an event")
	}
	if when.from != nil {
		f.From = *when.from
	}
	if when.to != nil {
		f.To = *when.to
	}
	if q.cursor != "" {
		if f.Before, err = strconv.ParseInt(q.cursor, 10, 64); err != nil || f.Before < 1 {
			return f, badSearch("this is no page of a search")
		}
	}
	for _, value := range q.values["patient"] {
		ids := uuids([]string{strings.TrimPrefix(value, "Patient/")})
		if len(ids) != 1 || (f.Patient != uuid.Nil && f.Patient != ids[0]) {
			return f, badSearch("patient takes one Patient of this server")
		}
		f.Patient = ids[0]
	}
	for _, value := range q.values["outcome"] {
		if f.Outcome = map[string]string{"0": string(audit.Success), "4": string(audit.Refused), "8": string(audit.Failure)}[value]; f.Outcome == "" {
			return f, badSearch("outcome takes one of 0, 4 and 8")
		}
	}
	return f, nil
}

func (s *Server) readTrail(c *gin.Context) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		fail(c, errNotFound)
		return
	}
	rows, err := s.DB.Search(c.Request.Context(), api.ActorOf(c), audit.Filter{Before: id + 1, Limit: 1})
	if err == nil && (len(rows) == 0 || rows[0].ID != id) {
		err = errNotFound
	}
	if err != nil {
		fail(c, err)
		return
	}
	versionHeaders(c, 1, rows[0].Recorded)
	write(c, http.StatusOK, fhir.AuditEvent(rows[0], s.Origin))
}
