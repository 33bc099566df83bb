// Command televisit is the server and its operator's tools.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // clinics name IANA zones; a minimal host may lack the database

	"github.com/alecthomas/kong"
)

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Demo    demoCmd    `cmd:"" help:"Run everything on this machine: database, sandbox EHR, server, TURN, object store."`
	Migrate migrateCmd `cmd:"" help:"Bring the database's schema to this version."`
	Audit   auditCmd   `cmd:"" help:"The audit trail."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	k := kong.Parse(&c,
		kong.Name("televisit"),
		kong.Description("A FHIR-integrated server for clinical video visits."),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "televisit:", err)
		os.Exit(1)
	}
}
