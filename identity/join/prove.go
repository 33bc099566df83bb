package join

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
)

const (
	triesBeforeLock   = 5
	lockFor           = 15 * time.Minute
	triesBeforeRevoke = 20
)

// Prove lets the holder of a link in. A patient proves the date of birth as well; wrong ones are counted under a lock of the
// link's row, so that parallel tries get no extra guess. A wrong secret is not counted: it cannot be guessed, and counting
// it would let anybody who saw the link's id lock its patient out. It fails with *LinkRefused.
func (l *Links) Prove(ctx context.Context, from identity.Caller, link uuid.UUID, secret string, birthDate phi.Date) (string, identity.Principal, error) {
	org, err := l.orgOf(ctx, link)
	if err != nil {
		return "", identity.Principal{}, err
	}
	sealer, err := l.keyring.Sealer(ctx, org)
	if err != nil {
		return "", identity.Principal{}, err
	}
	var cookie string
	var principal identity.Principal
	var refused *LinkRefused
	event := audit.Event{Action: "link.proved", ObjectKind: "link", ObjectID: link.String()}
	// A refusal is the transaction's result and not its failure: the count of tries must be kept.
	err = l.db.Do(ctx, from.Anonymous(org), event, func(ctx context.Context, tx *audit.Tx) error {
		held, err := lockLink(ctx, tx, link)
		if err != nil {
			return err
		}
		tx.Event.Visit, tx.Event.Patient = held.visit, held.patient
		if refused, err = held.check(ctx, tx, sealer, secret, birthDate); err != nil {
			return err
		}
		if refused != nil {
			tx.Event.Action, tx.Event.Outcome = "link.refused", audit.Refused
			tx.Event.Detail = map[string]any{"code": refused.Reason, "kind": held.kind}
			return nil
		}
		cookie, principal, err = l.admit(ctx, tx, org, held)
		return err
	})
	switch {
	case err != nil:
		return "", identity.Principal{}, err
	case refused != nil:
		return "", identity.Principal{}, refused
	}
	return cookie, principal, nil
}

// admit begins the session; an earlier one of the same participant ends, since only one of them is the patient.
func (l *Links) admit(ctx context.Context, tx *audit.Tx, org uuid.UUID, held heldLink) (string, identity.Principal, error) {
	if _, err := tx.Exec(ctx, `update join_link set failures = 0, locked_until = null where id = $1`, held.id); err != nil {
		return "", identity.Principal{}, err
	}
	if err := l.sessions.EndVisit(ctx, tx, held.visit, held.participant); err != nil {
		return "", identity.Principal{}, err
	}
	kind := audit.Kind(held.kind)
	cookie, principal, err := l.sessions.BeginIn(ctx, tx, org, identity.Session{Kind: kind, Visit: held.visit, Link: held.id,
		Participant: held.participant, Roles: []identity.Role{identity.Role(held.kind)}, Connection: "link"})
	if err != nil {
		return "", identity.Principal{}, err
	}
	tx.Event.Detail = map[string]any{"kind": held.kind, "session": principal.Session.String(), "participant": held.participant.String()}
	return cookie, principal, nil
}

// heldLink is a link whose row is locked.
type heldLink struct {
	id, visit, participant, patient uuid.UUID
	kind, stage                     string
	hash, birthDate                 []byte
	expires                         time.Time
	revoked, locked                 *time.Time
	failures                        int
}

func lockLink(ctx context.Context, tx *audit.Tx, link uuid.UUID) (heldLink, error) {
	h := heldLink{id: link}
	err := tx.QueryRow(ctx, `
		select l.visit_id, l.participant_id, v.patient_id, l.kind, v.stage, l.secret_hash, p.birth_date_sealed, l.expires_at, l.revoked_at,
		       l.locked_until, l.failures
		from join_link l join visit v on v.id = l.visit_id join patient p on p.id = v.patient_id where l.id = $1 for update of l`, link).
		Scan(&h.visit, &h.participant, &h.patient, &h.kind, &h.stage, &h.hash, &h.birthDate, &h.expires, &h.revoked, &h.locked, &h.failures)
	if err != nil {
		return heldLink{}, fmt.Errorf("join: lock a link: %w", err)
	}
	return h, nil
}

func (h heldLink) check(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, secret string, birthDate phi.Date) (*LinkRefused, error) {
	// Nothing is told of the link's state to somebody who lacks its secret.
	if subtle.ConstantTimeCompare(secretHash(secret), h.hash) != 1 {
		return &LinkRefused{Reason: "incomplete"}, nil
	}
	if reason := uselessReason(h.stage, h.revoked != nil, h.expires, tx.Now); reason != "" {
		return &LinkRefused{Reason: reason}, nil
	}
	if h.locked != nil && tx.Now.Before(*h.locked) {
		return &LinkRefused{Reason: "locked", Until: *h.locked}, nil
	}
	if h.kind == string(audit.Guest) {
		return nil, nil
	}
	want, err := phi.OpenDate(sealer, h.birthDate, phi.Row{Table: "patient", Column: "birth_date", ID: h.patient})
	if err != nil {
		return nil, err
	}
	if !want.IsZero() && want.Equal(birthDate) {
		return nil, nil
	}
	return h.countWrong(ctx, tx)
}

func (h heldLink) countWrong(ctx context.Context, tx *audit.Tx) (*LinkRefused, error) {
	h.failures++
	refused := &LinkRefused{Reason: "wrong-birth-date", Remaining: triesBeforeLock - h.failures%triesBeforeLock}
	var locked, revoked *time.Time
	if h.failures%triesBeforeLock == 0 {
		until := tx.Now.Add(lockFor)
		locked, refused = &until, &LinkRefused{Reason: "locked", Until: until}
	}
	if h.failures >= triesBeforeRevoke {
		revoked, refused = &tx.Now, &LinkRefused{Reason: "revoked"}
		tx.Also(audit.Event{Action: "link.revoked", Visit: h.visit, Patient: h.patient, ObjectKind: "link", ObjectID: h.id.String(),
			Detail: map[string]any{"code": "too-many-tries"}})
	}
	_, err := tx.Exec(ctx, `update join_link set failures = $2, locked_until = $3, revoked_at = $4 where id = $1`, h.id, h.failures, locked, revoked)
	return refused, err
}
