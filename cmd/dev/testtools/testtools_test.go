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
	dir, err := testtools.Dir()
	if err != nil || filepath.Base(dir) != "tools" {
		t.Fatalf("%s, %v", dir, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(filepath.Dir(dir)), "go.mod")); err != nil {
		t.Errorf("not below the module's root: %v", err)
	}
	t.Setenv("TELEVISIT_TOOLS", t.TempDir())
	if dir, err := testtools.Dir(); err != nil || dir != os.Getenv("TELEVISIT_TOOLS") {
		t.Errorf("%s, %v", dir, err)
	}
}
