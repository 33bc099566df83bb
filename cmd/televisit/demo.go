package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/cmd/televisit/devca"
	"github.com/televisit/televisit/migrations"
	"github.com/televisit/televisit/migrations/pgchild"
	"github.com/televisit/televisit/scheduling/job"
)

type demoCmd struct {
	Data     string `help:"Folder that keeps the state; made on first use." default:"demo-data" placeholder:"DIR"`
	Listen   string `help:"Address of the server; a free port is taken when this one is in use." default:"127.0.0.1:8443" placeholder:"HOST:PORT"`
	JSON     bool   `help:"Print one JSON object for other programs instead of the text."`
	LogLevel string `help:"What the log file takes." default:"info" enum:"debug,info,warn,error"`
	Sandbox  string `help:"The sandbox EHR's program." placeholder:"FILE"`
}

const (
	demoDatabase = "televisit"
	defaultPort  = 8443 // of --listen
)

// Run starts everything, prints where to click, and stops everything when ctx ends.
func (c *demoCmd) Run(ctx context.Context) error {
	dir, err := filepath.Abs(c.Data)
	if err != nil {
		return err
	}
	release, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer release()
	d := &demo{dir: dir, cmd: c, say: os.Stderr}
	if !c.JSON {
		d.say = os.Stdout
	}
	defer d.stop()
	if err := d.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := d.announce(os.Stdout); err != nil {
		return err
	}
	return d.wait(ctx)
}

// demo is a running demonstration; its parts are stopped in the reverse order of their start.
type demo struct {
	dir     string
	cmd     *demoCmd
	say     io.Writer
	state   demoState
	tls     devca.Files
	pg      *pgchild.Server
	sandbox *sandboxChild
	server  *server
	log     *slog.Logger
	links   map[string]string
	stops   []func()
}

// demoState is what a demonstration remembers between starts.
type demoState struct {
	ServerPort  int    `json:"server_port"`
	SandboxPort int    `json:"sandbox_port"`
	MediaPort   int    `json:"media_port"`
	TURNPort    int    `json:"turn_port"`
	TURNTLSPort int    `json:"turn_tls_port"`
	MetricsPort int    `json:"metrics_port"`
	AppPassword string `json:"app_password"`
	OrgID       string `json:"org_id"`
	Seeded      bool   `json:"seeded"`
}

func (d *demo) start(ctx context.Context) error {
	begun := time.Now()
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"certificates", d.startFolder},
		{"database", d.startDatabase},
		{"sandbox EHR", d.startSandbox},
		{"server", d.startServer},
		{"synthetic data", d.seed},
	}
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		d.log.Info("demonstration step done", "step", step.name, "ms", time.Since(begun).Milliseconds())
	}
	return d.saveState()
}

// startFolder reads the state, chooses the ports, opens the log and makes the certificates.
func (d *demo) startFolder(ctx context.Context) error {
	if err := d.loadState(); err != nil {
		return err
	}
	log, closeLog, err := openLog(filepath.Join(d.dir, "logs", "televisit.log"), d.cmd.LogLevel)
	if err != nil {
		return err
	}
	d.log = log
	d.stops = append(d.stops, closeLog)
	host, port, err := net.SplitHostPort(d.cmd.Listen)
	if err != nil {
		return fmt.Errorf("--listen wants HOST:PORT: %w", err)
	}
	if err := d.choosePorts(ctx, host, port); err != nil {
		return err
	}
	// Kept before anything is made with it: a run that is killed while it starts is continued, not begun again.
	if err := d.saveState(); err != nil {
		return err
	}
	d.tls, err = devca.Ensure(filepath.Join(d.dir, "tls"), []string{"localhost", "127.0.0.1", "::1"}, time.Now())
	return err
}

func (d *demo) startDatabase(ctx context.Context) error {
	pg, err := pgchild.Start(ctx, pgchild.Options{Dir: d.dir})
	if err != nil {
		return err
	}
	d.pg = pg
	d.stops = append(d.stops, pg.Stop)
	conn, err := pgx.Connect(ctx, pg.OwnerURL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", demoDatabase).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.Exec(ctx, "create database "+demoDatabase); err != nil {
			return err
		}
	}
	return migrate(ctx, pg.OwnerURL(demoDatabase), d.state.AppPassword)
}

