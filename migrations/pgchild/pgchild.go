package pgchild

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// stopSignal asks for a fast shutdown.
const stopSignal = syscall.SIGINT

// Superuser is the role that initdb makes; it owns the schema in a private cluster.
const Superuser = "televisit_owner"

// Server is a running private PostgreSQL.
type Server struct {
	dir      string
	socket   string
	password string
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process has ended
	log      *tail
}

// Options of a private cluster.
type Options struct {
	Dir    string   // the data folder; made when missing
	Extra  []string // further "name=value" settings
	Unsafe bool     // no fsync: for tests only
}

// Start makes the cluster in opt.Dir on first use and starts it. It returns when connections are taken.
func Start(ctx context.Context, opt Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	s := &Server{dir: filepath.Join(opt.Dir, "pg"), log: &tail{}}
	if err := s.prepare(ctx, bin, cred); err != nil {
		s.removeSocketDir()
		return nil, err
	}
	if err := s.startWhenFree(ctx, bin, cred, opt); err != nil {
		s.removeSocketDir()
		return nil, err
	}
	return s, nil
}

// startWhenFree starts the server; while an earlier one on the same folder is still shutting down (its parent was
// killed a moment ago), it waits for that one to be gone.
func (s *Server) startWhenFree(ctx context.Context, bin string, cred *syscall.Credential, opt Options) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err := s.run(bin, cred, opt); err != nil {
			return err
		}
		err := s.awaitReady(ctx)
		if err == nil {
			return nil
		}
		s.halt()
		if !errors.Is(err, errEarlierRuns) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

var errEarlierRuns = errors.New("an earlier server still runs on this folder")

// URL is the connection string of role on database; an empty password means the role has none.
func (s *Server) URL(role, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + database}
	q := url.Values{"host": {s.socket}, "sslmode": {"disable"}}
	u.RawQuery = q.Encode()
	return u.String()
}

// OwnerURL is the superuser's connection string.
func (s *Server) OwnerURL(database string) string { return s.URL(Superuser, s.password, database) }

// Stop ends the server with a fast shutdown and waits for it. It may be called again.
func (s *Server) Stop() {
	s.halt()
	s.removeSocketDir()
}

// removeSocketDir takes away the folder that was made because the data folder's path is too long for a socket.
func (s *Server) removeSocketDir() {
	if s.socket != "" && s.socket != s.dir {
		_ = os.RemoveAll(s.socket) // what is left of it is an empty folder for temporary files
	}
}

func (s *Server) halt() {
	_ = s.cmd.Process.Signal(stopSignal)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

func (s *Server) run(bin string, cred *syscall.Credential, opt Options) error {
	args := []string{"-D", filepath.Join(s.dir, "data"), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + s.socket,
		"-c", "log_parameter_max_length=0", "-c", "log_parameter_max_length_on_error=0", "-c", "log_error_verbosity=terse",
		"-c", "log_statement=none", "-c", "log_min_error_statement=panic", "-c", "max_connections=120"}
	if opt.Unsafe {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	for _, setting := range opt.Extra {
		args = append(args, "-c", setting)
	}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), args...)
	s.cmd.Dir = s.dir
	s.log.Reset()
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true, Pdeathsig: syscall.SIGINT}
	started, done := make(chan error), make(chan struct{})
	s.done = done
	go func() {
		// The parent-death signal follows the thread that forked, so that thread stays until the child ends.
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // why it ended is in the log
		}
		close(done)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	return nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(60 * time.Second)
	for {
		conn, err := pgx.Connect(ctx, s.OwnerURL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			if said := s.log.String(); strings.Contains(said, "postmaster.pid") {
				return fmt.Errorf("%w: %s", errEarlierRuns, lastLine([]byte(said)))
			}
			return fmt.Errorf("postgres ended at start: %s", lastLine([]byte(s.log.String())))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("postgres does not answer: %s", lastLine([]byte(s.log.String())))
		}
	}
}

// socketDir keeps the socket's path within the 107 bytes that the kernel allows.
func socketDir(dir string) (string, error) {
	if len(dir)+len("/.s.PGSQL.5432.lock") < 100 {
		return dir, nil
	}
	short, err := os.MkdirTemp("", "tvpg")
	if err != nil {
		return "", fmt.Errorf("make the socket folder: %w", err)
	}
	return short, os.Chmod(short, 0o711)
}

// openPath lets the database's user walk to its folder: each parent gets the search bit that it lacks.
func openPath(dir string) error {
	for dir != "/" && dir != "." {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
				return fmt.Errorf("let the database's user reach its folder: %w", err)
			}
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

// unprivileged names the user to run as when we are root: PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is neither a user postgres nor nobody to run the database as")
}

// binaries finds the newest PostgreSQL (13 or later) of the distribution.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	sort.Slice(found, func(i, j int) bool { return major(found[i]) > major(found[j]) })
	for _, path := range found {
		if major(path) >= 15 {
			return filepath.Dir(path), nil
		}
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("PostgreSQL 15 or later is not installed: apt-get install postgresql")
}

func major(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
