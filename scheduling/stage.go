package scheduling

import (
	"context"

	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/scheduling/visit"
)

// Cancel cancels a visit before its call. version is the one that the caller saw; 0 does not ask. reason is a code of
// http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason, as "pat" or "prov". Errors: *Changed,
// *visit.Refused.
func (s *Service) Cancel(ctx context.Context, who audit.Actor, id uuid.UUID, version int64, reason string) (visit.State, error) {
	if !code.MatchString(reason) {
		return visit.State{}, &Invalid{"reason", "is not a code"}
	}
	event := audit.Event{Action: string(visit.VisitCancelled), Detail: map[string]any{"reason": reason}}
	return s.change(ctx, who, id, event, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		if r.State.Stage == visit.Cancelled {
			return []visit.Command{visit.Cancel}, nil
		}
		if err := r.expect(version); err != nil {
			return nil, err
		}
		r.EndReason = reason
		return []visit.Command{visit.Cancel}, s.requeueAppointment(ctx, tx, id)
	})
}

// NoShow notes that the patient did not come.
func (s *Service) NoShow(ctx context.Context, who audit.Actor, id uuid.UUID) (visit.State, error) {
	return s.change(ctx, who, id, audit.Event{Action: string(visit.VisitMissed)}, func(ctx context.Context, tx *audit.Tx, r *row) ([]visit.Command, error) {
		if r.State.Stage == visit.NoShow {
			return []visit.Command{visit.MarkNoShow}, nil
		}
		return []visit.Command{visit.MarkNoShow}, s.requeueAppointment(ctx, tx, id)
	})
}

// Arrive notes that the patient waits, and how the devices did. Repeated, it keeps the newest device check.
func (s *Service) Arrive(ctx context.Context, who audit.Actor, id uuid.UUID, check DeviceCheck) (visit.State, error) {
	if err := check.validate(); err != nil {
		return visit.State{}, err
	}
	return s.change(ctx, who, id, audit.Event{Action: string(visit.PatientArrived)}, func(_ context.Context, _ *audit.Tx, r *row) ([]visit.Command, error) {
		if check != (DeviceCheck{}) {
			r.DeviceCheck = check
		}
		return []visit.Command{visit.Arrive}, nil
	})
}

// Start begins the call.
func (s *Service) Start(ctx context.Context, who audit.Actor, id uuid.UUID) (visit.State, error) {
	return s.change(ctx, who, id, audit.Event{Action: string(visit.CallStarted)}, func(context.Context, *audit.Tx, *row) ([]visit.Command, error) {
		return []visit.Command{visit.Start}, nil
	})
}

// End ends the call for everybody. A recording that runs is stopped and its finalising enqueued. reason is a code, as
// "ended-by-host", "peer-left" or "timeout".
func (s *Service) End(ctx context.Context, who audit.Actor, id uuid.UUID, reason string) (visit.State, error) {
	if !code.MatchString(reason) {
		return visit.State{}, &Invalid{"reason", "is not a code"}
	}
	event := audit.Event{Action: string(visit.CallEnded), Detail: map[string]any{"reason": reason}}
	return s.change(ctx, who, id, event, func(_ context.Context, _ *audit.Tx, r *row) ([]visit.Command, error) {
		if r.State.Stage != visit.Ended {
			r.EndReason = reason
		}
		return []visit.Command{visit.End}, nil
	})
}
