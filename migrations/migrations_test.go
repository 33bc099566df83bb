package migrations_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/televisit/televisit/migrations"
	"github.com/televisit/televisit/migrations/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestSchemaIsAtTheNewestVersion(t *testing.T) {
	conn := connect(t, testdb.New(t).OwnerURL)
	current, newest, err := migrations.Version(context.Background(), conn)
	if err != nil || current != newest || newest == 0 {
		t.Fatalf("version %d of %d, %v", current, newest, err)
	}
}

func TestAppRoleOwnsNothing(t *testing.T) {
	conn := connect(t, testdb.New(t).OwnerURL)
	var owned int
	err := conn.QueryRow(context.Background(),
		"select count(*) from pg_class where relowner = (select oid from pg_roles where rolname = $1)", migrations.AppRole).Scan(&owned)
	if err != nil || owned != 0 {
		t.Fatalf("the server's role owns %d relations, %v", owned, err)
	}
}

func TestEveryTableWithAnOrganisationIsIsolated(t *testing.T) {
	conn := connect(t, testdb.New(t).OwnerURL)
	rows, err := conn.Query(context.Background(), `
		select c.relname from pg_class c
		join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
		where c.relkind = 'r' and not c.relrowsecurity`)
	if err != nil {
		t.Fatal(err)
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(open) != 0 {
		t.Fatalf("tables without row-level security: %v, %v", open, err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
