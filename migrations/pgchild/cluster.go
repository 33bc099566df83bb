package pgchild

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

func (s *Server) prepare(ctx context.Context, bin string, cred *syscall.Credential) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the database folder: %w", err)
	}
	passwordFile := filepath.Join(s.dir, "owner.password")
	cluster := filepath.Join(s.dir, "data")
	if err := s.loadPassword(passwordFile); err != nil {
		return err
	}
	socket, err := socketDir(s.dir)
	if err != nil {
		return err
	}
	s.socket = socket
	if err := s.handOver(cred, passwordFile); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cluster, "PG_VERSION")); err == nil {
		return nil
	}
	return s.initialise(ctx, bin, cred, cluster, passwordFile)
}

// initialise makes the cluster beside its place and moves it there whole: one that was killed half made is made again.
func (s *Server) initialise(ctx context.Context, bin string, cred *syscall.Credential, cluster, passwordFile string) error {
	left, err := filepath.Glob(cluster + ".new*")
	if err != nil {
		return err
	}
	for _, half := range left {
		if err := os.RemoveAll(half); err != nil {
			return fmt.Errorf("remove a half-made cluster: %w", err)
		}
	}
	// A name of its own, since what a killed start left running may write to its own for another moment; it ends with this
	// thread, which therefore stays.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fresh := fmt.Sprintf("%s.new%d", cluster, os.Getpid())
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", fresh, "-U", Superuser, "-E", "UTF8",
		"--locale=C.UTF-8", "--auth=scram-sha-256", "--pwfile="+passwordFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGKILL}
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	if err := os.Rename(fresh, cluster); err != nil {
		return fmt.Errorf("put the cluster in its place: %w", err)
	}
	return nil
}

func (s *Server) loadPassword(path string) error {
	raw, err := os.ReadFile(path)
	if err == nil {
		s.password = strings.TrimSpace(string(raw))
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the owner's password: %w", err)
	}
	secret := make([]byte, 24)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	s.password = hex.EncodeToString(secret)
	if err := os.WriteFile(path+".new", []byte(s.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the owner's password: %w", err)
	}
	return os.Rename(path+".new", path)
}

// handOver gives the folder to the unprivileged user that will run the server.
func (s *Server) handOver(cred *syscall.Credential, passwordFile string) error {
	if cred == nil {
		return nil
	}
	for _, path := range []string{s.dir, passwordFile, s.socket} {
		if err := os.Chown(path, int(cred.Uid), int(cred.Gid)); err != nil {
			return fmt.Errorf("hand the database folder to its user: %w", err)
		}
	}
	return openPath(filepath.Dir(s.dir))
}
