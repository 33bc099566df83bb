package fhirapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/fhir"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// visitFilter is a search on Appointment in our own terms. A nil set does not narrow; an empty one matches nothing.
type visitFilter struct {
	ids        []uuid.UUID
	stages     []string
	patients   []uuid.UUID
	clinicians []uuid.UUID
	when       window
	after      cursor
	limit      int
}

// searchAppointments answers with the visits that match, in the order of their time. Finding them is one event; each
// that is handed out is an event of its own, naming its patient.
func (s *Server) searchAppointments(c *gin.Context) {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	q, err := parameters(c, "Appointment")
	if err != nil {
		fail(c, err)
		return
	}
	filter, err := s.visitFilter(ctx, who, q)
	if err != nil {
		fail(c, err)
		return
	}
	found, total, err := s.find(ctx, who, filter)
	if err != nil {
		fail(c, err)
		return
	}
	base, next := s.base+"/Appointment", ""
	if len(found) > q.count {
		found = found[:q.count]
		if q.count > 0 {
			next = q.next(base, found[q.count-1].String())
		}
	}
	var entries []fhir.Entry
	for _, hit := range found {
		view, err := s.Visits.Visit(ctx, who, hit.id)
		if err != nil {
			fail(c, err)
			return
		}
		served, err := appointment(view)
		if err != nil {
			fail(c, err)
			return
		}
		entries = append(entries, fhir.Entry{FullURL: base + "/" + hit.id.String(), Resource: served})
	}
	bundle(c, q.self(base), next, &total, entries)
}

func bundle(c *gin.Context, self, next string, total *int, entries []fhir.Entry) {
	out, err := fhir.Searchset(self, next, total, entries)
	if err != nil {
		fail(c, err)
		return
	}
	write(c, http.StatusOK, out)
}

