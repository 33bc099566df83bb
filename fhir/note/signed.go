package note

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
)

// Signed is a signed note.
type Signed struct {
	ID        uuid.UUID
	Visit     uuid.UUID
	Kind      Kind
	Follows   uuid.UUID // the signed note that it adds to or corrects, or zero
	Bytes     phi.Text  // exactly what was signed
	Content   Content   // what Bytes say
	SHA256    []byte
	Signature string // detached JWS over Bytes
	SignedBy  uuid.UUID
	SignedAt  time.Time
}

// ErrAltered means that a signed note's bytes do not have its fingerprint.
var ErrAltered = errors.New("a signed note was altered in the database")

const signedColumns = `id, visit_id, kind, follows, content_sealed, sha256, signature, signed_by, signed_at`

// Signed reads what was signed of a visit, oldest first, and records who read it.
func (s *Service) Signed(ctx context.Context, who audit.Actor, visitID uuid.UUID) ([]Signed, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return nil, err
	}
	var found []Signed
	event := audit.Event{Action: "note.viewed", Visit: visitID, ObjectKind: "note", ObjectID: visitID.String()}
	err = s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		err := tx.QueryRow(ctx, "select patient_id from visit where id = $1", visitID).Scan(&tx.Event.Patient)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("read the visit: %w", err)
		}
		found, err = loadSigned(ctx, tx, sealer, "visit_id = $1", visitID)
		return err
	})
	return found, err
}

// ForWork reads a signed note for the server's own work, such as its delivery; it leaves no event.
func (s *Service) ForWork(ctx context.Context, org, id uuid.UUID) (Signed, error) {
	sealer, err := s.sealers.Sealer(ctx, org)
	if err != nil {
		return Signed{}, err
	}
	var found []Signed
	err = s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
		found, err = loadSigned(ctx, tx, sealer, "id = $1", id)
		return err
	})
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Signed{}, err
	}
	return found[0], nil
}

// alreadySigned gives what this person signed with this fingerprint, or ErrNotFound.
func alreadySigned(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, visitID uuid.UUID, shown []byte, by uuid.UUID) (Signed, error) {
	found, err := loadSigned(ctx, tx, sealer, "visit_id = $1 and sha256 = $2 and signed_by = $3", visitID, shown, by)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Signed{}, err
	}
	return found[0], nil
}

func loadSigned(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, where string, args ...any) ([]Signed, error) {
	rows, err := tx.Query(ctx, "select "+signedColumns+" from signed_note where "+where+" order by signed_at, id", args...)
	if err != nil {
		return nil, fmt.Errorf("read what was signed: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Signed, error) {
		var n Signed
		var sealed []byte
		var follows *uuid.UUID
		err := row.Scan(&n.ID, &n.Visit, &n.Kind, &follows, &sealed, &n.SHA256, &n.Signature, &n.SignedBy, &n.SignedAt)
		if err != nil {
			return n, err
		}
		n.SignedAt = n.SignedAt.UTC()
		if follows != nil {
			n.Follows = *follows
		}
		if n.Bytes, err = phi.OpenText(sealer, sealed, signedRow(n.ID)); err != nil {
			return n, err
		}
		if sum := sha256.Sum256([]byte(n.Bytes.Reveal())); !bytes.Equal(sum[:], n.SHA256) {
			return n, ErrAltered
		}
		n.Content, err = decode(n.Bytes)
		return n, err
	})
}

func signedRow(id uuid.UUID) phi.Row {
	return phi.Row{Table: "signed_note", Column: "content", ID: id}
}
