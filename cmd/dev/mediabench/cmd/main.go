// Command cmd runs the media benchmark and prints one JSON object a line.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/televisit/televisit/cmd/dev/mediabench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mediabench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		return mediabench.RunChild(ctx, os.Stdin, os.Stdout)
	}
	o := mediabench.Options{Progress: os.Stderr}
	flag.IntVar(&o.Visits, "visits", 0, "1:1 visits of the main figures")
	flag.DurationVar(&o.Window, "window", 15*time.Second, "length of each measurement")
	flag.DurationVar(&o.Warmup, "warmup", 5*time.Second, "time before it")
	flag.StringVar(&o.Profile, "profile", "", "write a CPU profile of the server under main load to this file")
	flag.BoolVar(&o.MainOnly, "main", false, "only the main figures")
	environment := flag.String("server-env", "", "comma-separated, e.g. GOGC=200")
	flag.Parse()
	if *environment != "" {
		o.ServerEnv = strings.Split(*environment, ",")
	}
	results, err := mediabench.Run(ctx, o)
	if err != nil {
		return err
	}
	for _, r := range results {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	}
	return nil
}
