package media

import (
	"sync"
	"time"
)

// Loss-based estimation: below lowLoss the estimate grows, above highLoss it
// shrinks; between, it stays.
const (
	lowLoss       = 0.02
	highLoss      = 0.10
	growth        = 1.05
	limitLifetime = 5 * time.Second
	minEstimate   = 50_000
)

// downlink estimates what a client can receive: the smaller of what it says
// itself (REMB) and what its loss suggests. Zero means that nothing suggests
// a limit.
type downlink struct {
	mu      sync.Mutex
	limit   int
	limitAt time.Time
	byLoss  int
	loss    float64
	trip    time.Duration
}

func (d *downlink) noteLimit(bits int, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit, d.limitAt = max(bits, minEstimate), now
}

// noteLoss takes the fraction lost of a second and the rate sent in it.
func (d *downlink) noteLoss(fraction float64, sent int, _ time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loss = fraction
	switch {
	case fraction > highLoss && sent > 0:
		from := sent
		if d.byLoss > 0 {
			from = min(from, d.byLoss)
		}
		d.byLoss = max(int(float64(from)*(1-fraction/2)), minEstimate)
	case fraction < lowLoss && d.byLoss > 0:
		d.byLoss = int(float64(d.byLoss) * growth)
		if d.byLoss > 2*sent && sent > 0 {
			d.byLoss = 0
		}
	}
}

func (d *downlink) noteRoundTrip(trip time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trip = max(trip, 0)
}

// estimate returns bits a second, 0 = unknown.
func (d *downlink) estimate(now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := d.limit
	if now.Sub(d.limitAt) > limitLifetime {
		limit = 0
	}
	switch {
	case limit == 0:
		return d.byLoss
	case d.byLoss == 0:
		return limit
	}
	return min(limit, d.byLoss)
}

// figures returns the newest loss (0 to 1) and round-trip time.
func (d *downlink) figures() (loss float64, trip time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loss, d.trip
}
