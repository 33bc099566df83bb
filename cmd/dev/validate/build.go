package validate

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

//go:embed java/pom.xml java/src profiles
var source embed.FS

// build gives the folder of the built tool, building it when this version of its sources has not been built yet.
func build(ctx context.Context, cache string) (string, error) {
	version, err := fingerprint()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	done := filepath.Join(dir, "built")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.CopyFS(dir, source); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := maven(ctx, filepath.Join(dir, "java")); err != nil {
		return "", err
	}
	return dir, os.WriteFile(done, nil, 0o644)
}

// maven builds from what is already on this machine, and asks the registry only when something is missing.
func maven(ctx context.Context, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("the FHIR validator needs Maven (mvn) and Java 17")
	}
	offline := exec.CommandContext(ctx, mvn, "-B", "-q", "-o", "package")
	offline.Dir = dir
	if offline.Run() == nil {
		return nil
	}
	online := exec.CommandContext(ctx, mvn, "-B", "-q", "package")
	online.Dir = dir
	if out, err := online.CombinedOutput(); err != nil {
		return fmt.Errorf("build the FHIR validator: %w\n%s", err, out)
	}
	return nil
}

func fingerprint() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := source.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", path, len(content))
		h.Write(content)
		return nil
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// lock keeps two test binaries from building at once.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// Cache is the folder that the tool is built in: tmp/validator of the module that the working directory is in.
func Cache() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "tmp", "validator"), nil
		}
		if filepath.Dir(dir) == dir {
			return os.MkdirTemp("", "televisit-validator")
		}
		dir = filepath.Dir(dir)
	}
}
