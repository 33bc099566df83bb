package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	tempDir = ".tmp" // no key can name it
	// tempAge is how old an unfinished write must be before a start removes it; a younger one may be another process's.
	tempAge = 24 * time.Hour
)

// Dir stores each object as a file below one folder, which nothing can leave: not by key, not by symbolic link.
type Dir struct {
	root *os.Root
	// structure guards making and removing folders, so that a Put never loses the folder it is about to use.
	structure sync.Mutex
}

// OpenDir opens the store in the folder, making it (mode 0700) if absent, and clears away what crashed writes left.
func OpenDir(folder string) (*Dir, error) {
	if folder == "" {
		return nil, fmt.Errorf("%w: no folder is named", ErrConfig)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("blob: make folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("blob: open folder: %w", err)
	}
	d := &Dir{root: root}
	if err := d.clearTemp(); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) clearTemp() error {
	if err := d.root.MkdirAll(tempDir, 0o700); err != nil {
		return fmt.Errorf("blob: make folder for unfinished writes: %w", err)
	}
	entries, err := fs.ReadDir(d.root.FS(), tempDir)
	if err != nil {
		return fmt.Errorf("blob: read folder of unfinished writes: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && time.Since(info.ModTime()) > tempAge {
			_ = d.root.Remove(path.Join(tempDir, entry.Name())) // the next start tries again
		}
	}
	return nil
}

// Close releases the folder.
func (d *Dir) Close() error { return d.root.Close() }

// Put stores all of r under the key, replacing what was there, or nothing. When it returns, the bytes and the name are on the
// disk. A size of -1 means that it is not known beforehand.
func (d *Dir) Put(ctx context.Context, key string, r io.Reader, size int64) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	temp := path.Join(tempDir, rand.Text())
	measured := measure(contextReader{ctx, r}, size)
	if err := d.writeTemp(temp, measured); err != nil {
		_ = d.root.Remove(temp)
		return Info{}, fmt.Errorf("blob: write: %w", err)
	}
	if err := d.place(temp, key); err != nil {
		_ = d.root.Remove(temp)
		return Info{}, err
	}
	info, err := d.Head(ctx, key)
	if err != nil {
		return Info{}, err
	}
	info.SHA256 = measured.hash.Sum(nil)
	return info, nil
}

func (d *Dir) writeTemp(name string, r io.Reader) error {
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, r); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// place renames the finished file to its key and makes the rename durable.
func (d *Dir) place(temp, key string) error {
	d.structure.Lock()
	defer d.structure.Unlock()
	folder := path.Dir(key)
	if err := d.makeFolder(folder); err != nil {
		return err
	}
	if err := d.root.Rename(temp, key); err != nil {
		if info, statErr := d.root.Stat(key); statErr == nil && info.IsDir() {
			return fmt.Errorf("%w: other objects have it as their folder", ErrBadKey)
		}
		return fmt.Errorf("blob: place: %w", withoutPath(err))
	}
	return d.syncFolder(folder)
}

// makeFolder is MkdirAll that syncs the parent of each folder it makes.
func (d *Dir) makeFolder(folder string) error {
	if folder == "." {
		return nil
	}
	info, err := d.root.Stat(folder)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return fmt.Errorf("%w: an object has the name of one of its folders", ErrBadKey)
	}
	parent := path.Dir(folder)
	if err := d.makeFolder(parent); err != nil {
		return err
	}
	if err := d.root.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("blob: make folder: %w", withoutPath(err))
	}
	return d.syncFolder(parent)
}

func (d *Dir) syncFolder(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return fmt.Errorf("blob: sync: %w", withoutPath(err))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("blob: sync: %w", withoutPath(err))
	}
	return nil
}

// Head describes the object.
func (d *Dir) Head(_ context.Context, key string) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	info, err := d.root.Stat(key)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Info{}, dirError("head", err)
	}
	return Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Get opens the object; the caller closes it.
func (d *Dir) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	info, err := d.Head(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	f, err := d.root.Open(key)
	if err != nil {
		return nil, Info{}, dirError("get", err)
	}
	return f, info, nil
}

// GetRange opens n bytes from offset off, or all to the end if n is -1. A range that reaches beyond the end is cut.
func (d *Dir) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error) {
	f, info, err := d.Get(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	if off < 0 || off >= info.Size || n == 0 || n < -1 {
		f.Close()
		return nil, Info{}, ErrRange
	}
	if n == -1 || n > info.Size-off {
		n = info.Size - off
	}
	section := io.NewSectionReader(f.(io.ReaderAt), off, n)
	return struct {
		io.Reader
		io.Closer
	}{section, f}, info, nil
}

// Delete removes the object; that it is absent already is no error.
func (d *Dir) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	d.structure.Lock()
	defer d.structure.Unlock()
	info, err := d.root.Stat(key)
	if err == nil && info.IsDir() {
		return nil
	}
	err = d.root.Remove(key)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return dirError("delete", err)
	}
	folder := path.Dir(key)
	if err := d.syncFolder(folder); err != nil {
		return err
	}
	for ; folder != "."; folder = path.Dir(folder) {
		if d.root.Remove(folder) != nil { // not empty
			break
		}
	}
	return nil
}

// List gives every object whose key starts with the prefix, by key.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		keys, err := d.keys(ctx, prefix)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for _, key := range keys {
			info, err := d.Head(ctx, key)
			if errors.Is(err, ErrNotFound) {
				continue // deleted since
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

func (d *Dir) keys(ctx context.Context, prefix string) ([]string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	start := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = prefix[:i]
	}
	var keys []string
	err := fs.WalkDir(d.root.FS(), start, func(name string, entry fs.DirEntry, err error) error {
		if isAbsent(err) || name == tempDir {
			return fs.SkipDir
		}
		if err == nil && entry.Type().IsRegular() && strings.HasPrefix(name, prefix) {
			keys = append(keys, name)
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil && !isAbsent(err) {
		return nil, dirError("list", err)
	}
	slices.Sort(keys) // a walk goes folder by folder, S3 by the whole key
	return keys, nil
}
