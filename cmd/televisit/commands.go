package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/audit"
)

type serveCmd struct {
	Config string `help:"Configuration file (YAML)." required:"" type:"existingfile" placeholder:"FILE"`
}

// Run serves until ctx ends, then drains: no new calls, those running are waited for.
func (c *serveCmd) Run(ctx context.Context) error {
	config, err := LoadConfig(c.Config)
	if err != nil {
		return err
	}
	log, closeLog, err := openLog(filepath.Join(config.Data, "logs", "televisit.log"), config.LogLevel)
	if err != nil {
		return err
	}
	defer closeLog()
	srv, err := newServer(ctx, config, log)
	if err != nil {
		return err
	}
	defer srv.Close()
	if err := srv.Start(ctx); err != nil {
		return err
	}
	log.Info("serving", "origin", config.Origin)
	select {
	case <-ctx.Done():
		return nil
	case err := <-srv.Failed():
		return err
	}
}

type migrateCmd struct {
	DatabaseURL string `help:"The schema owner's connection string." required:"" env:"TELEVISIT_OWNER_URL" placeholder:"URL"`
	AppPassword string `help:"Set the password of the role televisit_app." env:"TELEVISIT_APP_PASSWORD" placeholder:"TEXT"`
}

// Run migrates the schema and the job tables.
func (c *migrateCmd) Run(ctx context.Context) error {
	return migrate(ctx, c.DatabaseURL, c.AppPassword)
}

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check every row of the trail against the sealed log; name any that was edited, removed or slipped in."`
}

type auditVerifyCmd struct {
	DatabaseURL string        `help:"The schema owner's connection string." env:"TELEVISIT_OWNER_URL" placeholder:"URL"`
	Data        string        `help:"The server's data folder: the verification key, and a directory store, are read there." required:"" type:"existingdir" placeholder:"DIR"`
	Key         string        `help:"Verification key, when it is not the one in the data folder." placeholder:"TEXT"`
	Archive     string        `help:"Directory store with the archived checkpoints; default: the data folder's." placeholder:"DIR"`
	Slack       time.Duration `help:"How long before its sealing an event may have been recorded." default:"15m"`
}

// Run verifies and prints what is wrong; the error says how many findings there are.
func (c *auditVerifyCmd) Run(ctx context.Context) error {
	if c.DatabaseURL == "" {
		return errors.New("--database-url or TELEVISIT_OWNER_URL is needed: only the owner sees every row")
	}
	key := c.Key
	if key == "" {
		raw, err := os.ReadFile(filepath.Join(c.Data, "keys", auditPublicFile))
		if err != nil {
			return fmt.Errorf("read the verification key: %w", err)
		}
		key = string(raw)
	}
	conn, err := pgx.Connect(ctx, c.DatabaseURL)
	if err != nil {
		return errors.New("the database cannot be reached with that URL")
	}
	defer conn.Close(context.WithoutCancel(ctx))
	archive, err := openArchiveDir(or(c.Archive, filepath.Join(c.Data, "store")))
	if err != nil {
		return err
	}
	report, err := audit.Verify(ctx, conn, key, archive, c.Slack)
	if err != nil {
		return fmt.Errorf("verify: %s", audit.Safe(err))
	}
	for _, f := range report.Findings {
		fmt.Println(f)
	}
	fmt.Printf("%d organisations, %d sealed rows, %d not yet sealed, %d checkpoints: ", report.Organisations, report.Rows, report.Pending, report.Checkpoints)
	if n := len(report.Findings); n > 0 {
		fmt.Printf("%d findings\n", n)
		return fmt.Errorf("the audit trail does not verify: %d findings", n)
	}
	fmt.Println("the trail verifies")
	return nil
}

type versionCmd struct{}

// Run prints the build's version and revision.
func (versionCmd) Run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary carries no build information")
	}
	fmt.Println("televisit", info.Main.Version, info.GoVersion)
	return nil
}
