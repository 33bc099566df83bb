package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/televisit/televisit/cmd/dev/mediabench"
)

// benchCommand measures what the README claims. Figures of a busy machine are worth little, so the load average is
// printed with them.
type benchCommand struct {
	Only      []string `help:"Only these figures." placeholder:"NAME,..."`
	Rounds    int      `help:"How many visits are launched in the browser." default:"8"`
	Scripts   string   `help:"Folder of the browser scripts." default:"cmd/dev/e2e" type:"existingdir"`
	Waterfall bool     `help:"Tell also what happened when between the click and the picture."`
}

// group is a set of figures that come from one run.
type group struct {
	names   []string
	measure func(context.Context) ([]figure, error)
}

// figure is one line of the table. Spread tells how far the single measurements lay apart.
type figure struct {
	mediabench.Result
	Spread string `json:"-"`
}

func (c benchCommand) groups() []group {
	return []group{
		{[]string{"launch_to_picture_ms", "launch_cold_ms", "launch_server_ms"}, c.launches},
		{[]string{"join_to_media_ms", "forward_p99_ms_10", "forward_us_50", "relay_ratio_50", "forward_p99_ms_50", "kb_per_participant",
			"kb_idle_participant", "loss_percent_50", "server_waited_percent_50", "relay_us_50", "relay_p99_ms_10", "relay_p99_ms_50"}, media},
	}
}

// Run measures each group that was asked for. One that fails does not keep the others from being shown.
func (c benchCommand) Run() error {
	ctx, stop := interruptible()
	defer stop()
	if err := c.check(); err != nil {
		return err
	}
	var figures []figure
	var failed error
	for _, g := range c.groups() {
		if !slices.ContainsFunc(g.names, c.wanted) {
			continue
		}
		found, err := g.measure(ctx)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", strings.Join(g.names, ", "), err))
		}
		for _, f := range found {
			if c.wanted(f.Name) {
				figures = append(figures, f)
			}
		}
	}
	return errors.Join(failed, printTable(os.Stdout, figures), writeLines(os.Getenv("BENCH_JSON"), figures))
}

func (c benchCommand) wanted(name string) bool {
	return len(c.Only) == 0 || slices.Contains(c.Only, name)
}

func (c benchCommand) check() error {
	var known []string
	for _, g := range c.groups() {
		known = append(known, g.names...)
	}
	for _, name := range c.Only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no figure %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	if c.Rounds < 1 {
		return errors.New("--rounds must be at least 1")
	}
	return nil
}

func media(ctx context.Context) ([]figure, error) {
	results, err := mediabench.Run(ctx, mediabench.Options{ChildArgs: []string{"bench-part"}, Progress: os.Stderr})
	var figures []figure
	for _, r := range results {
		figures = append(figures, figure{Result: r})
	}
	return figures, err
}

// benchPartCommand is a child process of the media benchmark.
type benchPartCommand struct{}

// Run plays the part that standard input names.
func (benchPartCommand) Run() error {
	return mediabench.RunChild(context.Background(), os.Stdin, os.Stdout)
}

func printTable(out io.Writer, figures []figure) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "name\tvalue\tunit\tcompared to\tratio\tspread")
	for _, f := range figures {
		ratio := ""
		if f.ComparedTo != "" {
			ratio = fmt.Sprintf("%.2f", f.Ratio)
		}
		fmt.Fprintf(table, "%s\t%.2f\t%s\t%s\t%s\t%s\n", f.Name, f.Value, f.Unit, f.ComparedTo, ratio, f.Spread)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "load average at the end:", loadAverage())
	return err
}

// writeLines writes one JSON object a figure. No path: nothing is written.
func writeLines(path string, figures []figure) error {
	if path == "" {
		return nil
	}
	var lines strings.Builder
	encoder := json.NewEncoder(&lines)
	for _, f := range figures {
		if err := encoder.Encode(f.Result); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(lines.String()), 0o644)
}

func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(raw))[:3], " ")
}
