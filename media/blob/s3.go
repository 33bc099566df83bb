package blob

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// S3 stores objects in one bucket.
type S3 struct {
	client   *s3.Client
	transfer *transfermanager.Client
	config   S3Config
	now      func() time.Time
}

// Put stores all of r under the key, or nothing. Large objects go in parts; every part carries a SHA-256 that the server checks. A
// size of -1 means that it is not known beforehand. In a versioned bucket an older object of the key stays as a version.
func (s *S3) Put(ctx context.Context, key string, r io.Reader, size int64) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	return s.put(ctx, key, r, size, s.config.ObjectLockDays)
}

func (s *S3) put(ctx context.Context, key string, r io.Reader, size int64, lockDays int) (Info, error) {
	measured := measure(r, size)
	in := &transfermanager.UploadObjectInput{
		Bucket: &s.config.Bucket, Key: &key, Body: measured,
		ChecksumAlgorithm: tmtypes.ChecksumAlgorithmSha256,
		ContentType:       aws.String("application/octet-stream"),
	}
	if size > 0 {
		in.ContentLength = &size
	}
	if !s.config.AllowNoSSE {
		in.ServerSideEncryption = tmtypes.ServerSideEncryptionAwsKms
		in.BucketKeyEnabled = aws.Bool(true) // one KMS request for many objects
		if s.config.KMSKeyID != "" {
			in.SSEKMSKeyID = &s.config.KMSKeyID
		}
	}
	if lockDays > 0 {
		until := s.now().AddDate(0, 0, lockDays)
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = tmtypes.ObjectLockModeCompliance, &until
	}
	out, err := s.transfer.UploadObject(ctx, in)
	if err != nil {
		return Info{}, s3Error("put", err)
	}
	info := Info{Key: key, Size: measured.n, SHA256: measured.hash.Sum(nil), Modified: s.now(), Encryption: string(out.ServerSideEncryption)}
	if s.config.AllowNoSSE || info.Encryption == string(types.ServerSideEncryptionAwsKms) {
		return info, nil
	}
	return s.confirmEncryption(ctx, info)
}

// confirmEncryption asks again: not every server repeats the encryption when it completes an upload in parts.
func (s *S3) confirmEncryption(ctx context.Context, info Info) (Info, error) {
	head, err := s.Head(ctx, info.Key)
	if err != nil {
		return Info{}, err
	}
	if head.Encryption != string(types.ServerSideEncryptionAwsKms) {
		// The store changed since the probe at start. Best effort: what it kept is ciphertext of ours in any case.
		_ = s.Delete(context.WithoutCancel(ctx), info.Key)
		return Info{}, fmt.Errorf("%w (it reports %q)", ErrNotEncrypted, head.Encryption)
	}
	info.Encryption = head.Encryption
	return info, nil
}

// Head describes the object.
func (s *S3) Head(ctx context.Context, key string) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.config.Bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return Info{}, s3Error("head", err)
	}
	return Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified),
		SHA256: wholeChecksum(out.ChecksumSHA256), Encryption: string(out.ServerSideEncryption),
	}, nil
}

// wholeChecksum leaves out the checksum of checksums that S3 keeps for an object uploaded in parts ("<base64>-<parts>").
func wholeChecksum(checksum *string) []byte {
	digest, err := base64.StdEncoding.DecodeString(aws.ToString(checksum))
	if err != nil || len(digest) == 0 {
		return nil
	}
	return digest
}

// Get opens the object; the caller closes it.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	return s.get(ctx, key, nil)
}

// GetRange opens n bytes from offset off, or all to the end if n is -1. A range that reaches beyond the end is cut.
func (s *S3) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	if off < 0 || n == 0 || n < -1 {
		return nil, Info{}, ErrRange
	}
	bytes := fmt.Sprintf("bytes=%d-", off)
	if n > 0 {
		bytes += strconv.FormatInt(off+n-1, 10)
	}
	return s.get(ctx, key, &bytes)
}

func (s *S3) get(ctx context.Context, key string, bytes *string) (io.ReadCloser, Info, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key, Range: bytes})
	if err != nil {
		return nil, Info{}, s3Error("get", err)
	}
	size := aws.ToInt64(out.ContentLength)
	if bytes != nil {
		// A server may answer a range with the whole object (RFC 9110, 14.2); that must not pass for the range.
		_, total, found := strings.Cut(aws.ToString(out.ContentRange), "/")
		if size, err = strconv.ParseInt(total, 10, 64); err != nil || !found {
			out.Body.Close()
			return nil, Info{}, errors.New("blob: get: the store ignored the range")
		}
	}
	return out.Body, Info{Key: key, Size: size, Modified: aws.ToTime(out.LastModified), Encryption: string(out.ServerSideEncryption)}, nil
}

// Delete removes the object; that it is absent already is no error. In a versioned bucket it becomes invisible, and its
// versions stay as long as the bucket's rules and locks say.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.config.Bucket, Key: &key})
	if err = s3Error("delete", err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// List gives every object whose key starts with the prefix, by key.
func (s *S3) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Info{}, err)
			return
		}
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.config.Bucket, Prefix: &prefix})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Info{}, s3Error("list", err))
				return
			}
			for _, object := range page.Contents {
				if !yield(Info{Key: aws.ToString(object.Key), Size: aws.ToInt64(object.Size), Modified: aws.ToTime(object.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// s3Error maps the answers that callers decide by; the rest keeps the server's code, its request id and no key.
func s3Error(doing string, err error) error {
	if err == nil || errors.Is(err, ErrSize) {
		return err
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey", "NotFound":
			return ErrNotFound
		case "InvalidRange":
			return ErrRange
		}
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() == http.StatusRequestedRangeNotSatisfiable {
		return ErrRange
	}
	if api != nil {
		return fmt.Errorf("blob: %s: %w", doing, &storeError{code: api.ErrorCode(), err: err})
	}
	return fmt.Errorf("blob: %s: %w", doing, &storeError{code: "no answer", err: err})
}

// storeError shows the code alone (the SDK's text may hold a URL with the key), and unwraps to the cause.
type storeError struct {
	code string
	err  error
}

func (e *storeError) Error() string {
	if errors.Is(e.err, context.DeadlineExceeded) || errors.Is(e.err, context.Canceled) {
		return "store: " + e.code + " in time"
	}
	return "store: " + e.code
}

func (e *storeError) Unwrap() error { return e.err }
