package keys

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// arnPattern is the form of a key or alias ARN (AWS General Reference, ARN format); the first group is the region.
const arnPattern = `^arn:aws[a-z0-9-]*:kms:([a-z0-9-]+):[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]+$`

func openKMS(ctx context.Context, c Config) (tink.AEADWithContext, error) {
	match := regexp.MustCompile(arnPattern).FindStringSubmatch(c.KMSKeyARN)
	if match == nil {
		return nil, fmt.Errorf("%w: %q is not the ARN of a KMS key or alias", ErrConfig, c.KMSKeyARN)
	}
	region := c.Region
	if region == "" {
		region = match[1]
	}
	if err := checkEndpoint(c.KMSEndpoint); err != nil {
		return nil, err
	}
	awsConfig, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("%w: AWS: %w", ErrConfig, err)
	}
	client := kms.NewFromConfig(awsConfig, func(o *kms.Options) {
		if c.KMSEndpoint != "" {
			o.BaseEndpoint = aws.String(c.KMSEndpoint)
		}
	})
	kek, err := awskms.NewAEADWithContext(ctx, c.KMSKeyARN, awskms.WithKMS(client))
	if err != nil {
		return nil, fmt.Errorf("%w: KMS: %w", ErrConfig, err)
	}
	return kek, nil
}

// checkEndpoint refuses to send plain data keys over a network in the clear.
func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%w: the KMS endpoint is not a URL", ErrConfig)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && loopback {
		return nil
	}
	return fmt.Errorf("%w: the KMS endpoint must use https (keys would cross the network in the clear)", ErrConfig)
}

// classify tells bytes that will never open from a service that did not serve.
func classify(err error) error {
	var invalid *types.InvalidCiphertextException
	var otherKey *types.IncorrectKeyException
	if errors.Is(err, ErrNotOpened) || errors.As(err, &invalid) || errors.As(err, &otherKey) {
		return ErrNotOpened
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
