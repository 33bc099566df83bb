package audit

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Row is an event as the trail holds it.
type Row struct {
	ID         int64           `json:"id"`
	Org        uuid.UUID       `json:"org"`
	Recorded   time.Time       `json:"recorded"`
	Action     string          `json:"action"`
	Outcome    string          `json:"outcome"`
	ActorKind  string          `json:"actorKind"`
	ActorID    *uuid.UUID      `json:"actorId"`
	ActorRoles []string        `json:"actorRoles"`
	Purpose    string          `json:"purpose"`
	Reason     string          `json:"reason"`
	IP         *netip.Addr     `json:"ip"`
	RequestID  string          `json:"requestId"`
	Visit      *uuid.UUID      `json:"visit"`
	Room       *uuid.UUID      `json:"room"`
	Patient    *uuid.UUID      `json:"patient"`
	ObjectKind string          `json:"objectKind"`
	ObjectID   string          `json:"objectId"`
	Detail     json.RawMessage `json:"detail"`
}

// rowColumns is the select list that scanRow reads; jsonb's own text form is canonical for equal values.
const rowColumns = `e.id, e.org_id, e.recorded, e.action, e.outcome, e.actor_kind, e.actor_id, e.actor_roles, e.purpose, e.reason,
	e.ip, e.request_id, e.visit_id, e.room_id, e.patient_id, e.object_kind, e.object_id, e.detail::text`

func scanRow(row pgx.CollectableRow) (Row, error) {
	var r Row
	var detail string
	err := row.Scan(&r.ID, &r.Org, &r.Recorded, &r.Action, &r.Outcome, &r.ActorKind, &r.ActorID, &r.ActorRoles, &r.Purpose, &r.Reason,
		&r.IP, &r.RequestID, &r.Visit, &r.Room, &r.Patient, &r.ObjectKind, &r.ObjectID, &detail)
	r.Detail = json.RawMessage(detail)
	r.Recorded = r.Recorded.UTC()
	return r, err
}

// leafData is the canonical encoding that is hashed into the log: JSON with fixed field order.
func (r Row) leafData() ([]byte, error) { return json.Marshal(r) }

// Filter narrows a search of the trail. Zero fields do not narrow.
type Filter struct {
	Action  string
	Outcome string
	Actor   uuid.UUID
	Visit   uuid.UUID
	Patient uuid.UUID
	Room    uuid.UUID
	IP      netip.Addr
	Request string
	From    time.Time
	To      time.Time
	Before  int64 // page: only rows with a smaller id
	Limit   int
}

// Search reads the trail, newest first. Reading the trail is itself an event.
func (d *DB) Search(ctx context.Context, who Actor, f Filter) ([]Row, error) {
	var found []Row
	event := Event{Action: "audit.searched", Visit: f.Visit, Patient: f.Patient, Detail: map[string]any{"limit": f.limit()}}
	err := d.View(ctx, who, event, func(ctx context.Context, tx *Tx) error {
		rows, err := tx.Query(ctx, `select `+rowColumns+` from audit_event e
			where ($1 = '' or e.action = $1) and ($2 = '' or e.outcome = $2) and ($3::uuid is null or e.actor_id = $3)
			  and ($4::uuid is null or e.visit_id = $4) and ($5::uuid is null or e.patient_id = $5)
			  and ($6::uuid is null or e.room_id = $6) and ($7::inet is null or e.ip = $7) and ($8 = '' or e.request_id = $8)
			  and ($9::timestamptz is null or e.recorded >= $9) and ($10::timestamptz is null or e.recorded < $10)
			  and ($11 = 0 or e.id < $11)
			order by e.id desc limit $12`,
			f.Action, f.Outcome, orNull(f.Actor), orNull(f.Visit), orNull(f.Patient), orNull(f.Room), addrOrNull(f.IP), f.Request,
			timeOrNull(f.From), timeOrNull(f.To), f.Before, f.limit())
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, scanRow)
		return err
	})
	return found, err
}

// mostOfVisit bounds what OfVisit reads: a visit has tens of events.
const mostOfVisit = 2000

// OfVisit reads what happened to a visit, oldest first, as far as it is one of actions. The event of the transaction
// says who reads it and why.
func (t *Tx) OfVisit(ctx context.Context, visit uuid.UUID, actions []string) ([]Row, error) {
	rows, err := t.Query(ctx, `select `+rowColumns+` from audit_event e
		where e.visit_id = $1 and e.action = any ($2) order by e.id limit $3`, visit, actions, mostOfVisit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRow)
}

func (f Filter) limit() int {
	if f.Limit <= 0 || f.Limit > 500 {
		return 100
	}
	return f.Limit
}

func addrOrNull(a netip.Addr) *netip.Addr {
	if !a.IsValid() {
		return nil
	}
	return &a
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
