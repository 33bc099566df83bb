package main

import (
	"errors"

	"github.com/televisit/televisit/api"
)

// makeMetrics exposes counts of media and relay; none carries an id.
func (s *server) makeMetrics() error {
	s.metrics = api.NewMetrics()
	problems := []error{
		s.metrics.Gauge("rooms", "Rooms with somebody in them.", func() float64 { return float64(s.node.Stats().Rooms) }),
		s.metrics.Gauge("participants", "Participants connected.", func() float64 { return float64(s.node.Stats().Peers) }),
	}
	if s.turn != nil {
		problems = append(problems,
			s.metrics.Gauge("turn_allocations", "TURN allocations now.", func() float64 { return float64(s.turn.Stats().Allocations) }),
			s.metrics.Counter("turn_refused_peers_total", "Permissions and channels to foreign peers that were refused.",
				func() float64 { return float64(s.turn.Stats().RefusedPeer) }),
			s.metrics.Counter("turn_relayed_bytes_total", "Bytes relayed, both ways.", func() float64 {
				stats := s.turn.Stats()
				return float64(stats.RelayedToPeers + stats.RelayedToClients)
			}))
	}
	return errors.Join(problems...)
}
