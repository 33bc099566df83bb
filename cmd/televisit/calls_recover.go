package main

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/media"
	"github.com/televisit/televisit/scheduling"
)

// recover takes up the calls that were open when the server was killed: their recordings go on when somebody
// returns, and those to which not everybody returned within window are ended, as after any other loss.
func (c *calls) recover(ctx context.Context, window time.Duration) error {
	open, err := c.visits.OpenCalls(ctx)
	if err != nil {
		return err
	}
	for _, call := range open {
		if call.Recording != uuid.Nil {
			c.tapes.expect(call.Room, call.Recording)
		}
	}
	if len(open) == 0 {
		return nil
	}
	go c.endAbandoned(ctx, open, window)
	return nil
}

// returned tells whether those without whom there is no call are in it again.
func (c *calls) returned(call scheduling.OpenCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, participant := range call.Entered {
		if _, here := c.present[participant]; !here {
			return false
		}
	}
	_, anybody := c.resumed[call.Room]
	return anybody
}

func (c *calls) endAbandoned(ctx context.Context, open []scheduling.OpenCall, window time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(window):
	}
	for _, call := range open {
		if c.returned(call) {
			continue
		}
		if err := c.end(ctx, call.Org, call.Visit, media.ReasonTimeout); err != nil {
			c.log.Error("an abandoned call could not be ended", "visit", call.Visit, "cause", audit.Safe(err))
		}
	}
}
