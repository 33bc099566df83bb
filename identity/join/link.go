package join

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
)

const (
	patientGrace  = 2 * time.Hour // a patient's link outlives the planned end: visits run late
	guestLifetime = time.Hour
	maxLabel      = 80
)

// Links makes the links of patients and guests and lets their holders in.
type Links struct {
	db       *audit.DB
	keyring  *identity.Keyring
	sessions *identity.Sessions
	origin   string
	now      func() time.Time
}

// NewLinks makes Links. origin is the server's own, as "https://visits.example.org".
func NewLinks(db *audit.DB, keyring *identity.Keyring, sessions *identity.Sessions, origin string, now func() time.Time) *Links {
	return &Links{db: db, keyring: keyring, sessions: sessions, origin: strings.TrimSuffix(origin, "/"), now: now}
}

// Link is a way in. URL carries the secret: show it to whom it is for, never log it.
type Link struct {
	ID          uuid.UUID
	Participant uuid.UUID
	Kind        audit.Kind // Patient or Guest
	URL         string
	ExpiresAt   time.Time
}

// NewPatientLink makes the patient's link to a visit. An earlier one stays valid until it is revoked.
func (l *Links) NewPatientLink(ctx context.Context, who audit.Actor, visit uuid.UUID) (Link, error) {
	return l.create(ctx, who, visit, audit.Patient, "", phi.Text{})
}

// NewGuestLink makes a link for somebody who accompanies: family, interpreter, carer. It is valid for an hour.
// roleLabel says which; name is shown in the room and may be empty.
func (l *Links) NewGuestLink(ctx context.Context, who audit.Actor, visit uuid.UUID, roleLabel string, name phi.Text) (Link, error) {
	roleLabel = strings.TrimSpace(roleLabel)
	if roleLabel == "" || len(roleLabel) > maxLabel || len(name.Reveal()) > maxLabel {
		return Link{}, errors.New("join: a guest needs a role label, and label and name have at most 80 bytes")
	}
	return l.create(ctx, who, visit, audit.Guest, roleLabel, name)
}

func (l *Links) create(ctx context.Context, who audit.Actor, visit uuid.UUID, kind audit.Kind, roleLabel string, name phi.Text) (Link, error) {
	sealer, err := l.keyring.Sealer(ctx, who.Org)
	if err != nil {
		return Link{}, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // crypto/rand never fails (Go 1.24)
	text := base64.RawURLEncoding.EncodeToString(secret)
	link := Link{ID: uuid.New(), Kind: kind}
	sealed, err := phi.SealText(sealer, phi.NewText(text), secretRow(link.ID))
	if err != nil {
		return Link{}, err
	}
	event := audit.Event{Action: "link.created", Visit: visit, ObjectKind: "link", ObjectID: link.ID.String(), Detail: map[string]any{"kind": string(kind)}}
	err = l.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		var endsAt time.Time
		var stage string
		err := tx.QueryRow(ctx, `select ends_at, stage from visit where id = $1 for share`, visit).Scan(&endsAt, &stage)
		if errors.Is(err, pgx.ErrNoRows) {
			return &LinkRefused{Reason: "unknown"}
		}
		if err != nil {
			return err
		}
		if reason := closedReason(stage); reason != "" {
			return &LinkRefused{Reason: reason}
		}
		link.ExpiresAt = tx.Now.Add(guestLifetime)
		if kind == audit.Patient {
			link.ExpiresAt = endsAt.Add(patientGrace)
		}
		if link.Participant, err = ensureParticipant(ctx, tx, sealer, who.Org, visit, kind, roleLabel, name); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into join_link (id, org_id, visit_id, participant_id, kind, secret_hash, secret_sealed, role_label, expires_at, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			link.ID, who.Org, visit, link.Participant, string(kind), secretHash(text), sealed, roleLabel, link.ExpiresAt, tx.Now)
		return err
	})
	if err != nil {
		return Link{}, err
	}
	link.URL = l.url(link.ID, text)
	return link, nil
}

// ensureParticipant gives the visit's one patient, or a guest of its own: a guest is who holds the link.
func ensureParticipant(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, org, visit uuid.UUID, kind audit.Kind, roleLabel string, name phi.Text) (uuid.UUID, error) {
	id := uuid.New()
	if kind == audit.Guest {
		if name.IsZero() {
			name = phi.NewText(roleLabel)
		}
		label, err := phi.SealText(sealer, name, phi.Row{Table: "participant", Column: "label", ID: id})
		if err != nil {
			return uuid.Nil, err
		}
		_, err = tx.Exec(ctx, `insert into participant (id, org_id, visit_id, role, label_sealed) values ($1, $2, $3, 'guest', $4)`, id, org, visit, label)
		return id, err
	}
	_, err := tx.Exec(ctx, `insert into participant (id, org_id, visit_id, role) values ($1, $2, $3, 'patient')
		on conflict on constraint participant_once do nothing`, id, org, visit)
	if err != nil {
		return uuid.Nil, err
	}
	err = tx.QueryRow(ctx, `select id from participant where visit_id = $1 and role = 'patient'`, visit).Scan(&id)
	return id, err
}

