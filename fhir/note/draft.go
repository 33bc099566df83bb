package note

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// Draft is a note that is not signed yet. Version 0 is no draft at all.
type Draft struct {
	Version int64
	Body    Body
	SavedAt time.Time
	SavedBy uuid.UUID
}

// Save keeps a draft. version is that of the draft which the writer saw, 0 before the first; the new version is given
// back. When another draft was kept meanwhile the error is a *Stale with it, unless it says the same: then a lost answer
// is being repeated, and its version is given.
func (s *Service) Save(ctx context.Context, who audit.Actor, visitID uuid.UUID, version int64, body Body) (int64, error) {
	body, err := body.normalised()
	if err != nil {
		return 0, err
	}
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return 0, err
	}
	kept := version + 1
	event := audit.Event{Action: string(visit.DraftSaved), Visit: visitID, ObjectKind: "note", ObjectID: visitID.String()}
	err = s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		h, err := hold(ctx, tx, who, visitID)
		if err != nil {
			return err
		}
		there, err := loadDraft(ctx, tx, sealer, visitID)
		if err != nil {
			return err
		}
		tx.Event.Detail = map[string]any{"version": kept}
		if there.Version != version {
			if there.Version == kept && there.Body.Equal(body) {
				tx.Event.Action = "note.unchanged"
				return nil
			}
			return &Stale{Newer: there}
		}
		if err := s.markDraft(ctx, tx, who, h); err != nil {
			return err
		}
		return writeDraft(ctx, tx, sealer, who, visitID, kept, body)
	})
	if err != nil {
		return 0, err
	}
	return kept, nil
}

// markDraft makes the visit one with a draft; what already is one is not touched, so that saving every few seconds does
// not stir every page that shows the visit.
func (s *Service) markDraft(ctx context.Context, tx *audit.Tx, who audit.Actor, h held) error {
	if h.state.Note == visit.NoteSigned || h.state.Note == visit.NoteAmended {
		return ErrAlreadySigned
	}
	if h.state.Note == visit.NoteDraft {
		_, _, err := visit.Apply(visit.Visit{State: h.state}, visit.SaveDraft, tx.Now)
		return err
	}
	_, err := s.visits.Change(ctx, tx, who, h.id, visit.SaveDraft)
	return err
}

func writeDraft(ctx context.Context, tx *audit.Tx, sealer phi.Sealer, who audit.Actor, visitID uuid.UUID, version int64, body Body) error {
	sealed, err := body.seal(sealer, visitID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into note (visit_id, org_id, version, body_sealed, saved_at, saved_by) values ($1, $2, $3, $4, $5, $6)
		on conflict (visit_id) do update set version = excluded.version, body_sealed = excluded.body_sealed, saved_at = excluded.saved_at, saved_by = excluded.saved_by`,
		visitID, who.Org, version, sealed, tx.Now, who.ID)
	if err != nil {
		return fmt.Errorf("keep the draft: %w", err)
	}
	return nil
}

// Load reads the draft and records who read it. Without one it gives the zero Draft.
func (s *Service) Load(ctx context.Context, who audit.Actor, visitID uuid.UUID) (Draft, error) {
	sealer, err := s.sealers.Sealer(ctx, who.Org)
	if err != nil {
		return Draft{}, err
	}
	var d Draft
	event := audit.Event{Action: "note.viewed", Visit: visitID, ObjectKind: "note", ObjectID: visitID.String()}
	err = s.db.View(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		err := tx.QueryRow(ctx, "select patient_id from visit where id = $1", visitID).Scan(&tx.Event.Patient)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("read the visit: %w", err)
		}
		d, err = loadDraft(ctx, tx, sealer, visitID)
		return err
	})
	return d, err
}

func loadDraft(ctx context.Context, tx pgx.Tx, sealer phi.Sealer, visitID uuid.UUID) (d Draft, err error) {
	var sealed []byte
	err = tx.QueryRow(ctx, "select version, body_sealed, saved_at, saved_by from note where visit_id = $1", visitID).Scan(&d.Version, &sealed, &d.SavedAt, &d.SavedBy)
	if errors.Is(err, pgx.ErrNoRows) {
		return Draft{}, nil
	}
	if err != nil {
		return d, fmt.Errorf("read the draft: %w", err)
	}
	d.SavedAt = d.SavedAt.UTC()
	d.Body, err = openBody(sealer, sealed, visitID)
	return d, err
}
