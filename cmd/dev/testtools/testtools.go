// Package testtools installs the servers that tests run against and that are not packaged by the distribution.
//
// Owns: the list of them with their exact versions. Imports: the standard library; it runs the go command.
// Never: nothing of it is linked into the product. MinIO (AGPL-3.0) and versitygw (Apache-2.0) run as processes of the tests
// alone, for SSE-KMS and Object Lock that are real, and for a store that only pretends to encrypt.
package testtools

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Tool is one program that `go install` builds.
type Tool struct {
	// Name is the file name of the binary.
	Name string
	// Package is its import path, Version the exact version.
	Package, Version string
}

// All returns every tool.
func All() []Tool {
	return []Tool{
		{Name: "minio", Package: "github.com/minio/minio", Version: "v0.0.0-20260212201848-7aac2a2c5b7c"},
		{Name: "versitygw", Package: "github.com/versity/versitygw/cmd/versitygw", Version: "v1.8.0"},
	}
}

// Dir returns where the tests look: $TELEVISIT_TOOLS, or televisit/tools in the user's cache folder, so that a second
// checkout on the same machine does not build them again.
func Dir() (string, error) {
	if dir := os.Getenv("TELEVISIT_TOOLS"); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("test tools: %w; set TELEVISIT_TOOLS", err)
	}
	return filepath.Join(cache, "televisit", "tools"), nil
}

// Install builds every tool that the folder lacks, one after another (the builds are large), and tells its progress to out.
// A version that changed is told apart by a marker file beside the binary.
func Install(ctx context.Context, dir string, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("test tools: %w", err)
	}
	for _, tool := range All() {
		if tool.installed(dir) {
			fmt.Fprintf(out, "%s %s is installed\n", tool.Name, tool.Version)
			continue
		}
		fmt.Fprintf(out, "installing %s %s (some minutes)\n", tool.Name, tool.Version)
		if err := tool.install(ctx, dir, out); err != nil {
			return err
		}
	}
	return nil
}

func (t Tool) marker(dir string) string { return filepath.Join(dir, "."+t.Name+".version") }

func (t Tool) installed(dir string) bool {
	version, err := os.ReadFile(t.marker(dir))
	if err != nil || string(version) != t.Version {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, t.Name))
	return err == nil
}

func (t Tool) install(ctx context.Context, dir string, out io.Writer) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("test tools: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "install", t.Package+"@"+t.Version)
	cmd.Dir = os.TempDir() // outside of this module: its requirements must not bend theirs
	cmd.Env = append(os.Environ(), "GOBIN="+absolute, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("test tools: go install %s@%s: %w", t.Package, t.Version, err)
	}
	if err := os.WriteFile(t.marker(dir), []byte(t.Version), 0o644); err != nil {
		return fmt.Errorf("test tools: %w", err)
	}
	return nil
}
