package keys_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/televisit/televisit/identity/keys"
)

func TestKeyFileIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "key.json")
	ctx, aad := context.Background(), []byte("recording/1")
	const openers = 8
	wrapped, plain := make([][]byte, openers), make([][]byte, openers)
	var wg sync.WaitGroup
	for i := range openers {
		wg.Go(func() {
			k, err := keys.Open(ctx, keys.Config{File: path})
			if err != nil {
				t.Error(err)
				return
			}
			if plain[i], wrapped[i], err = k.NewWrapped(ctx, aad); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k, err := keys.Open(ctx, keys.Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	for i := range openers {
		if got, err := k.Unwrap(ctx, wrapped[i], aad); err != nil || !bytes.Equal(got, plain[i]) {
			t.Errorf("opener %d used another key: %v", i, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v, want mode 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside the key, %v", len(entries)-1, err)
	}
}

func TestKeyFileOthersCanReadIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644, 0o620, 0o601} {
		path := filepath.Join(t.TempDir(), "key.json")
		if _, err := keys.Open(context.Background(), keys.Config{File: path}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(context.Background(), keys.Config{File: path}); !errors.Is(err, keys.ErrConfig) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v, want a refusal that says what to do", mode, err)
		}
	}
}

func TestBrokenKeyFileIsRefusedAndKept(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "not JSON": "S3CRET-garbage", "no keys": `{"primaryKeyId":1,"key":[]}`} {
		path := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := keys.Open(context.Background(), keys.Config{File: path})
		if !errors.Is(err, keys.ErrConfig) || strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("%s: %v, want ErrConfig without the content", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := keys.Open(context.Background(), keys.Config{File: t.TempDir()}); !errors.Is(err, keys.ErrConfig) {
		t.Errorf("a folder: %v, want ErrConfig", err)
	}
}

func TestRotateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	ctx, aad := context.Background(), []byte("recording/1")
	before, err := keys.Open(ctx, keys.Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	plain, wrapped, err := before.NewWrapped(ctx, aad)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.RotateFile(path); err != nil {
		t.Fatal(err)
	}
	after, err := keys.Open(ctx, keys.Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := after.Unwrap(ctx, wrapped, aad); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("key wrapped before the rotation: %v", err)
	}
	rewrapped, err := after.Rewrap(ctx, wrapped, aad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Unwrap(ctx, rewrapped, aad); !errors.Is(err, keys.ErrNotOpened) {
		t.Errorf("the old key opens what was wrapped anew: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rotated file: %v, %v", info.Mode(), err)
	}
	stranger, err := keys.Open(ctx, keys.Config{File: filepath.Join(t.TempDir(), "other.json")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Unwrap(ctx, wrapped, aad); !errors.Is(err, keys.ErrNotOpened) {
		t.Errorf("another installation opened the key: %v", err)
	}
}
