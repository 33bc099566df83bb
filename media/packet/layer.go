package packet

// TemporalFilter keeps a subscriber's VP8 stream below a temporal layer. It
// goes down at once and up only where the stream allows it (a sync point or a
// base-layer frame), so that the decoder never misses a reference.
type TemporalFilter struct {
	current, target uint8
	started         bool
}

// MaxTemporal is the highest temporal layer id of the VP8 descriptor.
const MaxTemporal = 3

// SetTarget chooses the highest layer to forward, 0 to MaxTemporal.
func (f *TemporalFilter) SetTarget(layer uint8) { f.target = min(layer, MaxTemporal) }

// Keep reports whether a packet with this descriptor is forwarded.
func (f *TemporalFilter) Keep(d VP8) bool {
	if !d.HasTID {
		return true
	}
	if !f.started {
		f.started, f.current = true, f.target
	}
	if f.target < f.current {
		f.current = f.target
	}
	if d.TID > f.current && d.TID <= f.target && d.Start && d.LayerSync {
		f.current = d.TID
	}
	return d.TID <= f.current
}

// Audio first: below this a subscriber's video waits.
const audioReserve = 48_000

// Budget says what of a track a subscriber's bandwidth carries.
type Budget struct {
	Video    bool
	Temporal uint8
}

// Choose splits an estimate (bits a second, 0 = unknown) for a video track
// that arrives at rate bits a second. Audio is always forwarded; video loses
// temporal layers first and waits when not even its base layer fits. The
// thresholds to come back are 15 % above those to go down (playing is the
// present choice), so that it does not swing.
func Choose(estimate, rate int, playing Budget) Budget {
	if estimate <= 0 || rate <= 0 {
		return Budget{Video: true, Temporal: MaxTemporal}
	}
	room := estimate - audioReserve
	fits := func(need int, have bool) bool {
		if !have {
			need += need * 15 / 100
		}
		return room >= need
	}
	switch {
	case fits(rate, playing.Video && playing.Temporal == MaxTemporal):
		return Budget{Video: true, Temporal: MaxTemporal}
	case fits(rate*7/10, playing.Video && playing.Temporal >= 1):
		return Budget{Video: true, Temporal: 1}
	case fits(rate*4/10, playing.Video):
		return Budget{Video: true, Temporal: 0}
	}
	return Budget{}
}
