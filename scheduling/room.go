package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
)

// VisitOfRoom tells whose room it is: media knows rooms only.
func (s *Service) VisitOfRoom(ctx context.Context, room uuid.UUID) (org, id uuid.UUID, err error) {
	var owner *uuid.UUID
	err = s.db.Read(ctx, uuid.Nil, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select room_org($1)", room).Scan(&owner)
	})
	if err != nil {
		return uuid.Nil, uuid.Nil, fmt.Errorf("find the room: %w", err)
	}
	if owner == nil {
		return uuid.Nil, uuid.Nil, ErrNotFound
	}
	err = s.db.Read(ctx, *owner, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "select id from visit where room_id = $1", room).Scan(&id)
	})
	return *owner, id, err
}

// Joined keeps that a participant entered the room: {time, actor, room, IP}. who must carry the participant's (or the
// member of staff's) id and address.
func (s *Service) Joined(ctx context.Context, who audit.Actor, room, participant uuid.UUID, at time.Time) error {
	return s.inRoom(ctx, who, room, participant, "room.joined", at, nil, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, `
			update participant p set joined_at = coalesce(p.joined_at, $2), left_at = case when v.stage = 'ended' then p.left_at end
			from visit v where p.id = $1 and v.id = p.visit_id`, participant, at.UTC())
		return err
	})
}

// Left keeps that a participant left the room. reason is media's code.
func (s *Service) Left(ctx context.Context, who audit.Actor, room, participant uuid.UUID, reason string, at time.Time) error {
	return s.inRoom(ctx, who, room, participant, "room.left", at, map[string]any{"reason": reason}, func(ctx context.Context, tx *audit.Tx) error {
		_, err := tx.Exec(ctx, "update participant set left_at = coalesce(left_at, $2) where id = $1 and joined_at is not null", participant, at.UTC())
		return err
	})
}

// Lost keeps that a participant's connection broke, and everybody was muted.
func (s *Service) Lost(ctx context.Context, who audit.Actor, room, participant uuid.UUID, at time.Time) error {
	return s.inRoom(ctx, who, room, participant, "room.lost", at, nil, nil)
}

// Resumed keeps that a participant came back within the grace.
func (s *Service) Resumed(ctx context.Context, who audit.Actor, room, participant uuid.UUID, at time.Time) error {
	return s.inRoom(ctx, who, room, participant, "room.resumed", at, nil, nil)
}

// StreamStarted keeps that a participant's media began: {time, media session}. kind is audio or video. The same
// stream is kept once.
func (s *Service) StreamStarted(ctx context.Context, who audit.Actor, room, participant, stream uuid.UUID, kind string, at time.Time) error {
	detail := map[string]any{"kind": kind, "participant": participant.String()}
	return s.inRoom(ctx, who, room, participant, "stream.started", at, detail, func(ctx context.Context, tx *audit.Tx) error {
		tx.Event.ObjectKind, tx.Event.ObjectID = "media-session", stream.String()
		tag, err := tx.Exec(ctx, `insert into media_session (id, org_id, room_id, participant_id, kind, started_at) values ($1, $2, $3, $4, $5, $6)
			on conflict (id) do nothing`, stream, who.Org, room, participant, kind, at.UTC())
		if err == nil && tag.RowsAffected() == 0 {
			return errKept
		}
		return err
	})
}

// errKept ends a transaction that would repeat what is there.
var errKept = errors.New("this is kept already")

func (s *Service) inRoom(ctx context.Context, who audit.Actor, room, participant uuid.UUID, action string, at time.Time, detail map[string]any,
	write func(context.Context, *audit.Tx) error) error {
	event := audit.Event{Action: action, Room: room, ObjectKind: "participant", ObjectID: participant.String(),
		Detail: with(detail, "at", at.UTC().Format(time.RFC3339Nano))}
	err := s.db.Do(ctx, who, event, func(ctx context.Context, tx *audit.Tx) error {
		err := tx.QueryRow(ctx, `select v.id, v.patient_id from visit v join participant p on p.visit_id = v.id
			where v.room_id = $1 and p.id = $2`, room, participant).Scan(&tx.Event.Visit, &tx.Event.Patient)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("find the room: %w", err)
		}
		if write != nil {
			if err := write(ctx, tx); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "select pg_notify('visit', $1)", who.Org.String()+":"+tx.Event.Visit.String())
		return err
	})
	if errors.Is(err, errKept) {
		return nil
	}
	return err
}

// OpenCall is a visit whose call has begun and not ended.
type OpenCall struct {
	Org, Visit, Room uuid.UUID
	StartedAt        time.Time
	Recording        uuid.UUID   // the one that runs, or zero
	Entered          []uuid.UUID // the participants without whom there is no call, where they have been in it
}

// OpenCalls lists the calls of every organisation that are not over, oldest first. After a crash the caller keeps
// them open for those who return, and ends those to which nobody does.
func (s *Service) OpenCalls(ctx context.Context) ([]OpenCall, error) {
	var orgs []uuid.UUID
	err := s.db.Read(ctx, uuid.Nil, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "select id from organisation order by id")
		if err != nil {
			return err
		}
		orgs, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the organisations: %w", err)
	}
	var open []OpenCall
	for _, org := range orgs {
		err := s.db.Read(ctx, org, func(ctx context.Context, tx pgx.Tx) error {
			rows, err := tx.Query(ctx, `select v.org_id, v.id, v.room_id, v.started_at,
				coalesce((select r.id from recording r where r.visit_id = v.id and r.state = 'running' limit 1), '00000000-0000-0000-0000-000000000000'),
				array(select p.id from participant p where p.visit_id = v.id and p.role <> 'guest' and p.joined_at is not null order by p.id)
				from visit v where v.stage = 'in-call' order by v.started_at, v.id`)
			if err != nil {
				return err
			}
			calls, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OpenCall])
			open = append(open, calls...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list the open calls: %w", err)
		}
	}
	return open, nil
}
