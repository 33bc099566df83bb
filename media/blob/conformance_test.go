package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"
	"github.com/televisit/televisit/media/blob"
)

type store interface {
	Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error)
	Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error)
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error)
	Head(ctx context.Context, key string) (blob.Info, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error]
}

// conformance is what every store must do; encryption is what it reports for an object.
func conformance(t *testing.T, s store, encryption string) {
	for _, size := range []int{0, 1, 100, 1 << 20, 16<<20 - 1, 16 << 20, 16<<20 + 1, 25 << 20} {
		t.Run(fmt.Sprintf("round trip of %d bytes", size), func(t *testing.T) { roundTrip(t, s, size, encryption) })
	}
	t.Run("replace", func(t *testing.T) { replace(t, s) })
	t.Run("ranges", func(t *testing.T) { ranges(t, s) })
	t.Run("absent", func(t *testing.T) { absent(t, s) })
	t.Run("wrong size stores nothing", func(t *testing.T) { wrongSize(t, s) })
	t.Run("broken reader stores nothing", func(t *testing.T) { brokenReader(t, s) })
	t.Run("cancelled", func(t *testing.T) { cancelled(t, s) })
	t.Run("bad keys", func(t *testing.T) { badKeys(t, s) })
	t.Run("list", func(t *testing.T) { list(t, s) })
	t.Run("concurrent", func(t *testing.T) { concurrent(t, s) })
}

func content(size int) []byte {
	b := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = rng.Read(b)
	return b
}

func newKey() string { return "recordings/" + uuid.NewString() + "/0.seg" }

func read(t *testing.T, r io.ReadCloser, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, s store, key string, b []byte) blob.Info {
	t.Helper()
	info, err := s.Put(context.Background(), key, bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func roundTrip(t *testing.T, s store, size int, encryption string) {
	ctx, key, want := context.Background(), newKey(), content(size)
	digest := sha256.Sum256(want)
	info := put(t, s, key, want)
	if info.Key != key || info.Size != int64(size) || !bytes.Equal(info.SHA256, digest[:]) || info.Encryption != encryption || info.Modified.IsZero() {
		t.Errorf("Put: %+v", info)
	}
	r, info, err := s.Get(ctx, key)
	if got := read(t, r, err); !bytes.Equal(got, want) || info.Size != int64(size) {
		t.Errorf("Get: %d bytes, info %+v", len(got), info)
	}
	head, err := s.Head(ctx, key)
	if err != nil || head.Key != key || head.Size != int64(size) || head.Encryption != encryption || head.Modified.IsZero() {
		t.Errorf("Head: %+v, %v", head, err)
	}
	if head.SHA256 != nil && !bytes.Equal(head.SHA256, digest[:]) {
		t.Errorf("Head: another digest")
	}
	// The size is not known, and the reader is slow.
	if _, err := s.Put(ctx, key+".x", iotest.DataErrReader(bytes.NewReader(want)), -1); err != nil {
		t.Fatal(err)
	}
	r, _, err = s.Get(ctx, key+".x")
	if got := read(t, r, err); !bytes.Equal(got, want) {
		t.Errorf("without size: %d bytes", len(got))
	}
	for range 2 {
		if err := s.Delete(ctx, key); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, err := s.Head(ctx, key); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Head after Delete: %v", err)
	}
}

func replace(t *testing.T, s store) {
	key := newKey()
	put(t, s, key, content(1000))
	put(t, s, key, []byte("new"))
	r, info, err := s.Get(context.Background(), key)
	if got := read(t, r, err); string(got) != "new" || info.Size != 3 {
		t.Errorf("got %d bytes, %+v", len(got), info)
	}
}

func ranges(t *testing.T, s store) {
	key, all := newKey(), content(10_000)
	put(t, s, key, all)
	for _, tc := range []struct{ off, n, to int64 }{
		{0, 1, 1}, {0, -1, 10_000}, {0, 10_000, 10_000}, {9_999, 1, 10_000}, {9_999, -1, 10_000}, {5_000, 100_000, 10_000}, {123, 456, 579},
	} {
		r, info, err := s.GetRange(context.Background(), key, tc.off, tc.n)
		if got := read(t, r, err); !bytes.Equal(got, all[tc.off:tc.to]) || info.Size != 10_000 {
			t.Errorf("range %d+%d: %d bytes, info %+v", tc.off, tc.n, len(got), info)
		}
	}
	for _, tc := range [][2]int64{{10_000, 1}, {10_000, -1}, {1 << 40, 5}, {-1, 5}, {0, 0}, {0, -2}} {
		if r, _, err := s.GetRange(context.Background(), key, tc[0], tc[1]); !errors.Is(err, blob.ErrRange) {
			t.Errorf("range %v: %v, %v, want ErrRange", tc, r, err)
		}
	}
}

func absent(t *testing.T, s store) {
	ctx, key := context.Background(), newKey()
	_, _, getErr := s.Get(ctx, key)
	_, _, rangeErr := s.GetRange(ctx, key, 0, 1)
	_, headErr := s.Head(ctx, key)
	_, folderErr := s.Head(ctx, "recordings")
	for i, err := range []error{getErr, rangeErr, headErr, folderErr} {
		if !errors.Is(err, blob.ErrNotFound) || strings.Contains(err.Error(), key) {
			t.Errorf("%d: %v, want ErrNotFound without the key", i, err)
		}
	}
	if err := s.Delete(ctx, key); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
}

func wrongSize(t *testing.T, s store) {
	ctx := context.Background()
	for _, tc := range []struct{ announced, real int }{{10, 9}, {10, 11}, {0, 1}, {1, 0}, {20 << 20, 20<<20 - 1}, {20 << 20, 20<<20 + 1}} {
		key := newKey()
		if _, err := s.Put(ctx, key, bytes.NewReader(content(tc.real)), int64(tc.announced)); !errors.Is(err, blob.ErrSize) {
			t.Errorf("%+v: %v, want ErrSize", tc, err)
		}
		if _, err := s.Head(ctx, key); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%+v: an object is there: %v", tc, err)
		}
	}
}

func brokenReader(t *testing.T, s store) {
	ctx, broken := context.Background(), errors.New("disk on fire")
	for _, size := range []int{1000, 20 << 20} {
		key := newKey()
		put(t, s, key, []byte("before"))
		r := io.MultiReader(bytes.NewReader(content(size)), iotest.ErrReader(broken))
		if _, err := s.Put(ctx, key, r, -1); err == nil {
			t.Errorf("%d bytes and then an error: stored", size)
		}
		got, _, err := s.Get(ctx, key)
		if got := read(t, got, err); string(got) != "before" {
			t.Errorf("the earlier object was damaged")
		}
	}
}

func cancelled(t *testing.T, s store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	key := newKey()
	if _, err := s.Put(ctx, key, bytes.NewReader(content(100)), 100); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v, want Canceled", err)
	}
	if _, err := s.Head(context.Background(), key); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("an object is there: %v", err)
	}
}

