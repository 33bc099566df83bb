package mediabench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options of a run. The zero value is the standard run.
type Options struct {
	Executable string        // started for each part; default: the present one
	ChildArgs  []string      // its arguments; default: "child"
	Visits     int           // 1:1 visits of the main figures, default 50
	LightLoad  int           // visits of the light figures, default 10
	IdleVisits int           // visits that join and publish nothing, default 50
	Warmup     time.Duration // default 5 s
	Window     time.Duration // default 15 s
	ServerCore int           // default 0
	LoadCore   int           // default 1
	Profile    string        // file for a CPU profile of the server under main load
	MainOnly   bool          // only the main figures, for a quick look
	ServerEnv  []string      // added to the server's environment, e.g. GOGC=200
	Progress   io.Writer     // nil: silent
}

// Result is one figure. Ratio is Value divided by what it is compared to.
type Result struct {
	Name       string  `json:"name"`
	Value      float64 `json:"value"`
	Unit       string  `json:"unit"`
	ComparedTo string  `json:"compared_to,omitempty"`
	Ratio      float64 `json:"ratio,omitempty"`
}

const (
	defaultVisits = 50
	defaultLight  = 10
	defaultWarmup = 5 * time.Second
	defaultWindow = 15 * time.Second
	defaultIdle   = 50
)

func (o Options) withDefaults() (Options, error) {
	if o.Executable == "" {
		self, err := os.Executable()
		if err != nil {
			return o, err
		}
		o.Executable = self
	}
	if o.ChildArgs == nil {
		o.ChildArgs = []string{"child"}
	}
	if o.Visits == 0 {
		o.Visits = defaultVisits
	}
	if o.LightLoad == 0 {
		o.LightLoad = defaultLight
	}
	if o.IdleVisits == 0 {
		o.IdleVisits = defaultIdle
	}
	if o.Warmup == 0 {
		o.Warmup = defaultWarmup
	}
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	if o.LoadCore == 0 && o.ServerCore == 0 {
		o.LoadCore = 1
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o, nil
}

// Run measures. It takes about four times (Warmup + Window) and the joining.
func Run(ctx context.Context, o Options) ([]Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	shapes := []struct {
		server string
		visits int
		idle   bool
	}{
		{serverRelay, o.Visits, false}, {serverSFU, o.Visits, false},
		{serverRelay, o.LightLoad, false}, {serverSFU, o.LightLoad, false},
		{serverSFU, o.IdleVisits, true},
	}
	measured := make([]figures, len(shapes))
	if o.MainOnly {
		shapes = shapes[:2]
	}
	for i, shape := range shapes {
		profile := ""
		if i == 1 {
			profile = o.Profile
		}
		measured[i], err = o.measure(ctx, shape.server, shape.visits, shape.idle, profile)
		if err != nil {
			return nil, fmt.Errorf("%s with %d visits: %w", shape.server, shape.visits, err)
		}
		fmt.Fprintf(o.Progress, "%s %d visits: %s\n", shape.server, shape.visits, measured[i])
	}
	return o.results(measured[0], measured[1], measured[2], measured[3], measured[4])
}

func (o Options) results(relay, sfu, relayLight, sfuLight, idle figures) ([]Result, error) {
	if relay.packets == 0 || sfu.packets == 0 {
		return nil, errors.New("no packet arrived")
	}
	n, light := o.Visits, o.LightLoad
	main := []Result{
		{Name: fmt.Sprintf("forward_us_%d", n), Value: sfu.microsPerPacket(), Unit: "us", ComparedTo: "relay", Ratio: sfu.microsPerPacket() / relay.microsPerPacket()},
		{Name: fmt.Sprintf("relay_ratio_%d", n), Value: sfu.microsPerPacket() / relay.microsPerPacket(), Unit: "x", ComparedTo: "target 2.6", Ratio: sfu.microsPerPacket() / relay.microsPerPacket() / 2.6},
		{Name: fmt.Sprintf("forward_p99_ms_%d", n), Value: sfu.p99, Unit: "ms", ComparedTo: "target 5", Ratio: sfu.p99 / 5},
		{Name: "kb_per_participant", Value: sfu.kbPerParticipant(), Unit: "kB", ComparedTo: "target 1024", Ratio: sfu.kbPerParticipant() / 1024},
		{Name: fmt.Sprintf("loss_percent_%d", n), Value: sfu.lossPercent(), Unit: "%"},
		// Above a few percent, something else ran on the server's core and the latencies are not the server's.
		{Name: fmt.Sprintf("server_waited_percent_%d", n), Value: sfu.waitedPercent(), Unit: "%"},
		{Name: fmt.Sprintf("relay_us_%d", n), Value: relay.microsPerPacket(), Unit: "us"},
		{Name: fmt.Sprintf("relay_p99_ms_%d", n), Value: relay.p99, Unit: "ms"},
	}
	if o.MainOnly {
		return main, nil
	}
	return append(main,
		Result{Name: fmt.Sprintf("forward_p99_ms_%d", light), Value: sfuLight.p99, Unit: "ms", ComparedTo: "target 2", Ratio: sfuLight.p99 / 2},
		Result{Name: fmt.Sprintf("relay_p99_ms_%d", light), Value: relayLight.p99, Unit: "ms"},
		Result{Name: "kb_idle_participant", Value: idle.kbPerParticipant(), Unit: "kB"},
		Result{Name: "join_to_media_ms", Value: sfuLight.setup, Unit: "ms"},
	), nil
}

// figures are what one shape gave.
type figures struct {
	cpu          time.Duration // of the server in the window
	waited       time.Duration // for its core, while something else ran there
	window       time.Duration
	packets      uint64 // delivered in the window
	sent         uint64 // by the publishers in the window
	p50, p99     float64
	setup        float64 // ms, median
	rssIdle, rss int     // kB
	participants int
}

func (f figures) microsPerPacket() float64 { return float64(f.cpu.Microseconds()) / float64(f.packets) }

func (f figures) kbPerParticipant() float64 {
	return float64(f.rss-f.rssIdle) / float64(f.participants)
}

func (f figures) waitedPercent() float64 { return 100 * f.waited.Seconds() / f.window.Seconds() }

func (f figures) lossPercent() float64 {
	return max(0, 100*(1-float64(f.packets)/float64(f.sent)))
}

func (f figures) String() string {
	cpu := 100 * f.cpu.Seconds() / f.window.Seconds()
	return fmt.Sprintf("%.1f us/packet, cpu %.0f %% (waited %.0f %%), p50 %.2f ms, p99 %.2f ms, %.0f kB each, setup %.0f ms, %d packets of %d",
		f.microsPerPacket(), cpu, f.waitedPercent(), f.p50, f.p99, f.kbPerParticipant(), f.setup, f.packets, f.sent)
}
