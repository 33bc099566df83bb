package note

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// The deliveries that a signature causes (scheduling's kinds).
const (
	deliverEncounter = "encounter"
	deliverNote      = "note"
	deliverRecording = "recording"
)

// Review is what would be signed now: the exact bytes, their fingerprint, and what they say.
type Review struct {
	Bytes   phi.Text // canonical JSON
	SHA256  []byte   // of Bytes; Sign asks for it
	Content Content
	Version int64 // of the draft
}

// Plain is the review as the chart will show it.
func (r Review) Plain() phi.Text { return Plain(r.Content) }

// HTML is the review as a page shows it.
func (r Review) HTML() template.HTML { return HTML(r.Content) }

// Review shows the visit's clinician what a signature would cover. Errors: ErrNothingToSign, ErrNotEnded,
// ErrAlreadySigned, *NotClinician.
func (s *Service) Review(ctx context.Context, who audit.Actor, visitID uuid.UUID) (Review, error) {
	var r Review
	err := s.reviewing(ctx, who, visitID, func(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, h held) (err error) {
		r, err = s.reviewOriginal(ctx, tx, sealer, h)
		return err
	})
	return r, err
}

// ReviewAmendment is Review for an addendum or a correction of what is signed. Error: ErrNotSigned.
func (s *Service) ReviewAmendment(ctx context.Context, who audit.Actor, visitID uuid.UUID, kind Kind, body Body) (Review, error) {
	body, err := amendment(kind, body)
	if err != nil {
		return Review{}, err
	}
	var r Review
	err = s.reviewing(ctx, who, visitID, func(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, h held) (err error) {
		r, err = s.reviewAmendment(ctx, tx, sealer, h, kind, body)
		return err
	})
	return r, err
}

func (s *Service) reviewing(ctx context.Context, who audit.Actor, visitID uuid.UUID, f func(context.Context, *audit.Tx, phi.Sealer, held) error) error {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return err
	}
	event := audit.Event{Action: "note.reviewed", Visit: visitID, ObjectKind: "note", ObjectID: visitID.String()}
	return s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		h, err := hold(ctx, tx, who, visitID)
		if err != nil {
			return err
		}
		return f(ctx, tx, sealer, h)
	})
}

func (s *Service) reviewOriginal(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, h held) (Review, error) {
	if h.state.Note == visit.NoteSigned || h.state.Note == visit.NoteAmended {
		return Review{}, ErrAlreadySigned
	}
	if h.state.Stage != visit.Ended {
		return Review{}, ErrNotEnded
	}
	draft, err := loadDraft(ctx, tx, sealer, h.id)
	if err != nil {
		return Review{}, err
	}
	if draft.Body.Empty() {
		return Review{}, ErrNothingToSign
	}
	content, err := s.compose(ctx, tx, sealer, h.id, Original, uuid.Nil, draft.Body)
	if err != nil {
		return Review{}, err
	}
	return reviewOf(content, draft.Version)
}

func (s *Service) reviewAmendment(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, h held, kind Kind, body Body) (Review, error) {
	if h.state.Note != visit.NoteSigned && h.state.Note != visit.NoteAmended {
		return Review{}, ErrNotSigned
	}
	var follows uuid.UUID
	err := tx.QueryRow(ctx, `select id from signed_note n where visit_id = $1 and not exists (select from signed_note later where later.follows = n.id)
		order by signed_at desc, id limit 1`, h.id).Scan(&follows)
	if err != nil {
		return Review{}, fmt.Errorf("find what is amended: %w", err)
	}
	content, err := s.compose(ctx, tx, sealer, h.id, kind, follows, body)
	if err != nil {
		return Review{}, err
	}
	return reviewOf(content, 0)
}

// reviewOf shows what the bytes say, not what they were made of.
func reviewOf(c Content, version int64) (Review, error) {
	r := Review{Bytes: c.encode(), Version: version}
	sum := sha256.Sum256([]byte(r.Bytes.Reveal()))
	r.SHA256 = sum[:]
	var err error
	r.Content, err = decode(r.Bytes)
	return r, err
}

func amendment(kind Kind, body Body) (Body, error) {
	if kind != Addendum && kind != Correction {
		return body, &Invalid{"kind", "must be addendum or correction"}
	}
	if body.Empty() {
		return body, ErrNothingToSign
	}
	return body.normalised()
}

