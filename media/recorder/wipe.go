package recorder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// wipeContents overwrites and removes everything in the folder. A journal, a snapshot or flash memory may keep a copy all the
// same, which is why the scratch folder belongs on a tmpfs or an encrypted volume.
func wipeContents(folder string) error {
	var failed error
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			failed = errors.Join(failed, overwrite(path))
		}
		return err
	})
	entries, readErr := os.ReadDir(folder)
	failed = errors.Join(failed, err, readErr)
	for _, entry := range entries {
		failed = errors.Join(failed, os.RemoveAll(filepath.Join(folder, entry.Name())))
	}
	return failed
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = io.CopyN(f, zeros{}, info.Size())
	}
	return errors.Join(err, f.Sync(), f.Close())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
