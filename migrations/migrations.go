package migrations

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed sql/*.sql
var files embed.FS

// AppRole is the database role that the server connects as. It owns no table.
const AppRole = "televisit_app"

const versionTable = "public.schema_version"

// Up brings the schema to the newest version. conn must belong to the schema's owner.
func Up(ctx context.Context, conn *pgx.Conn) error {
	m, err := load(ctx, conn)
	if err != nil {
		return err
	}
	if err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Version tells the schema's version and the newest that this binary knows.
func Version(ctx context.Context, conn *pgx.Conn) (current, newest int32, err error) {
	m, err := load(ctx, conn)
	if err != nil {
		return 0, 0, err
	}
	current, err = m.GetCurrentVersion(ctx)
	return current, int32(len(m.Migrations)), err
}

// SetAppPassword sets the password by which the server's role signs in.
func SetAppPassword(ctx context.Context, conn *pgx.Conn, password string) error {
	var statement string
	err := conn.QueryRow(ctx, "select format('alter role %I with login password %L', $1::text, $2::text)", AppRole, password).Scan(&statement)
	if err != nil {
		return fmt.Errorf("quote the role's password: %w", err)
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("set the role's password: %w", err)
	}
	return nil
}

func load(ctx context.Context, conn *pgx.Conn) (*migrate.Migrator, error) {
	sub, err := fs.Sub(files, "sql")
	if err != nil {
		return nil, err
	}
	m, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return nil, fmt.Errorf("open the version table: %w", err)
	}
	if err := m.LoadMigrations(sub); err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return m, nil
}
