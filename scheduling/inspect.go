package scheduling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling/visit"
)

// Call is a visit as those see it who keep the service running: ids, times and states. Times are UTC.
type Call struct {
	ID        uuid.UUID
	StartsAt  time.Time
	EndsAt    time.Time
	State     visit.State
	StartedAt *time.Time
	EndedAt   *time.Time
	Present   int // participants who have joined and not left
}

// Calls lists the visits of a day in the acting person's zone, and those whose call runs whatever their day, by their
// time. A zero day is today. It gives the day too.
func (s *Service) Calls(ctx context.Context, who audit.Actor, day Date) ([]Call, Date, error) {
	zone, err := s.zoneOf(ctx, who.Org, who.ID)
	if err != nil {
		return nil, day, err
	}
	if day.IsZero() {
		day = DateOf(s.now(), zone)
	}
	var calls []Call
	event := audit.Event{Action: "calls.listed", Detail: map[string]any{"day": day.String()}}
	err = s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		rows, err := tx.Query(ctx, `select v.id, v.starts_at, v.ends_at, v.stage, v.note, v.recording, v.delivery, v.started_at, v.ended_at,
			       (select count(*) from participant p where p.visit_id = v.id and p.joined_at is not null and p.left_at is null)
			from visit v where v.starts_at >= $1 and v.starts_at < $2 or v.stage = 'in-call' order by v.starts_at, v.id`,
			day.at(0, 0, zone), day.Add(1).at(0, 0, zone))
		if err != nil {
			return err
		}
		calls, err = pgx.CollectRows(rows, scanCall)
		tx.Event.Detail["visits"] = len(calls)
		return err
	})
	if err != nil {
		return nil, day, fmt.Errorf("list the calls: %w", err)
	}
	return calls, day, nil
}

func scanCall(row pgx.CollectableRow) (Call, error) {
	var c Call
	err := row.Scan(&c.ID, &c.StartsAt, &c.EndsAt, &c.State.Stage, &c.State.Note, &c.State.Recording, &c.State.Delivery, &c.StartedAt, &c.EndedAt, &c.Present)
	utc(&c.StartsAt, &c.EndsAt, c.StartedAt, c.EndedAt)
	return c, err
}

// Inspection is the operational side of one visit: who took part by role, and what happened when. Nothing in it is
// clinical, and nobody is named.
type Inspection struct {
	Call
	Room        uuid.UUID
	MediaPolicy string
	DeviceCheck DeviceCheck
	People      []InspectedPerson
	Recordings  []RecordingView
	Deliveries  []InspectedDelivery
	Timeline    []InspectedEvent // oldest first
}

// InspectedPerson is a participant, by role.
type InspectedPerson struct {
	ID       uuid.UUID
	Role     string
	JoinedAt *time.Time
	LeftAt   *time.Time
}

// InspectedDelivery is how far the EHR has received something.
type InspectedDelivery struct {
	Kind       string
	State      visit.Delivery
	Attempts   int
	Problem    string // a safe sentence
	DueAt      time.Time
	AcceptedAt *time.Time
}

// InspectedEvent is something that happened. Kind and Code are words of ours: what sort of stream or delivery it was,
// and why it was so.
type InspectedEvent struct {
	At          time.Time
	Action      string
	Outcome     string
	Role        string
	Participant uuid.UUID
	Kind        string
	Code        string
}

// maxReason is the length of an administrator's reason, in characters.
const maxReason = 500

// ErrNoReason means that a look at a visit was asked for without saying why.
var ErrNoReason error = &Invalid{"reason", "must say why this visit has to be looked at"}

// Inspect shows the operational side of a visit to an administrator, who must give a reason; the trail keeps it. A
// look without a reason is refused, and the refusal kept.
func (s *Service) Inspect(ctx context.Context, who audit.Actor, id uuid.UUID, reason string) (Inspection, error) {
	reason = plainText(reason)
	if strings.IndexFunc(reason, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return Inspection{}, s.refuseInspection(ctx, who, id, "no-reason", ErrNoReason)
	}
	if utf8.RuneCountInString(reason) > maxReason {
		return Inspection{}, s.refuseInspection(ctx, who, id, "reason-too-long", &Invalid{"reason", "must be at most 500 characters"})
	}
	var in Inspection
	event := audit.Event{Action: "admin.viewed", Visit: id, Reason: reason, ObjectKind: "visit", ObjectID: id.String()}
	err := s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) (err error) {
		in, err = loadInspection(ctx, tx, id)
		tx.Event.Room = in.Room
		return err
	})
	return in, err
}