// Sign signs the draft for the visit's clinician, if shown is the SHA-256 of what would be signed now (*NotShown). In the
// same transaction the visit is signed, and the encounter, the note and the recording (where there is one) are queued
// for the EHR. Repeated with the same fingerprint it gives what was signed.
func (s *Service) Sign(ctx context.Context, who audit.Actor, visitID uuid.UUID, shown []byte) (Signed, error) {
	return s.signing(ctx, who, visitID, shown, visit.Sign, Original, func(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, h held) (Review, error) {
		return s.reviewOriginal(ctx, tx, sealer, h)
	})
}

// Amend signs an addendum or a correction, if shown is the SHA-256 of what ReviewAmendment gave. Only the note is queued.
// Repeated with the same fingerprint it gives what was signed.
func (s *Service) Amend(ctx context.Context, who audit.Actor, visitID uuid.UUID, kind Kind, body Body, shown []byte) (Signed, error) {
	body, err := amendment(kind, body)
	if err != nil {
		return Signed{}, err
	}
	return s.signing(ctx, who, visitID, shown, visit.Amend, kind, func(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, h held) (Review, error) {
		return s.reviewAmendment(ctx, tx, sealer, h, kind, body)
	})
}

func (s *Service) signing(ctx context.Context, who audit.Actor, visitID uuid.UUID, shown []byte, command visit.Command, kind Kind,
	review func(context.Context, *audit.Tx, phi.Sealer, held) (Review, error)) (Signed, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return Signed{}, err
	}
	key, err := s.signingKey(ctx, who.Org)
	if err != nil {
		return Signed{}, fmt.Errorf("open the signing key: %w", err)
	}
	var signed Signed
	event := audit.Event{Action: string(visit.NoteWasSigned), Visit: visitID, Detail: map[string]any{"kind": string(kind)}}
	err = s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		h, err := hold(ctx, tx, who, visitID)
		if err != nil {
			return err
		}
		if signed, err = alreadySigned(ctx, tx, sealer, visitID, shown, who.ID); !errors.Is(err, ErrNotFound) {
			tx.Event.Action, tx.Event.ObjectKind, tx.Event.ObjectID = "note.unchanged", "signed-note", signed.ID.String()
			return err
		}
		r, err := review(ctx, tx, sealer, h)
		if err != nil {
			return err
		}
		if !bytes.Equal(r.SHA256, shown) {
			return &NotShown{Visit: visitID}
		}
		if signed, err = seal(key, r, who, tx); err != nil {
			return err
		}
		if err := insertSigned(ctx, tx, sealer, who.Org, signed); err != nil {
			return err
		}
		tx.Event.ObjectKind, tx.Event.ObjectID = "signed-note", signed.ID.String()
		if _, err := s.visits.Change(ctx, tx, who, visitID, command); err != nil {
			return err
		}
		return s.queue(ctx, tx, signed)
	})
	return signed, err
}

func seal(key SigningKey, r Review, who audit.Actor, tx *audit.Tx) (Signed, error) {
	jws, err := sign(key, r.Bytes, who.ID, tx.Now)
	if err != nil {
		return Signed{}, err
	}
	return Signed{ID: uuid.New(), Visit: r.Content.Visit.ID, Kind: r.Content.Kind, Follows: r.Content.Follows, Bytes: r.Bytes, Content: r.Content,
		SHA256: r.SHA256, Signature: jws, SignedBy: who.ID, SignedAt: tx.Now}, nil
}

func insertSigned(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, org uuid.UUID, n Signed) error {
	sealed, err := phi.SealText(sealer, n.Bytes, signedRow(n.ID))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into signed_note (id, org_id, visit_id, kind, follows, content_sealed, sha256, signature, signed_by, signed_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		n.ID, org, n.Visit, n.Kind, orNull(n.Follows), sealed, n.SHA256, n.Signature, n.SignedBy, n.SignedAt)
	if err != nil {
		return fmt.Errorf("keep what was signed: %w", err)
	}
	return nil
}

// queue asks for the deliveries of a signature. The recording goes with the original, stored already or not: its worker
// waits.
func (s *Service) queue(ctx context.Context, tx *audit.Tx, n Signed) error {
	type delivery struct {
		kind    string
		subject uuid.UUID
	}
	due := []delivery{{deliverNote, n.ID}}
	if n.Kind == Original {
		due = []delivery{{deliverEncounter, uuid.Nil}, {deliverNote, n.ID}}
		if n.Content.Recording != nil {
			due = append(due, delivery{deliverRecording, n.Content.Recording.ID})
		}
	}
	for _, d := range due {
		if _, err := s.visits.QueueDelivery(ctx, tx, n.Visit, d.kind, d.subject); err != nil {
			return err
		}
	}
	return nil
}
