package testtools_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/televisit/televisit/cmd/dev/testtools"
)

func TestInstallKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	for _, tool := range testtools.All() {
		for name, content := range map[string]string{tool.Name: "binary", "." + tool.Name + ".version": tool.Version} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", "") // the go command must not be needed
	var out bytes.Buffer
	if err := testtools.Install(context.Background(), dir, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "is installed"); n != len(testtools.All()) {
		t.Errorf("%d of %d kept: %s", n, len(testtools.All()), out.String())
	}
	last := testtools.All()[len(testtools.All())-1]
	if err := os.WriteFile(filepath.Join(dir, "."+last.Name+".version"), []byte("v0.0.1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := testtools.Install(context.Background(), dir, &out); err == nil || !strings.Contains(err.Error(), last.Package) {
		t.Errorf("another version was kept: %v", err)
	}
}

func TestDir(t *testing.T) {
	t.Setenv("TELEVISIT_TOOLS", "")
	t.Setenv("XDG_CACHE_HOME", "/var/cache/somebody")
	if dir, err := testtools.Dir(); err != nil || dir != "/var/cache/somebody/televisit/tools" {
		t.Fatalf("%s, %v", dir, err)
	}
	t.Setenv("TELEVISIT_TOOLS", t.TempDir())
	if dir, err := testtools.Dir(); err != nil || dir != os.Getenv("TELEVISIT_TOOLS") {
		t.Errorf("%s, %v", dir, err)
	}
}
