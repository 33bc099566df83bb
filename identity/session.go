package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
)

// SessionLimits say how long a session lasts. Zero fields take the defaults.
type SessionLimits struct {
	StaffIdle       time.Duration // 15 minutes
	StaffAbsolute   time.Duration // 12 hours
	PatientIdle     time.Duration // 2 hours: waiting and talking send few requests
	PatientAbsolute time.Duration // 8 hours
}

// seenEvery bounds how often the use of a session is written down.
const seenEvery = time.Minute

// Sessions are kept on the server; the cookie holds a secret of which the database has only the SHA-256.
type Sessions struct {
	db     *audit.DB
	limits SessionLimits
	now    func() time.Time
}

// NewSessions makes the session store.
func NewSessions(db *audit.DB, limits SessionLimits, now func() time.Time) *Sessions {
	limits.StaffIdle = orDefault(limits.StaffIdle, 15*time.Minute)
	limits.StaffAbsolute = orDefault(limits.StaffAbsolute, 12*time.Hour)
	limits.PatientIdle = orDefault(limits.PatientIdle, 2*time.Hour)
	limits.PatientAbsolute = orDefault(limits.PatientAbsolute, 8*time.Hour)
	return &Sessions{db: db, limits: limits, now: now}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// Session is what a sign-in proved.
type Session struct {
	Kind          audit.Kind // Staff, Patient or Guest
	Staff         uuid.UUID
	Visit         uuid.UUID // patients and guests
	Link          uuid.UUID
	Participant   uuid.UUID
	Roles         []Role
	Connection    string
	Grant         uuid.UUID
	AuthTime      time.Time // zero: now
	ACR           string
	IssuerSession string // the identity provider's sid, for its logout
	CSRF          string // of the same person's session that this one goes on from, so that open forms stay valid; "": a new one
}

// Begin starts a session and records the sign-in. The cookie's value goes to the browser and is kept nowhere.
func (s *Sessions) Begin(ctx context.Context, who audit.Actor, session Session) (string, Principal, error) {
	var cookie string
	var principal Principal
	event := audit.Event{Action: "login.succeeded", Visit: session.Visit}
	who.Kind = session.Kind
	if who.ID = session.Staff; who.ID == uuid.Nil {
		who.ID = session.Participant
	}
	who.Roles = roleNames(session.Roles)
	err := s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) (err error) {
		cookie, principal, err = s.BeginIn(ctx, tx, who.Org, session)
		tx.Event.ObjectKind, tx.Event.ObjectID = "session", principal.Session.String()
		tx.Event.Detail = map[string]any{"connection": session.Connection}
		return err
	})
	return cookie, principal, err
}

// BeginIn starts a session within a transaction whose event tells of the sign-in.
func (s *Sessions) BeginIn(ctx context.Context, tx *audit.Tx, org uuid.UUID, session Session) (string, Principal, error) {
	secret, csrf := make([]byte, 32), make([]byte, 32)
	_, _ = rand.Read(secret) // crypto/rand never fails (Go 1.24)
	_, _ = rand.Read(csrf)
	if session.AuthTime.IsZero() {
		session.AuthTime = tx.Now
	}
	if session.CSRF == "" {
		session.CSRF = base64.RawURLEncoding.EncodeToString(csrf)
	}
	p := Principal{Session: uuid.New(), Org: org, Kind: session.Kind, Staff: session.Staff, Participant: session.Participant, Visit: session.Visit,
		Roles: session.Roles, CSRF: session.CSRF, AuthTime: session.AuthTime, Connection: session.Connection, Grant: session.Grant}
	_, err := tx.Exec(ctx, `
		insert into session (id, org_id, secret_hash, kind, staff_id, visit_id, link_id, participant_id, roles, connection, grant_id, csrf,
		                     auth_time, acr, issuer_session, created_at, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		p.Session, org, secretHash(secret), string(session.Kind), orNull(session.Staff), orNull(session.Visit), orNull(session.Link),
		orNull(session.Participant), roleNames(session.Roles), session.Connection, orNull(session.Grant), p.CSRF,
		session.AuthTime, session.ACR, session.IssuerSession, tx.Now, tx.Now.Add(s.absolute(session.Kind)))
	if err != nil {
		return "", Principal{}, fmt.Errorf("identity: begin a session: %w", err)
	}
	if err := markSeen(ctx, tx, org, p.Session, tx.Now); err != nil {
		return "", Principal{}, err
	}
	return base64.RawURLEncoding.EncodeToString(append(org[:], secret...)), p, nil
}

// Lookup finds whose session a cookie is, and counts as use of it. It fails with *SessionOver.
func (s *Sessions) Lookup(ctx context.Context, cookie string) (Principal, error) {
	found, now, err := s.find(ctx, cookie)
	if err != nil {
		return Principal{}, err
	}
	p := found.principal
	if now.Sub(found.seen) >= seenEvery {
		err := s.db.Housekeep(ctx, p.Org, func(ctx context.Context, tx pgx.Tx) error {
			return markSeen(ctx, tx, p.Org, p.Session, now)
		})
		if err != nil {
			return Principal{}, err
		}
	}
	return p, nil
}

// Peek is Lookup without counting as use: what a page asks for by itself must not keep an idle session alive.
func (s *Sessions) Peek(ctx context.Context, cookie string) (Principal, error) {
	found, _, err := s.find(ctx, cookie)
	return found.principal, err
}

// find reads the session of a cookie as it is at the time that it returns.
func (s *Sessions) find(ctx context.Context, cookie string) (foundSession, time.Time, error) {
	now := s.now().UTC()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(raw) != 16+32 {
		return foundSession{}, now, &SessionOver{code: "none"}
	}
	found, err := s.read(ctx, uuid.UUID(raw[:16]), secretHash(raw[16:]))
	if errors.Is(err, pgx.ErrNoRows) {
		return foundSession{}, now, &SessionOver{code: "none"}
	}
	if err != nil {
		return foundSession{}, now, fmt.Errorf("identity: look a session up: %w", err)
	}
	switch {
	case found.ended || !found.active:
		return foundSession{}, now, &SessionOver{code: "ended"}
	case !now.Before(found.expires):
		return foundSession{}, now, &SessionOver{code: "expired"}
	case now.Sub(found.seen) >= s.idle(found.principal.Kind):
		return foundSession{}, now, &SessionOver{code: "idle"}
	}
	return found, now, nil
}

type foundSession struct {
	principal     Principal
	expires, seen time.Time
	ended, active bool
}

func (s *Sessions) read(ctx context.Context, org uuid.UUID, hash []byte) (foundSession, error) {
	var f foundSession
	var kind string
	var roles, current []string
	var staff, visit, participant, grant *uuid.UUID
	p := &f.principal
	err := s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			select s.id, s.org_id, s.kind, s.staff_id, s.visit_id, s.participant_id, s.roles, s.connection, s.grant_id, s.csrf, s.auth_time,
			       s.expires_at, s.ended_at is not null, a.seen_at, coalesce(m.active, true), coalesce(m.roles, s.roles)
			from session s join session_activity a on a.session_id = s.id left join staff m on m.id = s.staff_id
			where s.secret_hash = $1`, hash).
			Scan(&p.Session, &p.Org, &kind, &staff, &visit, &participant, &roles, &p.Connection, &grant, &p.CSRF, &p.AuthTime,
				&f.expires, &f.ended, &f.seen, &f.active, &current)
	})
	p.Kind, p.Staff, p.Visit, p.Participant, p.Grant = audit.Kind(kind), orZero(staff), orZero(visit), orZero(participant), orZero(grant)
	// A role taken away from somebody ends with the next request, not with the session.
	for _, r := range roles {
		if slices.Contains(current, r) {
			p.Roles = append(p.Roles, Role(r))
		}
	}
	return f, err
}

