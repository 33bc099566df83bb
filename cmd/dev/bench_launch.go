package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/televisit/televisit/cmd/dev/mediabench"
)

// What is promised for a launch on one machine, in milliseconds.
const (
	pictureTarget = 1500
	serverTarget  = 150
)

// launchRound is one line of bench.mjs: times in milliseconds after the click.
type launchRound struct {
	Cold   bool    `json:"cold"` // this browser had never opened our pages
	MS     float64 `json:"ms"`
	Server struct {
		MS     float64            `json:"ms"`
		Routes map[string]float64 `json:"routes"`
	} `json:"server"`
	Marks map[string]float64 `json:"marks"`
}

// launches opens visits from the sandbox's chart in real Chromium.
func (c benchCommand) launches(ctx context.Context) ([]figure, error) {
	rounds, err := c.launchRounds(ctx)
	if err != nil {
		return nil, err
	}
	if c.Waterfall {
		printWaterfall(rounds)
	}
	var all, cold, server []float64
	for _, r := range rounds {
		all, server = append(all, r.MS), append(server, r.Server.MS)
		if r.Cold {
			cold = append(cold, r.MS)
		}
	}
	return []figure{
		launchFigure("launch_to_picture_ms", all, pictureTarget),
		launchFigure("launch_cold_ms", cold, pictureTarget), // there is one at least: the first
		launchFigure("launch_server_ms", server, serverTarget),
	}, nil
}

// launchFigure is the median of the rounds.
func launchFigure(name string, values []float64, target float64) figure {
	middle := median(values)
	return figure{
		Result: mediabench.Result{Name: name, Value: middle, Unit: "ms", ComparedTo: fmt.Sprintf("target %.0f", target), Ratio: middle / target},
		Spread: fmt.Sprintf("%.0f to %.0f in %d, load %s", slices.Min(values), slices.Max(values), len(values), loadAverage()),
	}
}

func (c benchCommand) launchRounds(ctx context.Context) ([]launchRound, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	script := exec.CommandContext(ctx, "node", "bench.mjs", strconv.Itoa(c.Rounds))
	script.Dir, script.Stderr = c.Scripts, os.Stderr
	script.Env = append(os.Environ(), "TELEVISIT_BIN="+filepath.Dir(self)) // the programs beside this one are measured
	script.Cancel = func() error { return script.Process.Signal(syscall.SIGTERM) }
	script.WaitDelay = 20 * time.Second
	out, err := script.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := script.Start(); err != nil {
		return nil, fmt.Errorf("start the browser script: %w", err)
	}
	rounds, err := readRounds(bufio.NewScanner(out))
	return rounds, errors.Join(err, script.Wait())
}

// readRounds tells each round as it comes.
func readRounds(lines *bufio.Scanner) ([]launchRound, error) {
	lines.Buffer(nil, 1<<20)
	var rounds []launchRound
	for lines.Scan() {
		var round launchRound
		if err := json.Unmarshal(lines.Bytes(), &round); err != nil {
			return nil, fmt.Errorf("a line of the browser script: %w", err)
		}
		rounds = append(rounds, round)
		fmt.Fprintf(os.Stderr, "launch %d: %.0f ms, server %.0f ms, load %s\n", len(rounds), round.MS, round.Server.MS, loadAverage())
	}
	if len(rounds) == 0 {
		return nil, errors.Join(lines.Err(), errors.New("no visit was launched"))
	}
	return rounds, lines.Err()
}

// printWaterfall tells the median of every mark, and of the server's time on each route.
func printWaterfall(rounds []launchRound) {
	marks, routes := map[string][]float64{}, map[string][]float64{}
	for _, r := range rounds {
		for name, at := range r.Marks {
			marks[name] = append(marks[name], at)
		}
		for name, ms := range r.Server.Routes {
			routes[name] = append(routes[name], ms)
		}
	}
	for _, block := range []map[string][]float64{marks, routes} {
		names := slices.SortedFunc(maps.Keys(block), func(a, b string) int { return cmp.Compare(median(block[a]), median(block[b])) })
		for _, name := range names {
			fmt.Fprintf(os.Stderr, "%8.1f ms  min %8.1f  %s (%d)\n", median(block[name]), slices.Min(block[name]), name, len(block[name]))
		}
		fmt.Fprintln(os.Stderr)
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