func badKeys(t *testing.T, s store) {
	ctx := context.Background()
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../b", "a..b", ".tmp/x", ".a", "a/.b", "A", "a b", "a\\b", "a\x00b", "a\nb", "é",
		"a%2e", "a?b", "a*b", "~a", strings.Repeat("a/", 300) + "a", strings.Repeat("a", 201),
	} {
		_, putErr := s.Put(ctx, key, strings.NewReader("x"), 1)
		_, _, getErr := s.Get(ctx, key)
		_, _, rangeErr := s.GetRange(ctx, key, 0, 1)
		_, headErr := s.Head(ctx, key)
		for i, err := range []error{putErr, getErr, rangeErr, headErr, s.Delete(ctx, key)} {
			if !errors.Is(err, blob.ErrBadKey) || len(key) > 3 && strings.Contains(err.Error(), key) {
				t.Errorf("key %q, call %d: %v, want ErrBadKey", key, i, err)
			}
		}
	}
	for _, prefix := range []string{"../", "/", "A", "a//"} {
		for _, err := range s.List(ctx, prefix) {
			if !errors.Is(err, blob.ErrBadKey) {
				t.Errorf("prefix %q: %v", prefix, err)
			}
		}
	}
}

func list(t *testing.T, s store) {
	ctx, base := context.Background(), "list/"+uuid.NewString()
	var want []string
	for _, name := range []string{"/b", "/a/2", "/a/10", "/a-1", "/a.1", "-other", "/c/d/e/f"} {
		put(t, s, base+name, []byte(name))
		want = append(want, base+name)
	}
	slices.Sort(want)
	collect := func(prefix string) (keys []string) {
		for info, err := range s.List(ctx, prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if info.Size != int64(len(info.Key)-len(base)) || info.Modified.IsZero() {
				t.Errorf("%+v", info)
			}
			keys = append(keys, info.Key)
		}
		return keys
	}
	if got := collect(base); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for prefix, n := range map[string]int{base + "/": 6, base + "/a": 4, base + "/a/": 2, base + "/a/1": 1, base + "/none": 0, "nothing/": 0} {
		if got := collect(prefix); len(got) != n {
			t.Errorf("prefix %q: %v, want %d", prefix, got, n)
		}
	}
	for range s.List(ctx, base) {
		break // must not go on, nor panic
	}
}

func concurrent(t *testing.T, s store) {
	ctx, key := context.Background(), newKey()
	versions := [][]byte{content(200_000), content(200_001), content(200_002)}
	put(t, s, key, versions[0])
	var wg sync.WaitGroup
	for _, version := range versions {
		wg.Go(func() {
			for range 5 {
				if _, err := s.Put(ctx, key, bytes.NewReader(version), int64(len(version))); err != nil {
					t.Error(err)
				}
				other := newKey()
				if _, err := s.Put(ctx, other, bytes.NewReader(version), -1); err != nil {
					t.Error(err)
				}
				if err := s.Delete(ctx, other); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 5 {
				r, _, err := s.Get(ctx, key)
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := io.ReadAll(r)
				r.Close()
				if err != nil || !slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(v, got) }) {
					t.Errorf("a reader saw a mixture of %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