// End closes the principal's session.
func (s *Sessions) End(ctx context.Context, p Principal, from Caller) error {
	event := audit.Event{Action: "logout", ObjectKind: "session", ObjectID: p.Session.String(), Visit: p.Visit}
	return s.db.Do(ctx, p.Actor(from.IP, from.RequestID), event, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, `update session set ended_at = $2 where id = $1 and ended_at is null`, p.Session, tx.Now)
		return err
	})
}

// EndAll closes every session of a member of staff, and tells how many were open.
func (s *Sessions) EndAll(ctx context.Context, who audit.Actor, staff uuid.UUID) (int, error) {
	event := audit.Event{Action: "session.ended-all", ObjectKind: "staff", ObjectID: staff.String()}
	return s.endWhere(ctx, who, event, "staff_id = $2", staff)
}

// EndIssuerSession closes the sessions that an identity provider's session (sid) began: its back-channel logout.
func (s *Sessions) EndIssuerSession(ctx context.Context, from Caller, org uuid.UUID, connection, sid string) (int, error) {
	if sid == "" {
		return 0, errors.New("identity: the logout names no session")
	}
	event := audit.Event{Action: "session.ended-all", ObjectKind: "connection", ObjectID: connection}
	return s.endWhere(ctx, from.Anonymous(org), event, "connection = $2 and issuer_session = $3", connection, sid)
}

// EndVisit closes, within tx, the sessions of patients and guests of one visit, or those of one participant of it.
func (s *Sessions) EndVisit(ctx context.Context, tx *audit.Tx, visit, participant uuid.UUID) error {
	_, err := tx.Exec(ctx, `update session set ended_at = $3
		where visit_id = $1 and ($2::uuid is null or participant_id = $2) and ended_at is null`, visit, orNull(participant), tx.Now)
	return err
}

func (s *Sessions) endWhere(ctx context.Context, who audit.Actor, event audit.Event, where string, args ...any) (int, error) {
	var ended int
	err := s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		tag, err := tx.Exec(ctx, `update session set ended_at = $1 where ended_at is null and `+where, append([]any{tx.Now}, args...)...)
		ended = int(tag.RowsAffected())
		tx.Event.Detail = map[string]any{"count": ended}
		return err
	})
	return ended, err
}

func (s *Sessions) idle(kind audit.Kind) time.Duration {
	if kind == audit.Staff {
		return s.limits.StaffIdle
	}
	return s.limits.PatientIdle
}

func (s *Sessions) absolute(kind audit.Kind) time.Duration {
	if kind == audit.Staff {
		return s.limits.StaffAbsolute
	}
	return s.limits.PatientAbsolute
}

func markSeen(ctx context.Context, tx pgx.Tx, org, session uuid.UUID, at time.Time) error {
	_, err := tx.Exec(ctx, `insert into session_activity (session_id, org_id, seen_at) values ($1, $2, $3)
		on conflict (session_id) do update set seen_at = greatest(session_activity.seen_at, excluded.seen_at)`, session, org, at)
	return err
}

func secretHash(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func orZero(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// SessionOver means that a cookie opens nothing (any more).
type SessionOver struct{ code string }

// Error is for logs.
func (e *SessionOver) Error() string { return "identity: no session: " + e.code }

// Safe is for people.
func (e *SessionOver) Safe() string {
	switch e.code {
	case "idle":
		return "You were signed out because nothing happened for a while. Please sign in again."
	case "expired":
		return "Your session has come to its end. Please sign in again."
	case "ended":
		return "You are signed out. Please sign in again."
	}
	return "Please sign in."
}

// Code tells why: none, idle, expired or ended.
func (e *SessionOver) Code() string { return e.code }
