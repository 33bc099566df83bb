package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/api/rtc"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// calls joins the two sides of a call: what media reports becomes commands and rows of scheduling, and what scheduling
// decided becomes rooms ended and recordings begun. It is media.Reports and scheduling.Watcher.
type calls struct {
	visits  *scheduling.Service
	node    *media.Node
	tapes   *tapes
	log     *slog.Logger
	mu      sync.Mutex
	present map[uuid.UUID]entrant  // by participant
	resumed map[uuid.UUID]struct{} // rooms to which somebody came since the start
	changes chan scheduling.Change
	done    chan struct{}
}

// entrant is who came in, and from where; known before the room hears of it.
type entrant struct {
	org     uuid.UUID
	address netip.Addr
	kind    audit.Kind
	id      uuid.UUID // of the member of staff, else the participant's
}

const reportTimeout = 10 * time.Second

func newCalls(log *slog.Logger) *calls {
	return &calls{log: log, present: map[uuid.UUID]entrant{}, resumed: map[uuid.UUID]struct{}{},
		changes: make(chan scheduling.Change, 1024), done: make(chan struct{})}
}

// run carries out what scheduling decided, in order, until the channel is closed.
func (c *calls) run() {
	defer close(c.done)
	for change := range c.changes {
		c.carryOut(change)
	}
}

func (c *calls) close() {
	close(c.changes)
	<-c.done
}

// Entering hears who is about to join and from where (rtc.Config).
func (c *calls) Entering(grant rtc.Grant, address netip.Addr) {
	kinds := map[string]audit.Kind{scheduling.RoleClinician: audit.Staff, scheduling.RolePatient: audit.Patient, scheduling.RoleGuest: audit.Guest}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.present[grant.Participant] = entrant{org: grant.Org, address: address, kind: kinds[grant.Role]}
}

// VisitChanged implements scheduling.Watcher; it never blocks a command.
func (c *calls) VisitChanged(change scheduling.Change) {
	select {
	case c.changes <- change:
	default:
		c.log.Error("changes of visits come faster than rooms follow", "visit", change.Visit)
		go func() { c.changes <- change }()
	}
}

func (c *calls) carryOut(change scheduling.Change) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	before, after := change.Before, change.After
	if after.Recording == visit.RecordingRunning && before.Recording != visit.RecordingRunning {
		c.startTape(ctx, change)
	}
	if before.Recording == visit.RecordingRunning && after.Recording != visit.RecordingRunning {
		c.node.StopRecording(change.Room)
		c.tapes.stop(ctx, change.Recording)
	}
	if over(after.Stage) && !over(before.Stage) {
		c.node.EndRoom(change.Room, endedFor(change.EndReason))
	}
}

func (c *calls) startTape(ctx context.Context, change scheduling.Change) {
	tap, err := c.tapes.start(ctx, change.Recording)
	if err == nil {
		err = c.node.Record(change.Room, tap)
	}
	if err == nil {
		return
	}
	c.log.Error("a recording could not begin", "recording", change.Recording, "cause", err)
	c.tapes.stop(ctx, change.Recording)
	if err := c.visits.RecordingFailed(ctx, audit.SystemActor(change.Org), change.Recording, "The recording could not begin."); err != nil {
		c.log.Error("a failed recording could not be noted", "recording", change.Recording, "cause", audit.Safe(err))
	}
}

// endedFor gives media's word for the end of a visit.
func endedFor(reason string) string {
	switch reason {
	case media.ReasonHangUp, media.ReasonPeerLeft, media.ReasonTimeout, media.ReasonShutdown:
		return reason
	default:
		return media.ReasonEndedByHost
	}
}

func over(s visit.Stage) bool { return s == visit.Ended || s == visit.Cancelled || s == visit.NoShow }

// Joined implements media.Reports.
func (c *calls) Joined(room, participant uuid.UUID, at time.Time) {
	c.mu.Lock()
	_, again := c.resumed[room]
	c.resumed[room] = struct{}{}
	c.mu.Unlock()
	c.report("joined", room, participant, func(ctx context.Context, who audit.Actor) error {
		return c.visits.Joined(ctx, who, room, participant, at)
	})
	if !again {
		c.continueTape(room)
	}
}

