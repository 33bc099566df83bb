package note

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/scheduling/visit"
)

// Sealers gives what seals and opens the columns of an organisation.
type Sealers interface {
	Sealer(ctx context.Context, org uuid.UUID) (phi.Sealer, error)
}

// Visits is what scheduling does for a note inside the note's transaction.
type Visits interface {
	// Change applies transitions to the visit and completes the transaction's event.
	Change(ctx context.Context, tx *audit.Tx, who audit.Actor, id uuid.UUID, commands ...visit.Command) (visit.State, error)
	// QueueDelivery asks that the EHR receive a resource of the visit, and enqueues the job.
	QueueDelivery(ctx context.Context, tx *audit.Tx, id uuid.UUID, kind string, subject uuid.UUID) (uuid.UUID, error)
}

// SigningKey is an organisation's key on the curve P-256, in memory or in an HSM.
type SigningKey struct {
	ID  string // the "kid" by which the public key is published
	Key crypto.Signer
}

// Config of the service.
type Config struct {
	DB           *audit.DB
	Sealers      Sealers
	Visits       Visits
	SigningKey   func(ctx context.Context, org uuid.UUID) (SigningKey, error)
	RecordingURL func(recording uuid.UUID) string // where an allowed person watches it
}

// Service keeps drafts and signs them. It is safe for concurrent use.
type Service struct {
	db           *audit.DB
	sealers      Sealers
	visits       Visits
	signingKey   func(context.Context, uuid.UUID) (SigningKey, error)
	recordingURL func(uuid.UUID) string
}

// New makes the service.
func New(c Config) *Service {
	return &Service{db: c.DB, sealers: c.Sealers, visits: c.Visits, signingKey: c.SigningKey, recordingURL: c.RecordingURL}
}

// held is what a command needs to know of its visit, which is locked for it.
type held struct {
	id, room, clinician, patient uuid.UUID
	state                        visit.State
}

// hold locks the visit, names it in the event, and refuses whoever is not its clinician.
func hold(ctx context.Context, tx *audit.Tx, who audit.Actor, id uuid.UUID) (held, error) {
	h := held{id: id}
	err := tx.QueryRow(ctx, `select room_id, clinician_id, patient_id, stage, note, recording, delivery from visit where id = $1 for update`, id).
		Scan(&h.room, &h.clinician, &h.patient, &h.state.Stage, &h.state.Note, &h.state.Recording, &h.state.Delivery)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, ErrNotFound
	}
	if err != nil {
		return h, fmt.Errorf("lock the visit: %w", err)
	}
	tx.Event.Visit, tx.Event.Room, tx.Event.Patient = id, h.room, h.patient
	if who.Kind != audit.Staff || who.ID != h.clinician {
		return h, &NotClinician{Visit: id}
	}
	return h, nil
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
