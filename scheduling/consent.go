package scheduling

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling/visit"
)

// Consent keeps a participant's answer to being recorded. The visit may be recorded while the patient's latest answer
// is yes and nobody's who is in the call, or has yet to join it, is no. A no, or the patient's "ask me", withdraws: a
// recording that runs stops at once.
func (s *Service) Consent(ctx context.Context, who audit.Actor, id, participant uuid.UUID, answer string) (visit.State, error) {
	if answer != AnswerYes && answer != AnswerNo && answer != AnswerAsk {
		return visit.State{}, &Invalid{"answer", "must be yes, no or ask"}
	}
	event := audit.Event{Action: "consent.answered", ObjectKind: "participant", ObjectID: participant.String(), Detail: map[string]any{"answer": answer}}
	return s.change(ctx, who, id, event, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		if !r.open() {
			return nil, &visit.Refused{Command: visit.GiveConsent, State: r.State}
		}
		var role string
		err := tx.QueryRow(ctx, "select role from participant where id = $1 and visit_id = $2", participant, id).Scan(&role)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, ErrNotFound
		}
		if err != nil {
			return nil, fmt.Errorf("read the participant: %w", err)
		}
		_, err = tx.Exec(ctx, `insert into consent (visit_id, org_id, participant_id, kind, answer, at) values ($1, $2, $3, 'recording', $4, $5)`,
			id, r.Org, participant, answer, tx.Now)
		if err != nil {
			return nil, fmt.Errorf("keep the answer: %w", err)
		}
		r.did = "consent.answered"
		allowed, err := mayRecord(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		return consentCommand(r.State.Recording, allowed), nil
	})
}

func (r *row) open() bool {
	return r.State.Stage == visit.Booked || r.State.Stage == visit.Arrived || r.State.Stage == visit.InCall
}

// consentCommand is what an answer does. To a recording that is over it does nothing: that was made with consent.
func consentCommand(recording visit.Recording, allowed bool) []visit.Command {
	switch {
	case recording == visit.RecordingOff && allowed:
		return []visit.Command{visit.GiveConsent}
	case (recording == visit.RecordingConsented || recording == visit.RecordingRunning) && !allowed:
		return []visit.Command{visit.WithdrawConsent}
	}
	return nil
}

func mayRecord(ctx context.Context, tx pgx.Tx, id uuid.UUID) (allowed bool, err error) {
	err = tx.QueryRow(ctx, `
		with latest as (
			select distinct on (c.participant_id) p.role, p.left_at, c.answer
			from consent c join participant p on p.id = c.participant_id
			where c.visit_id = $1 and c.kind = 'recording'
			order by c.participant_id, c.at desc)
		select exists (select from latest where role = 'patient' and answer = 'yes')
		   and not exists (select from latest where role = 'patient' and answer <> 'yes')
		   and not exists (select from latest where answer = 'no' and left_at is null)`, id).Scan(&allowed)
	if err != nil {
		return false, fmt.Errorf("read the answers: %w", err)
	}
	return allowed, nil
}