// plainText is text in one line, without what cannot be seen.
func plainText(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

func (s *Service) refuseInspection(ctx context.Context, who audit.Actor, id uuid.UUID, code string, refused error) error {
	err := s.db.Record(ctx, who, audit.Event{Action: "access.refused", Outcome: audit.Refused, Visit: id,
		Detail: map[string]any{"wanted": "visit.inspect", "code": code}})
	return errors.Join(refused, err)
}

func loadInspection(ctx context.Context, tx *audit.Tx, id uuid.UUID) (Inspection, error) {
	var in Inspection
	var check []byte
	c := &in.Call
	err := tx.QueryRow(ctx, `select id, room_id, patient_id, starts_at, ends_at, stage, note, recording, delivery, started_at, ended_at, media_policy, device_check
		from visit where id = $1`, id).
		Scan(&c.ID, &in.Room, &tx.Event.Patient, &c.StartsAt, &c.EndsAt, &c.State.Stage, &c.State.Note, &c.State.Recording, &c.State.Delivery,
			&c.StartedAt, &c.EndedAt, &in.MediaPolicy, &check)
	if errors.Is(err, pgx.ErrNoRows) {
		return in, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(check, &in.DeviceCheck)
	}
	if err != nil {
		return in, fmt.Errorf("read the visit: %w", err)
	}
	utc(&c.StartsAt, &c.EndsAt, c.StartedAt, c.EndedAt)
	for what, load := range map[string]func(context.Context, *audit.Tx, *Inspection) error{
		"participants": inspectPeople, "recordings": inspectRecordings, "deliveries": inspectDeliveries} {
		if err := load(ctx, tx, &in); err != nil {
			return in, fmt.Errorf("read the %s: %w", what, err)
		}
	}
	if err := inspectTimeline(ctx, tx, &in); err != nil {
		return in, fmt.Errorf("read what happened: %w", err)
	}
	return in, nil
}

func inspectPeople(ctx context.Context, tx *audit.Tx, in *Inspection) error {
	rows, err := tx.Query(ctx, `select id, role, joined_at, left_at from participant where visit_id = $1 order by role, joined_at nulls last, id`, in.ID)
	if err != nil {
		return err
	}
	in.People, err = pgx.CollectRows(rows, pgx.RowToStructByPos[InspectedPerson])
	for _, p := range in.People {
		utc(p.JoinedAt, p.LeftAt)
		if p.JoinedAt != nil && p.LeftAt == nil {
			in.Present++
		}
	}
	return err
}

func inspectRecordings(ctx context.Context, tx *audit.Tx, in *Inspection) error {
	rows, err := tx.Query(ctx, `select `+recordingColumns+` from recording where visit_id = $1 order by started_at, id`, in.ID)
	if err != nil {
		return err
	}
	in.Recordings, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (RecordingView, error) { return scanRecording(row) })
	return err
}

func inspectDeliveries(ctx context.Context, tx *audit.Tx, in *Inspection) error {
	rows, err := tx.Query(ctx, `select kind, state, attempts, problem, due_at, accepted_at from delivery where visit_id = $1 order by due_at, kind, id`, in.ID)
	if err != nil {
		return err
	}
	in.Deliveries, err = pgx.CollectRows(rows, pgx.RowToStructByPos[InspectedDelivery])
	for i := range in.Deliveries {
		utc(&in.Deliveries[i].DueAt, in.Deliveries[i].AcceptedAt)
	}
	return err
}

// operational lists the actions that tell how a call went. What is clinical, and who read what, is the compliance
// officer's.
func operational() []string {
	return []string{"visit.booked", "visit.moved", "visit.arrived", "visit.started", "visit.ended", "visit.cancelled", "visit.no-show",
		"room.joined", "room.lost", "room.resumed", "room.left", "stream.started",
		"recording.started", "recording.stopped", "recording.stored", "recording.failed",
		"delivery.queued", "delivery.sent", "delivery.postponed", "delivery.accepted", "delivery.rejected", "delivery.retried"}
}

func inspectTimeline(ctx context.Context, tx *audit.Tx, in *Inspection) error {
	rows, err := tx.OfVisit(ctx, in.ID, operational())
	if err != nil {
		return err
	}
	roles := map[string]string{}
	for _, p := range in.People {
		roles[p.ID.String()] = p.Role
	}
	for _, row := range rows {
		in.Timeline = append(in.Timeline, inspected(row, roles))
	}
	slices.SortStableFunc(in.Timeline, func(a, b InspectedEvent) int { return a.At.Compare(b.At) })
	return nil
}

// inspected takes out of a row what is operational. What media reports carries its own time: the row may be later.
func inspected(row audit.Row, roles map[string]string) InspectedEvent {
	var detail struct{ At, Kind, Code, Reason, Participant string }
	_ = json.Unmarshal(row.Detail, &detail) // a detail of another shape tells none of these
	e := InspectedEvent{At: row.Recorded, Action: row.Action, Outcome: row.Outcome, Role: row.ActorKind, Kind: detail.Kind, Code: detail.Code}
	if e.Code == "" {
		e.Code = detail.Reason
	}
	if at, err := time.Parse(time.RFC3339Nano, detail.At); err == nil {
		e.At = at.UTC()
	}
	whose := detail.Participant
	if row.ObjectKind == "participant" {
		whose = row.ObjectID
	}
	if role, ok := roles[whose]; ok {
		e.Role, e.Participant = role, uuid.MustParse(whose)
	} else if len(row.ActorRoles) > 0 {
		e.Role = row.ActorRoles[0]
	}
	return e
}