// continueTape records on when a call goes on after the server was killed in it.
func (c *calls) continueTape(room uuid.UUID) {
	recording, waiting := c.tapes.interrupted(room)
	if !waiting {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	tap, err := c.tapes.start(ctx, recording)
	if err == nil {
		err = c.node.Record(room, tap)
	}
	if err != nil {
		c.log.Error("an interrupted recording could not go on", "recording", recording, "cause", err)
	}
}

// StreamStarted implements media.Reports.
func (c *calls) StreamStarted(room, participant, stream uuid.UUID, kind string, at time.Time) {
	c.report("stream", room, participant, func(ctx context.Context, who audit.Actor) error {
		return c.visits.StreamStarted(ctx, who, room, participant, stream, kind, at)
	})
}

// Lost implements media.Reports.
func (c *calls) Lost(room, participant uuid.UUID, at time.Time) {
	c.report("lost", room, participant, func(ctx context.Context, who audit.Actor) error {
		return c.visits.Lost(ctx, who, room, participant, at)
	})
}

// Resumed implements media.Reports.
func (c *calls) Resumed(room, participant uuid.UUID, at time.Time) {
	c.report("resumed", room, participant, func(ctx context.Context, who audit.Actor) error {
		return c.visits.Resumed(ctx, who, room, participant, at)
	})
}

// Left implements media.Reports.
func (c *calls) Left(room, participant uuid.UUID, reason string, at time.Time) {
	c.report("left", room, participant, func(ctx context.Context, who audit.Actor) error {
		return c.visits.Left(ctx, who, room, participant, reason, at)
	})
	if reason == media.ReasonReplaced {
		return // by themselves, who entered before this was told
	}
	c.mu.Lock()
	delete(c.present, participant)
	c.mu.Unlock()
}

// Empty implements media.Reports: a room that is over ends its visit's call, unless the server itself stops, when
// the call waits for those who come back.
func (c *calls) Empty(room uuid.UUID, reason string, _ time.Time) {
	c.mu.Lock()
	delete(c.resumed, room)
	c.mu.Unlock()
	if reason == media.ReasonShutdown {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	org, id, err := c.visits.VisitOfRoom(ctx, room)
	if err == nil {
		err = c.end(ctx, org, id, reason)
	}
	if err != nil {
		c.log.Error("the end of a call could not be noted", "room", room, "cause", audit.Safe(err))
	}
}

func (c *calls) end(ctx context.Context, org, id uuid.UUID, reason string) error {
	_, err := c.visits.End(ctx, audit.SystemActor(org), id, reason)
	var refused *visit.Refused
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

func (c *calls) report(what string, room, participant uuid.UUID, do func(context.Context, audit.Actor) error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	who, err := c.actor(ctx, room, participant)
	if err == nil {
		err = do(ctx, who)
	}
	if err != nil {
		c.log.Error("a report of the media could not be kept", "report", what, "participant", participant, "cause", audit.Safe(err))
	}
}

// actor names who entered, for the trail: the member of staff where it is one, the participant otherwise.
func (c *calls) actor(ctx context.Context, room, participant uuid.UUID) (audit.Actor, error) {
	c.mu.Lock()
	who, known := c.present[participant]
	c.mu.Unlock()
	if !known {
		return audit.Actor{}, errors.New("nobody of that id ever entered")
	}
	if who.id == uuid.Nil {
		who.id = participant
		if who.kind == audit.Staff {
			staff, err := c.staffOf(ctx, room, participant)
			if err != nil {
				return audit.Actor{}, err
			}
			who.id = staff
		}
		c.mu.Lock()
		c.present[participant] = who
		c.mu.Unlock()
	}
	return audit.Actor{Org: who.org, Kind: who.kind, ID: who.id, IP: who.address}, nil
}

func (c *calls) staffOf(ctx context.Context, room, participant uuid.UUID) (uuid.UUID, error) {
	org, id, err := c.visits.VisitOfRoom(ctx, room)
	if err != nil {
		return uuid.Nil, err
	}
	view, err := c.visits.ForWork(ctx, org, id)
	if err != nil {
		return uuid.Nil, err
	}
	for _, p := range view.Participants {
		if p.ID == participant && p.Staff != uuid.Nil {
			return p.Staff, nil
		}
	}
	return participant, nil
}
