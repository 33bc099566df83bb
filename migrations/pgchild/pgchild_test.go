package pgchild

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestStateSurvivesARestart(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	first := start(t, dir)
	conn := connect(t, first)
	if _, err := conn.Exec(ctx, "create table kept (n int); insert into kept values (7)"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(ctx)
	first.Stop()
	second := start(t, dir)
	defer second.Stop()
	conn = connect(t, second)
	defer conn.Close(ctx)
	var n int
	if err := conn.QueryRow(ctx, "select n from kept").Scan(&n); err != nil || n != 7 {
		t.Fatalf("n = %d, %v", n, err)
	}
}

func TestSecondServerOnTheSameFolderWaitsForTheFirst(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	go first.cmd.Process.Signal(stopSignal)
	second := start(t, dir)
	second.Stop()
	<-first.done
}

func TestAFolderWithALongPathLeavesNothingElsewhere(t *testing.T) {
	short, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	if err := os.Chmod(short, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", short)
	long := filepath.Join(short, strings.Repeat("a-long-name-", 12))
	server := start(t, long)
	if err := connect(t, server).Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if elsewhere, _ := filepath.Glob(filepath.Join(short, "tvpg*")); len(elsewhere) != 1 {
		t.Fatalf("the socket's folder: %v", elsewhere)
	}
	server.Stop()
	server.Stop()
	if left, _ := filepath.Glob(filepath.Join(short, "tvpg*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNoTCPPortIsOpened(t *testing.T) {
	s := start(t, t.TempDir())
	defer s.Stop()
	conn := connect(t, s)
	defer conn.Close(context.Background())
	var addresses string
	if err := conn.QueryRow(context.Background(), "show listen_addresses").Scan(&addresses); err != nil || addresses != "" {
		t.Fatalf("listens on %q, %v", addresses, err)
	}
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(context.Background(), Options{Dir: dir, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t *testing.T, s *Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), s.OwnerURL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestHalfMadeClusterIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "pg", "data.new1")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir).Stop()
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the half-made cluster is still there: %v", err)
	}
}
