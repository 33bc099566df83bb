package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/televisit/televisit/media/blob"
)

func TestS3OnMinio(t *testing.T) {
	ctx, endpoint := context.Background(), startMinio(t, true)
	makeBucket(t, endpoint, "plain", false)
	makeBucket(t, endpoint, "locked", true)
	raw := rawClient(t, endpoint)
	base := blob.S3Config{Bucket: "plain", Region: region, Endpoint: endpoint, PathStyle: true}

	t.Run("conformance", func(t *testing.T) {
		c := base
		c.KMSKeyID = kmsKey
		s, err := blob.OpenS3(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		for info := range s.List(ctx, "probe/") {
			t.Errorf("the probe left %s", info.Key)
		}
		conformance(t, s, "aws:kms")
		uploads, err := raw.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &c.Bucket, Prefix: aws.String("recordings/")})
		if err != nil || len(uploads.Uploads) != 0 {
			t.Errorf("broken uploads left %d behind, %v", len(uploads.Uploads), err)
		}
	})
	t.Run("default key", func(t *testing.T) {
		if _, err := blob.OpenS3(ctx, base); err != nil {
			t.Error(err)
		}
	})
	t.Run("stored as asked", func(t *testing.T) { storedAsAsked(t, raw, base) })
	t.Run("object lock", func(t *testing.T) { objectLock(t, raw, base) })
	t.Run("bad configuration", func(t *testing.T) { badConfiguration(t, base) })
}

func storedAsAsked(t *testing.T, raw *s3.Client, c blob.S3Config) {
	c.KMSKeyID = kmsKey
	s, err := blob.OpenS3(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{100, 20 << 20} { // one request, many parts
		key := newKey()
		put(t, s, key, content(size))
		head, err := raw.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &key})
		if err != nil || head.ServerSideEncryption != types.ServerSideEncryptionAwsKms || !strings.HasSuffix(aws.ToString(head.SSEKMSKeyId), kmsKey) {
			t.Errorf("%d bytes: %v, encryption %q", size, err, head.ServerSideEncryption)
		}
		if parts := strings.Contains(aws.ToString(head.ETag), "-"); parts != (size > 16<<20) {
			t.Errorf("%d bytes: uploaded in parts: %v", size, parts)
		}
	}
}

func objectLock(t *testing.T, raw *s3.Client, c blob.S3Config) {
	ctx := context.Background()
	c.Bucket, c.ObjectLockDays = "locked", 3
	s, err := blob.OpenS3(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{100, 20 << 20} {
		key, want := newKey(), content(size)
		put(t, s, key, want)
		head, err := raw.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.Bucket, Key: &key})
		if err != nil || head.ObjectLockMode != types.ObjectLockModeCompliance || time.Until(aws.ToTime(head.ObjectLockRetainUntilDate)) < 71*time.Hour {
			t.Fatalf("%v, lock %q until %v", err, head.ObjectLockMode, aws.ToTime(head.ObjectLockRetainUntilDate))
		}
		if _, err := raw.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.Bucket, Key: &key, VersionId: head.VersionId}); err == nil {
			t.Error("a locked version was deleted")
		}
		if err := s.Delete(ctx, key); err != nil {
			t.Errorf("Delete hides a locked object: %v", err)
		}
		kept, err := raw.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.Bucket, Key: &key, VersionId: head.VersionId})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(kept.Body)
		kept.Body.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the locked version is damaged: %v", err)
		}
	}
}

func badConfiguration(t *testing.T, base blob.S3Config) {
	for name, tc := range map[string]struct {
		change func(*blob.S3Config)
		want   error
		says   string
	}{
		"no bucket name":   {func(c *blob.S3Config) { c.Bucket = "" }, blob.ErrConfig, "bucket"},
		"no region":        {func(c *blob.S3Config) { c.Region = "" }, blob.ErrConfig, "region"},
		"not a URL":        {func(c *blob.S3Config) { c.Endpoint = "minio" }, blob.ErrConfig, "endpoint"},
		"plain http":       {func(c *blob.S3Config) { c.Endpoint = "http://s3.example.org" }, blob.ErrConfig, "https"},
		"absent bucket":    {func(c *blob.S3Config) { c.Bucket = "absent" }, nil, "NoSuchBucket"},
		"absent key":       {func(c *blob.S3Config) { c.KMSKeyID = "no-such-key" }, nil, "store"},
		"bucket not locks": {func(c *blob.S3Config) { c.ObjectLockDays = 1 }, blob.ErrConfig, "Object Lock"},
		"negative days":    {func(c *blob.S3Config) { c.ObjectLockDays = -1 }, blob.ErrConfig, "days"},
	} {
		c := base
		tc.change(&c)
		_, err := blob.OpenS3(context.Background(), c)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, tc.want, tc.says)
		}
	}
	t.Run("wrong credentials", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		if _, err := blob.OpenS3(context.Background(), base); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
			t.Errorf("%v, want SignatureDoesNotMatch", err)
		}
	})
}

func TestS3WithoutKMSIsRefused(t *testing.T) {
	endpoint := startMinio(t, false)
	makeBucket(t, endpoint, "plain", false)
	c := blob.S3Config{Bucket: "plain", Region: region, Endpoint: endpoint, PathStyle: true}
	if _, err := blob.OpenS3(context.Background(), c); err == nil {
		t.Error("a store without a key service was accepted")
	}
	c.AllowNoSSE = true
	if _, err := blob.OpenS3(context.Background(), c); err != nil {
		t.Errorf("with AllowNoSSE: %v", err)
	}
}

// versitygw accepts the header that asks for SSE-KMS and ignores it.
func TestS3ThatPretendsIsRefused(t *testing.T) {
	ctx, endpoint := context.Background(), startVersitygw(t)
	makeBucket(t, endpoint, "plain", false)
	c := blob.S3Config{Bucket: "plain", Region: region, Endpoint: endpoint, PathStyle: true}
	if _, err := blob.OpenS3(ctx, c); !errors.Is(err, blob.ErrNotEncrypted) {
		t.Fatalf("%v, want ErrNotEncrypted", err)
	}
	c.AllowNoSSE = true
	s, err := blob.OpenS3(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for info := range s.List(ctx, "") {
		t.Errorf("the probe left %s", info.Key)
	}
	conformance(t, s, "")
}

func TestS3ThatDoesNotAnswer(t *testing.T) {
	setCredentials(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := blob.OpenS3(ctx, blob.S3Config{Bucket: "b", Region: region, Endpoint: "http://" + freeAddress(t), PathStyle: true})
	if err == nil || !strings.Contains(err.Error(), "no answer") || strings.Contains(err.Error(), "probe/") {
		t.Errorf("%v", err)
	}
}