// Current gives the patient's link of a visit again, to be copied. Seeing it is an event.
func (l *Links) Current(ctx context.Context, who audit.Actor, visit uuid.UUID) (Link, error) {
	sealer, err := l.keyring.Sealer(ctx, who.Org)
	if err != nil {
		return Link{}, err
	}
	link := Link{Kind: audit.Patient}
	event := audit.Event{Action: "link.viewed", Visit: visit, ObjectKind: "link"}
	err = l.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		var sealed []byte
		err := tx.QueryRow(ctx, `select id, participant_id, secret_sealed, expires_at from join_link
			where visit_id = $1 and kind = 'patient' and revoked_at is null and expires_at > $2 order by created_at desc limit 1`,
			visit, tx.Now).Scan(&link.ID, &link.Participant, &sealed, &link.ExpiresAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return &LinkRefused{Reason: "unknown"}
		}
		if err != nil {
			return err
		}
		secret, err := phi.OpenText(sealer, sealed, secretRow(link.ID))
		if err != nil {
			return err
		}
		link.URL = l.url(link.ID, secret.Reveal())
		tx.Event.ObjectID = link.ID.String()
		return nil
	})
	if err != nil {
		return Link{}, err
	}
	return link, nil
}

// Revoke makes a link useless at once and ends the sessions that it began.
func (l *Links) Revoke(ctx context.Context, who audit.Actor, link uuid.UUID) error {
	event := audit.Event{Action: "link.revoked", ObjectKind: "link", ObjectID: link.String()}
	return l.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		err := tx.QueryRow(ctx, `update join_link set revoked_at = coalesce(revoked_at, $2), secret_sealed = null where id = $1 returning visit_id`,
			link, tx.Now).Scan(&tx.Event.Visit)
		if errors.Is(err, pgx.ErrNoRows) {
			return &LinkRefused{Reason: "unknown"}
		}
		if err != nil {
			return fmt.Errorf("join: revoke a link: %w", err)
		}
		_, err = tx.Exec(ctx, `update session set ended_at = $2 where link_id = $1 and ended_at is null`, link, tx.Now)
		return err
	})
}

// Preview is what the page may know before any proof.
type Preview struct {
	Kind audit.Kind // Patient: asks for the date of birth; Guest: does not
	Org  uuid.UUID
}

// Look tells what to ask the holder of a link for, or why the link is of no use (*LinkRefused).
func (l *Links) Look(ctx context.Context, link uuid.UUID) (Preview, error) {
	org, err := l.orgOf(ctx, link)
	if err != nil {
		return Preview{}, err
	}
	var kind, stage string
	var expires time.Time
	var revoked *time.Time
	err = l.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select l.kind, l.expires_at, l.revoked_at, v.stage from join_link l join visit v on v.id = l.visit_id
			where l.id = $1`, link).Scan(&kind, &expires, &revoked, &stage)
	})
	if err != nil {
		return Preview{}, err
	}
	if reason := uselessReason(stage, revoked != nil, expires, l.now()); reason != "" {
		return Preview{}, &LinkRefused{Reason: reason}
	}
	return Preview{Kind: audit.Kind(kind), Org: org}, nil
}

func (l *Links) orgOf(ctx context.Context, link uuid.UUID) (uuid.UUID, error) {
	var org *uuid.UUID
	err := l.db.Read(ctx, uuid.Nil, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select join_link_org($1)`, link).Scan(&org)
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("join: find a link: %w", err)
	}
	if org == nil {
		return uuid.Nil, &LinkRefused{Reason: "unknown"}
	}
	return *org, nil
}

func (l *Links) url(id uuid.UUID, secret string) string {
	return l.origin + "/v/" + id.String() + "#" + secret
}

// uselessReason prefers what the reader can understand best: the visit's fate over the link's.
func uselessReason(stage string, revoked bool, expires, now time.Time) string {
	switch reason := closedReason(stage); {
	case reason != "":
		return reason
	case revoked:
		return "revoked"
	case !now.Before(expires):
		return "expired"
	}
	return ""
}

func closedReason(stage string) string {
	switch stage {
	case "cancelled", "ended", "no-show":
		return stage
	}
	return ""
}

func secretRow(link uuid.UUID) phi.Row {
	return phi.Row{Table: "join_link", Column: "secret", ID: link}
}

func secretHash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
