package main

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/televisit/televisit/media/blob"
)

// objectStore is what the server needs of media/blob; a directory and S3 both have it.
type objectStore interface {
	Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error)
	Get(ctx context.Context, key string) (io.ReadCloser, blob.Info, error)
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error)
	Head(ctx context.Context, key string) (blob.Info, error)
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error]
}

// archive is the object store as the audit trail sees it.
type archive struct{ store objectStore }

// PutOnce stores an object; a repetition after a crash stores the same bytes again.
func (a archive) PutOnce(ctx context.Context, key string, body io.Reader, size int64) error {
	_, err := a.store.Put(ctx, key, body, size)
	return err
}

// Fetch reads an archived object whole.
func (a archive) Fetch(ctx context.Context, key string) ([]byte, bool, error) {
	r, _, err := a.store.Get(ctx, key)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	return body, err == nil, err
}

func openArchiveDir(folder string) (archive, error) {
	store, err := blob.OpenDir(folder)
	if err != nil {
		return archive{}, err
	}
	return archive{store: store}, nil
}

// openStore opens the configured object store; S3 is probed, and refused by name when it only pretends to encrypt.
func openStore(ctx context.Context, c StoreConfig) (objectStore, error) {
	if c.S3 == nil {
		return blob.OpenDir(c.Dir)
	}
	return blob.OpenS3(ctx, blob.S3Config{
		Bucket: c.S3.Bucket, Region: c.S3.Region, Endpoint: c.S3.Endpoint, PathStyle: c.S3.PathStyle, KMSKeyID: c.S3.KMSKey,
		ObjectLockDays: c.S3.ObjectLockDays, AllowNoSSE: c.S3.AllowNoSSE,
	})
}