func (s *Server) visitFilter(ctx context.Context, who audit.Actor, q criteria) (f visitFilter, err error) {
	f.limit = q.count + 1
	if f.after, err = parseCursor(q.cursor); err != nil {
		return f, err
	}
	if f.when, err = dates(q.values["date"]); err != nil {
		return f, err
	}
	for _, value := range q.values["_id"] {
		f.ids = narrow(f.ids, uuids(strings.Split(value, ",")))
	}
	for _, value := range q.values["identifier"] {
		ids, err := ownIdentifiers(value)
		if err != nil {
			return f, err
		}
		f.ids = narrow(f.ids, ids)
	}
	for _, value := range q.values["status"] {
		f.stages = narrow(f.stages, stages(value))
	}
	for _, name := range []string{"patient", "practitioner", "actor"} {
		for _, value := range q.values[name] {
			if err := s.narrowByActor(ctx, who, &f, name, value); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// narrowByActor reads a reference criterion: "Patient/<id>", an id alone where the parameter tells the type, or the URL
// of an EHR's resource. A reference that nobody is found for matches nothing.
func (s *Server) narrowByActor(ctx context.Context, who audit.Actor, f *visitFilter, name, value string) error {
	patients, clinicians := []uuid.UUID{}, []uuid.UUID{}
	for _, ref := range strings.Split(value, ",") {
		kind := map[string]string{"patient": "Patient", "practitioner": "Practitioner"}[name]
		if !strings.Contains(ref, "/") {
			ref = kind + "/" + ref
		}
		if kind == "" || strings.Contains(ref, "/Patient/") || strings.Contains(ref, "/Practitioner/") {
			kind = kindOf(ref)
		}
		lookup, into := s.Directory.Patient, &patients
		if kind == "Practitioner" {
			lookup, into = s.Directory.Practitioner, &clinicians
		}
		id, err := s.resolve(ctx, who, phi.NewText(ref), kind, lookup)
		var unresolved *problem
		switch {
		case errors.As(err, &unresolved):
		case err != nil:
			return err
		default:
			*into = append(*into, id)
		}
	}
	switch {
	case name == "patient", name == "actor" && len(clinicians) == 0:
		f.patients = narrow(f.patients, patients)
	case name == "practitioner", len(patients) == 0:
		f.clinicians = narrow(f.clinicians, clinicians)
	default:
		return badSearch("actor takes patients or practitioners, not both at once")
	}
	return nil
}

func kindOf(ref string) string {
	if strings.Contains("/"+ref, "/Practitioner/") {
		return "Practitioner"
	}
	return "Patient"
}

// narrow keeps what is in both sets; a nil set is everything.
func narrow[T comparable](have, more []T) []T {
	if have == nil {
		return append([]T{}, more...)
	}
	both := []T{}
	for _, x := range have {
		for _, y := range more {
			if x == y {
				both = append(both, x)
				break
			}
		}
	}
	return both
}

func uuids(texts []string) []uuid.UUID {
	out := []uuid.UUID{}
	for _, t := range texts {
		if id, err := uuid.Parse(t); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// ownIdentifiers takes the identifier that we give every appointment. Identifiers of others are sealed with the
// resource and cannot be searched; saying so is better than finding nothing.
func ownIdentifiers(value string) ([]uuid.UUID, error) {
	var out []string
	for _, t := range strings.Split(value, ",") {
		system, urn, ok := strings.Cut(t, "|")
		if !ok {
			system, urn = fhir.SystemURI, t
		}
		id, isURN := strings.CutPrefix(urn, "urn:uuid:")
		if system != fhir.SystemURI || !isURN {
			return nil, badSearch("identifier can be searched by " + fhir.SystemURI + "|urn:uuid:<id of the appointment> only")
		}
		out = append(out, id)
	}
	return uuids(out), nil
}

// stages gives the stages whose R4 status is among the comma-separated ones.
func stages(value string) []string {
	out := []string{}
	for _, status := range strings.Split(value, ",") {
		if _, code, ok := strings.Cut(status, "|"); ok {
			status = code
		}
		for _, stage := range []visit.Stage{visit.Booked, visit.Arrived, visit.InCall, visit.Ended, visit.Cancelled, visit.NoShow} {
			if fhir.AppointmentStatus(stage) == status {
				out = append(out, string(stage))
			}
		}
	}
	return out
}

// cursor is the place of a visit in the order of a search.
type cursor struct {
	at time.Time
	id uuid.UUID
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.at.UTC().Format(time.RFC3339Nano) + "|" + c.id.String()))
}

func parseCursor(text string) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	at, id, ok := strings.Cut(string(raw), "|")
	when, errAt := time.Parse(time.RFC3339Nano, at)
	parsed, errID := uuid.Parse(id)
	if !ok || errors.Join(err, errAt, errID) != nil {
		return cursor{}, badSearch("this is no page of a search")
	}
	return cursor{when, parsed}, nil
}

const matching = `($1::uuid[] is null or v.id = any ($1)) and ($2::text[] is null or v.stage = any ($2))
	and ($3::uuid[] is null or v.patient_id = any ($3)) and ($4::uuid[] is null or v.clinician_id = any ($4))
	and ($5::timestamptz is null or v.starts_at >= $5) and ($6::timestamptz is null or v.starts_at < $6)
	and not exists (select from unnest($7::timestamptz[], $8::timestamptz[]) as hole(since, until) where v.starts_at >= since and v.starts_at < until)`

// find gives the places of the visits that match, and how many there are in all.
func (s *Server) find(ctx context.Context, who audit.Actor, f visitFilter) (found []cursor, total int, err error) {
	var since, until []time.Time
	for _, hole := range f.when.not {
		since, until = append(since, hole.from), append(until, hole.to)
	}
	args := []any{f.ids, f.stages, f.patients, f.clinicians, f.when.from, f.when.to, since, until}
	event := audit.Event{Action: "appointment.searched"}
	if len(f.patients) == 1 {
		event.Patient = f.patients[0]
	}
	err = s.DB.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		if err := tx.QueryRow(ctx, "select count(*) from visit v where "+matching, args...).Scan(&total); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select v.starts_at, v.id from visit v where `+matching+`
			and ($9::uuid = '00000000-0000-0000-0000-000000000000' or (v.starts_at, v.id) > ($10::timestamptz, $9::uuid))
			order by v.starts_at, v.id limit $11`, append(args, f.after.id, f.after.at, f.limit)...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (cursor, error) {
			var c cursor
			err := row.Scan(&c.at, &c.id)
			return c, err
		})
		tx.Event.Detail = map[string]any{"total": total}
		return err
	})
	return found, total, err
}
