package blob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"github.com/google/uuid"
)

// S3Config names a bucket and what it must do. Credentials come from where the AWS SDK looks for them (environment, shared
// files, instance or task role).
type S3Config struct {
	Bucket string
	Region string
	// Endpoint replaces AWS's, for another server or a VPC endpoint. Plain http is accepted for loopback addresses, or with AllowNoSSE.
	Endpoint string
	// PathStyle puts the bucket into the path instead of the host name.
	PathStyle bool
	// KMSKeyID is the key for SSE-KMS; empty means the account's default for S3.
	KMSKeyID string
	// ObjectLockDays, if not 0, locks each object for so many days in compliance mode: nobody can delete or replace it.
	ObjectLockDays int
	// AllowNoSSE accepts a store that does not encrypt. Development only.
	AllowNoSSE bool
}

const (
	partSize           = 8 << 20
	multipartThreshold = 16 << 20
)

// OpenS3 connects and proves, with an object of its own, that the store can write, encrypt with SSE-KMS, read and
// (where asked) lock. What it cannot do is named in the error, which is [ErrNotEncrypted] or [ErrConfig].
func OpenS3(ctx context.Context, c S3Config) (*S3, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	awsConfig, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Region), config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, fmt.Errorf("%w: AWS: %w", ErrConfig, err)
	}
	client := s3.NewFromConfig(awsConfig, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	transfer := transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold = partSize, multipartThreshold
		o.Concurrency = 3
		o.FailTimeout = 10 * time.Second // to abort a broken multipart upload, whose parts would be stored and billed
	})
	s := &S3{client: client, transfer: transfer, config: c, now: time.Now}
	if err := s.probe(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (c S3Config) check() error {
	if c.Bucket == "" || c.Region == "" {
		return fmt.Errorf("%w: bucket and region are required", ErrConfig)
	}
	if c.ObjectLockDays < 0 {
		return fmt.Errorf("%w: object lock of %d days", ErrConfig, c.ObjectLockDays)
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%w: the endpoint is not an http or https URL", ErrConfig)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "http" && !loopback && !c.AllowNoSSE {
		return fmt.Errorf("%w: the endpoint must use https", ErrConfig)
	}
	return nil
}

func (s *S3) probe(ctx context.Context) error {
	if err := s.probeLock(ctx); err != nil {
		return err
	}
	key, content := "probe/"+uuid.NewString(), []byte("televisit")
	// No lock: the probe must be removable.
	if _, err := s.put(ctx, key, bytes.NewReader(content), int64(len(content)), 0); err != nil {
		return fmt.Errorf("blob: probe of the bucket: %w", err)
	}
	err := s.probeStored(ctx, key, content)
	s.removeProbe(ctx, key)
	return err
}

func (s *S3) probeStored(ctx context.Context, key string, content []byte) error {
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.config.Bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("blob: probe of the bucket: %w", s3Error("head", err))
	}
	if !s.config.AllowNoSSE {
		if head.ServerSideEncryption != types.ServerSideEncryptionAwsKms {
			return fmt.Errorf("%w (it reports %q)", ErrNotEncrypted, string(head.ServerSideEncryption))
		}
		if used := aws.ToString(head.SSEKMSKeyId); !sameKey(s.config.KMSKeyID, used) {
			return fmt.Errorf("%w: it used another key than the one configured", ErrNotEncrypted)
		}
	}
	body, _, err := s.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("blob: probe of the bucket: %w", err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, content) {
		return fmt.Errorf("%w: the bucket returned other bytes than it was given", ErrConfig)
	}
	return nil
}

// sameKey compares what was asked with the ARN that the store echoes. An alias is resolved by the store, so it cannot be compared.
func sameKey(configured, used string) bool {
	return configured == "" || strings.Contains(configured, "alias/") || used == configured || strings.HasSuffix(used, "/"+configured) || strings.HasSuffix(used, ":"+configured)
}

func (s *S3) probeLock(ctx context.Context) error {
	if s.config.ObjectLockDays == 0 {
		return nil
	}
	out, err := s.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &s.config.Bucket})
	if err != nil {
		return fmt.Errorf("%w: retention is configured, but the bucket has no Object Lock: %w", ErrConfig, s3Error("lock", err))
	}
	if out.ObjectLockConfiguration == nil || out.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return fmt.Errorf("%w: retention is configured, but the bucket has no Object Lock", ErrConfig)
	}
	return nil
}

// removeProbe is best effort: permission to delete may be withheld on purpose. Every version goes, where there are versions.
func (s *S3) removeProbe(ctx context.Context, key string) {
	versions, err := s.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &s.config.Bucket, Prefix: &key})
	if err != nil || len(versions.Versions) == 0 {
		_ = s.Delete(ctx, key)
		return
	}
	for _, version := range versions.Versions {
		_, _ = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.config.Bucket, Key: &key, VersionId: version.VersionId})
	}
}
