package blob_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/media/blob"
)

func openDir(t *testing.T, folder string) *blob.Dir {
	t.Helper()
	d, err := blob.OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDir(t *testing.T) {
	conformance(t, openDir(t, filepath.Join(t.TempDir(), "store")), "")
}

func TestDirKeepsToItself(t *testing.T) {
	ctx, folder, outside := context.Background(), t.TempDir(), t.TempDir()
	d := openDir(t, folder)
	if err := os.Symlink(outside, filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(ctx, "link/x", strings.NewReader("x"), 1); err == nil {
		t.Error("wrote through a symbolic link out of the store")
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Get(ctx, "link/secret"); err == nil {
		t.Error("read through a symbolic link out of the store")
	}
}

func TestDirFilesArePrivateAndFoldersGo(t *testing.T) {
	ctx, folder := context.Background(), filepath.Join(t.TempDir(), "store")
	d := openDir(t, folder)
	put(t, d, "a/b/c", []byte("x"))
	for _, name := range []string{"", "a", "a/b", "a/b/c"} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q: %v, %v, others may read it", name, info.Mode(), err)
		}
	}
	if err := d.Delete(ctx, "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty folders stay: %v", err)
	}
}

func TestDirKeyAsFolder(t *testing.T) {
	ctx, d := context.Background(), openDir(t, t.TempDir())
	put(t, d, "a/b", []byte("x"))
	for _, key := range []string{"a", "a/b/c", "a/b/c/d"} {
		if _, err := d.Put(ctx, key, strings.NewReader("y"), 1); !errors.Is(err, blob.ErrBadKey) {
			t.Errorf("%s beside a/b: %v, want ErrBadKey", key, err)
		}
	}
	if _, err := d.Head(ctx, "a/b/c"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Head below an object: %v", err)
	}
	r, _, err := d.Get(ctx, "a/b")
	if got := read(t, r, err); string(got) != "x" {
		t.Errorf("the object is %q", got)
	}
}

func TestDirClearsOldUnfinishedWrites(t *testing.T) {
	folder := t.TempDir()
	openDir(t, folder)
	old, young := filepath.Join(folder, ".tmp", "old"), filepath.Join(folder, ".tmp", "young")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, folder)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("old unfinished write: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("young unfinished write: %v", err)
	}
	for info, err := range d.List(context.Background(), "") {
		t.Errorf("an unfinished write is listed: %+v, %v", info, err)
	}
}

func TestOpenDirSaysWhatIsWrong(t *testing.T) {
	if _, err := blob.OpenDir(""); !errors.Is(err, blob.ErrConfig) {
		t.Errorf("no folder: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.OpenDir(file); err == nil {
		t.Error("a file was accepted as folder")
	}
}
