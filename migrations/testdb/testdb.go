// Package testdb gives each test its own migrated database on a real PostgreSQL.
//
// A test binary's TestMain calls Main, which starts one private cluster for the binary (or uses the one named by
// TELEVISIT_TEST_PG); New clones a migrated template. Without PostgreSQL the tests fail; they never skip.
package testdb

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/migrations"
	"github.com/televisit/televisit/migrations/pgchild"
	"github.com/televisit/televisit/scheduling/job"
)

const (
	env         = "TELEVISIT_TEST_PG"
	appPassword = "app-of-the-tests"
	template    = "televisit_template"
)

// Database is one test's own.
type Database struct {
	OwnerURL string // the schema's owner, a superuser here
	AppURL   string // the role that the server connects as
}

// Main runs the tests of a package with a private cluster; use it as the body of TestMain.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(env) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "televisit-testdb")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	server, err := pgchild.Start(context.Background(), pgchild.Options{Dir: dir, Unsafe: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb: a real PostgreSQL is needed:", err)
		return 1
	}
	defer server.Stop()
	if err := os.Setenv(env, server.OwnerURL("postgres")); err != nil {
		return 1
	}
	return m.Run()
}

// New makes a migrated database and drops it when the test ends.
func New(t testing.TB) Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	base := os.Getenv(env)
	if base == "" {
		t.Fatal("testdb: TestMain must call testdb.Main")
	}
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		t.Fatalf("testdb: %v", err)
	}
	defer conn.Close(ctx)
	if err := ensureTemplate(ctx, conn, base); err != nil {
		t.Fatalf("testdb: %v", err)
	}
	name := "t" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := conn.Exec(ctx, "create database "+name+" template "+template); err != nil {
		t.Fatalf("testdb: clone: %v", err)
	}
	t.Cleanup(func() { drop(base, name) })
	return Database{OwnerURL: on(base, name, "", ""), AppURL: on(base, name, migrations.AppRole, appPassword)}
}

func drop(base, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return
	}
	defer conn.Close(ctx)
	_, _ = conn.Exec(ctx, "drop database if exists "+name+" with (force)")
}

func ensureTemplate(ctx context.Context, conn *pgx.Conn, base string) error {
	if _, err := conn.Exec(ctx, "select pg_advisory_lock(7431)"); err != nil {
		return err
	}
	defer func() { _, _ = conn.Exec(ctx, "select pg_advisory_unlock(7431)") }()
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", template).Scan(&there); err != nil || there {
		return err
	}
	if _, err := conn.Exec(ctx, "create database "+template+"_building"); err != nil {
		return err
	}
	if err := build(ctx, on(base, template+"_building", "", "")); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "alter database "+template+"_building rename to "+template)
	return err
}

func build(ctx context.Context, at string) error {
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if err := migrations.Up(ctx, conn); err != nil {
		return err
	}
	if err := job.Migrate(ctx, at); err != nil {
		return err
	}
	return migrations.SetAppPassword(ctx, conn, appPassword)
}

func on(base, database, user, password string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Path = "/" + database
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}