// migrate brings the schema and the job tables up; password, when given, becomes the application role's.
func migrate(ctx context.Context, ownerURL, password string) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	defer conn.Close(ctx)
	if err := migrations.Up(ctx, conn); err != nil {
		return err
	}
	if err := job.Migrate(ctx, ownerURL); err != nil {
		return err
	}
	if password == "" {
		return nil
	}
	return migrations.SetAppPassword(ctx, conn, password)
}

func (d *demo) startServer(ctx context.Context) error {
	srv, err := newServer(ctx, d.config(), d.log)
	if err != nil {
		return err
	}
	d.server = srv
	d.stops = append(d.stops, srv.Close)
	return srv.Start(ctx)
}

// wait ends when the user asks or when a part dies.
func (d *demo) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.server.Failed():
		return err
	case err := <-d.sandbox.done:
		d.sandbox.done <- err
		return fmt.Errorf("the sandbox EHR ended by itself: %w", err)
	}
}

func (d *demo) stop() {
	for i := len(d.stops) - 1; i >= 0; i-- {
		d.stops[i]()
	}
}

// announcement is what --json prints: everything that another program needs to drive the demonstration.
type announcement struct {
	Origin        string            `json:"origin"`
	SandboxOrigin string            `json:"sandbox_origin"`
	FHIRBase      string            `json:"fhir_base"`
	MetricsURL    string            `json:"metrics_url"`
	CAFile        string            `json:"ca_file"`
	DatabaseURL   string            `json:"database_url"`
	Data          string            `json:"data"`
	Log           string            `json:"log"`
	SandboxAdmin  string            `json:"sandbox_admin_token"`
	Links         map[string]string `json:"links"`
	Users         []sandboxUser     `json:"users"`
	APIClient     apiClientInfo     `json:"api_client"`
	PID           int               `json:"pid"`
}

// apiClientInfo is what a program needs to book over the FHIR API: its key, and where it gets tokens.
type apiClientInfo struct {
	ClientID string `json:"client_id"`
	KeyFile  string `json:"key_file"`
	TokenURL string `json:"token_url"`
	Scopes   string `json:"scopes"`
}

func (d *demo) announce(out io.Writer) error {
	a := announcement{
		Origin: d.origin(), SandboxOrigin: d.sandbox.ready.Origin, FHIRBase: d.sandbox.ready.FHIRBase,
		MetricsURL: fmt.Sprintf("http://127.0.0.1:%d/metrics", d.state.MetricsPort),
		CAFile:     d.tls.CA, DatabaseURL: d.pg.OwnerURL(demoDatabase), Data: d.dir, Log: filepath.Join(d.dir, "logs", "televisit.log"),
		SandboxAdmin: d.sandbox.ready.AdminToken, Links: d.links, Users: d.sandbox.ready.Users,
		APIClient: apiClientInfo{ClientID: demoBookingID, KeyFile: d.bookingKeyFile(), TokenURL: d.sandbox.ready.SMARTIssuer + "/token", Scopes: demoBookingScopes},
		PID:       os.Getpid(),
	}
	if d.cmd.JSON {
		return json.NewEncoder(out).Encode(a)
	}
	return d.print(out, a)
}

func (d *demo) print(out io.Writer, a announcement) error {
	_, err := fmt.Fprintf(out, `
Televisit is running, with a sandbox hospital beside it. Everybody in it is invented.

  As the clinician    %s
                      sign in to the sandbox chart, open the patient, click "Video visit"
  As the patient      %s
                      in a second window; date of birth %s
  As the scheduler    %s
  As compliance       %s

  Sign-ins (made on this machine's first run):
`, d.links["chart"], d.links["patient"], d.links["patient_birth_date"], d.links["schedule"], d.links["audit"])
	for _, u := range a.Users {
		fmt.Fprintf(out, "    %-12s %-24s %s\n", u.Username, u.Password, u.Name)
	}
	fmt.Fprintf(out, `
  Your browser will warn of the certificate once for each of the two addresses, or never,
  if you let it trust %s
  State is kept in %s. Ctrl-C stops everything.
`, a.CAFile, a.Data)
	return err
}

func (d *demo) origin() string { return "https://localhost:" + fmt.Sprint(d.state.ServerPort) }

// lockFolder makes the folder and keeps a second demonstration out of it.
func lockFolder(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errors.New("another televisit demo runs in this folder: stop it, or name another with --data")
	}
	return func() { _ = f.Close() }, nil
}

func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
