package mediabench

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary is also the benchmark's parts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		if err := RunChild(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestSmallRunGivesEveryFigure(t *testing.T) {
	results, err := Run(t.Context(), Options{
		Visits: 2, LightLoad: 1, IdleVisits: 1, Warmup: 300 * time.Millisecond, Window: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, r := range results {
		got[r.Name] = r.Value
	}
	for _, name := range []string{
		"forward_us_2", "relay_ratio_2", "forward_p99_ms_2", "forward_p99_ms_1", "kb_per_participant",
		"kb_idle_participant", "join_to_media_ms", "relay_us_2", "relay_p99_ms_2",
	} {
		if got[name] <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if loss, ok := got["loss_percent_2"]; !ok || loss > 50 {
		t.Errorf("loss of %v %%", loss)
	}
}

func TestBrokenPartIsReported(t *testing.T) {
	if _, err := Run(t.Context(), Options{Executable: "/bin/true", Visits: 1}); err == nil {
		t.Error("a part that says nothing went unnoticed")
	}
	if _, err := Run(t.Context(), Options{ServerCore: 9999, Visits: 1}); err == nil {
		t.Error("a core that is not there went unnoticed")
	}
}

func TestPercentile(t *testing.T) {
	g := newGauge()
	for i := range 100 {
		g.latency[i].Add(1)
	}
	if p50, p99 := g.percentile(0.50), g.percentile(0.99); p50 != 0.5 || p99 != 0.99 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
}
