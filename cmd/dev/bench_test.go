package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/televisit/televisit/cmd/dev/mediabench"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.values, got, test.want)
		}
	}
}

func TestReadRounds(t *testing.T) {
	good := `{"cold":true,"ms":900.5,"server":{"ms":50,"routes":{"GET /launch":4}},"marks":{"clinician picture":900.5}}`
	rounds, err := readRounds(bufio.NewScanner(strings.NewReader(good + "\n")))
	if err != nil || len(rounds) != 1 || !rounds[0].Cold || rounds[0].MS != 900.5 || rounds[0].Server.Routes["GET /launch"] != 4 {
		t.Fatalf("%+v, %v", rounds, err)
	}
	for name, lines := range map[string]string{"nothing": "", "no JSON": "Error: no browser\n"} {
		if _, err := readRounds(bufio.NewScanner(strings.NewReader(lines))); err == nil {
			t.Errorf("%s is taken for a result", name)
		}
	}
}

func TestUnknownFiguresAreRefused(t *testing.T) {
	if err := (benchCommand{Only: []string{"relay_ratio_50"}, Rounds: 1}).check(); err != nil {
		t.Error(err)
	}
	if err := (benchCommand{Only: []string{"speed"}, Rounds: 1}).check(); err == nil || !strings.Contains(err.Error(), "launch_to_picture_ms") {
		t.Errorf("%v does not name what there is", err)
	}
	if err := (benchCommand{}).check(); err == nil {
		t.Error("no rounds are accepted")
	}
}

func TestFiguresAsTableAndLines(t *testing.T) {
	figures := []figure{launchFigure("launch_to_picture_ms", []float64{1200, 600, 750}, pictureTarget), {Result: mediabench.Result{Name: "relay_us_50", Value: 8, Unit: "us"}}}
	var table bytes.Buffer
	if err := printTable(&table, figures); err != nil {
		t.Fatal(err)
	}
	if first := strings.Join(strings.Fields(strings.Split(table.String(), "\n")[1]), " "); !strings.HasPrefix(first, "launch_to_picture_ms 750.00 ms target 1500 0.50 600 to 1200 in 3") {
		t.Errorf("the table begins %q", first)
	}
	path := filepath.Join(t.TempDir(), "figures.jsonl")
	if err := writeLines(path, figures); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	if got["name"] != "launch_to_picture_ms" || got["value"] != 750.0 || got["unit"] != "ms" || got["compared_to"] != "target 1500" || got["ratio"] != 0.5 {
		t.Errorf("the line says %v", got)
	}
}
