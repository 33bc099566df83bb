// Command televisit-dev holds the tools of developers and testers. Nothing of it is part
// of the product.
package main

import (
	"log/slog"
	"os"
	_ "time/tzdata" // the sandbox hospital has a time zone, whatever the machine has installed

	"github.com/alecthomas/kong"
)

type cli struct {
	Sandbox sandboxCommand `cmd:"" help:"Run the sandbox EHR: reads one JSON object from standard input, prints one JSON line when ready."`
}

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	var commands cli
	context := kong.Parse(&commands, kong.Name("televisit-dev"), kong.Description("Tools for developers of Televisit."), kong.UsageOnError())
	if err := context.Run(log); err != nil {
		log.Error("televisit-dev failed", "error", err)
		os.Exit(1)
	}
}
