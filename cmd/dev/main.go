// Command televisit-dev holds the tools of developers and testers. Nothing of it is part
// of the product.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the sandbox hospital has a time zone, whatever the machine has installed

	"github.com/alecthomas/kong"

	"github.com/televisit/televisit/cmd/dev/testtools"
	"github.com/televisit/televisit/cmd/dev/validate"
)

type cli struct {
	Sandbox   sandboxCommand   `cmd:"" help:"Run the sandbox EHR: reads one JSON object from standard input, prints one JSON line when ready."`
	Bench     benchCommand     `cmd:"" help:"Measure the figures of the README: a table on standard output, and JSON lines in the file that $$BENCH_JSON names."`
	BenchPart benchPartCommand `cmd:"" hidden:"" help:"One part of the media benchmark."`
	Tools     toolsCommand     `cmd:"" help:"Build the servers that tests run against, unless they are there."`
	Validate  validateCommand  `cmd:"" help:"Check FHIR R4 resources with an independent validator."`
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	var commands cli
	context := kong.Parse(&commands, kong.Name("televisit-dev"), kong.Description("Tools for developers of Televisit."), kong.UsageOnError())
	err := context.Run(log)
	if code := exitCode(0); errors.As(err, &code) {
		os.Exit(int(code))
	}
	if err != nil {
		log.Error("televisit-dev failed", "error", err)
		os.Exit(1)
	}
}

// exitCode ends the program with a code of its own, after it has said why.
type exitCode int

func (exitCode) Error() string { return "ended with a code of its own" }

// interruptible ends when the user asks.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
}

type toolsCommand struct {
	Dir string `help:"Where they go; default: where the tests look." placeholder:"DIR"`
}

// Run builds what is missing.
func (c toolsCommand) Run() error {
	ctx, stop := interruptible()
	defer stop()
	dir := c.Dir
	if dir == "" {
		found, err := testtools.Dir()
		if err != nil {
			return err
		}
		dir = found
	}
	return testtools.Install(ctx, dir, os.Stdout)
}

type validateCommand struct {
	Files []string `arg:"" help:"JSON files, or .txtar archives whose want.json is checked." type:"existingfile"`
}

// Run prints every finding. The exit code is 0 for valid, 1 for invalid, 2 when nothing could be checked.
func (c validateCommand) Run() error {
	ctx, stop := interruptible()
	defer stop()
	if code := validate.Main(ctx, c.Files, os.Stdout); code != 0 {
		return exitCode(code)
	}
	return nil
}
