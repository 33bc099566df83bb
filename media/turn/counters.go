package turn

import "sync/atomic"

// Stats are totals since start, but for Allocations. They hold no identifiers and may become metrics.
type Stats struct {
	Allocations        int    // now
	AllocationsCreated uint64 // in all
	RefusedCredential  uint64 // unknown, expired, or another client's allocation
	RefusedQuota       uint64 // of the credential, the server, or its connections
	RefusedPeer        uint64 // permissions and channels to foreign peers
	DroppedDatagrams   uint64 // to or from foreign peers or ports
	RelayedToPeers     uint64 // bytes
	RelayedToClients   uint64 // bytes
	ExpiredAllocations uint64 // closed at the longest lifetime
}

type counters struct {
	created, refusedCredential, refusedQuota, refusedPeer, dropped, toPeers, toClients, expired atomic.Uint64
}

// Stats returns the present counts.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Allocations: s.credentials.count(), AllocationsCreated: c.created.Load(),
		RefusedCredential: c.refusedCredential.Load(), RefusedQuota: c.refusedQuota.Load(), RefusedPeer: c.refusedPeer.Load(),
		DroppedDatagrams: c.dropped.Load(), RelayedToPeers: c.toPeers.Load(), RelayedToClients: c.toClients.Load(), ExpiredAllocations: c.expired.Load(),
	}
}
