package main

import "github.com/prometheus/client_golang/prometheus"

// registerMetrics exposes counts of media and relay; none carries an id.
func registerMetrics(s *server) {
	gauge := func(name, help string, value func() float64) {
		s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "televisit", Name: name, Help: help}, value))
	}
	gauge("rooms", "Rooms with somebody in them.", func() float64 { return float64(s.node.Stats().Rooms) })
	gauge("participants", "Participants connected.", func() float64 { return float64(s.node.Stats().Peers) })
	if s.turn == nil {
		return
	}
	gauge("turn_allocations", "TURN allocations now.", func() float64 { return float64(s.turn.Stats().Allocations) })
	gauge("turn_refused_peers", "Permissions and channels to foreign peers that were refused.", func() float64 { return float64(s.turn.Stats().RefusedPeer) })
	gauge("turn_relayed_bytes", "Bytes relayed, both ways.", func() float64 {
		stats := s.turn.Stats()
		return float64(stats.RelayedToPeers + stats.RelayedToClients)
	})
}
