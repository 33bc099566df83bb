package mediabench

import (
	"context"
	"encoding/binary"
	"errors"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// The publisher: 50 audio packets a second of 80 bytes, and 30 frames a second
// of VP8 at 1.2 Mbit/s with a key frame every three seconds.
const (
	audioEvery   = 20 * time.Millisecond
	frameEvery   = time.Second / 30
	audioSize    = 80
	videoSize    = 1000
	framePackets = 5
	keyEvery     = 90 // frames
	keyPackets   = 14
	stampSize    = 16
	settle       = 30 * time.Second
)

// sender is one participant's way out, pion or bare UDP.
type sender interface {
	audio(stamp []byte)
	video(stamp []byte, first, last, key bool)
}

// gauge collects what arrives.
type gauge struct {
	epoch     time.Time
	measuring atomic.Bool
	packets   atomic.Uint64
	sent      atomic.Uint64
	latency   []atomic.Uint32
}

const (
	latencyStep = 10 * time.Microsecond
	latencyMax  = 2 * time.Second
)

func newGauge() *gauge {
	return &gauge{epoch: time.Now(), latency: make([]atomic.Uint32, latencyMax/latencyStep+1)}
}

// arrived counts one packet by the stamp in its payload.
func (g *gauge) arrived(stamp []byte) {
	if !g.measuring.Load() || len(stamp) < stampSize {
		return
	}
	sent := time.Duration(binary.BigEndian.Uint64(stamp))
	step := (time.Since(g.epoch) - sent) / latencyStep
	g.latency[min(max(step, 0), latencyMax/latencyStep)].Add(1)
	g.packets.Add(1)
}

func (g *gauge) percentile(q float64) float64 {
	total := uint64(0)
	for i := range g.latency {
		total += uint64(g.latency[i].Load())
	}
	rank, sum := uint64(float64(total)*q), uint64(0)
	for i := range g.latency {
		sum += uint64(g.latency[i].Load())
		if sum > rank {
			return (time.Duration(i) * latencyStep).Seconds() * 1000
		}
	}
	return 0
}

// participantState is the pacer's memory of one publisher.
type participantState struct {
	out       sender
	nextAudio time.Duration
	nextFrame time.Duration
	frames    int
	stamp     [stampSize]byte
}

// pacer sends for all participants from one goroutine.
type pacer struct {
	gauge *gauge
	mu    sync.Mutex
	all   []*participantState
}

// add begins publishing for a participant; the phases are spread over a
// frame, as independent cameras are.
func (p *pacer) add(out sender, phase time.Duration) {
	now := time.Since(p.gauge.epoch) + phase%frameEvery
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, &participantState{out: out, nextAudio: now, nextFrame: now})
}

func (p *pacer) run(ctx context.Context) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for ctx.Err() == nil {
		now := time.Since(p.gauge.epoch)
		p.mu.Lock()
		all := p.all
		p.mu.Unlock()
		for _, s := range all {
			s.send(p.gauge, now)
		}
		<-ticker.C
	}
}

func (s *participantState) send(g *gauge, now time.Duration) {
	for s.nextAudio <= now {
		s.nextAudio += audioEvery
		s.out.audio(s.mark(g))
	}
	for s.nextFrame <= now {
		s.nextFrame += frameEvery
		key, packets := s.frames%keyEvery == 0, framePackets
		if key {
			packets = keyPackets
		}
		s.frames++
		for i := range packets {
			s.out.video(s.mark(g), i == 0, i == packets-1, key)
		}
	}
}

func (s *participantState) mark(g *gauge) []byte {
	binary.BigEndian.PutUint64(s.stamp[:], uint64(time.Since(g.epoch)))
	if g.measuring.Load() {
		g.sent.Add(1)
	}
	return s.stamp[:]
}

// runLoad joins the visits, publishing as each joins, and measures.
func runLoad(ctx context.Context, work job, tell func(event)) error {
	g := newGauge()
	ctx, cancel := context.WithCancel(ctx)
	pace := &pacer{gauge: g}
	paced := make(chan struct{})
	go func() {
		defer close(paced)
		pace.run(ctx)
	}()
	defer func() { cancel(); <-paced }()
	join := joinSFU
	if work.Server == serverRelay {
		join = joinRelay
	}
	group := &party{gauge: g, pace: pace, work: work}
	defer group.close()
	if err := join(ctx, group); err != nil {
		return err
	}
	if !work.Idle {
		if err := group.waitForMedia(ctx); err != nil {
			return err
		}
	}
	sleep(ctx, work.Warmup)
	tell(event{Name: eventStart})
	g.measuring.Store(true)
	sleep(ctx, work.Window)
	g.measuring.Store(false)
	sleep(ctx, 50*time.Millisecond)
	tell(event{
		Name: eventEnd, Packets: g.packets.Load(), Sent: g.sent.Load(),
		P50: g.percentile(0.50), P99: g.percentile(0.99), SetupP50: group.medianSetup(),
	})
	<-ctx.Done()
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// party is everyone in one load run.
type party struct {
	gauge   *gauge
	pace    *pacer
	work    job
	mu      sync.Mutex
	heard   []*firstHeard
	closers []func()
}

func (p *party) keep(f *firstHeard, closer func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, f)
	p.closers = append(p.closers, closer)
}

func (p *party) close() {
	for _, c := range p.closers {
		c()
	}
}

// firstHeard notes when a participant first got media.
type firstHeard struct {
	second bool // the other side was there already: the time counts
	joined time.Time
	once   atomic.Bool
	done   chan struct{}
	after  time.Duration
}

func newFirstHeard(second bool) *firstHeard {
	return &firstHeard{second: second, joined: time.Now(), done: make(chan struct{})}
}

func (f *firstHeard) note() {
	if f.once.CompareAndSwap(false, true) {
		f.after = time.Since(f.joined)
		close(f.done)
	}
}

func (p *party) waitForMedia(ctx context.Context) error {
	limit := time.After(settle)
	for _, f := range p.heard {
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return errors.New("a participant got no media")
		}
	}
	return nil
}

func (p *party) medianSetup() float64 {
	var all []float64
	for _, f := range p.heard {
		if f.second && f.once.Load() {
			all = append(all, f.after.Seconds()*1000)
		}
	}
	if len(all) == 0 {
		return 0
	}
	sort.Float64s(all)
	return all[len(all)/2]
}
