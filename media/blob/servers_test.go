package blob_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	minioModule     = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
	versitygwModule = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	accessKey       = "televisit-test"
	secretKey       = "televisit-test-secret"
	region          = "us-east-1"
	kmsKey          = "televisit-test-key"
)

// tool finds the binary of a real S3 server. Without it the test fails: an S3 client that was never run against a server is untested.
func tool(t *testing.T, name, module string) string {
	t.Helper()
	dir := os.Getenv("TELEVISIT_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "televisit", "tools")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not in %s; install it by \"make tools\", or with:\n\tGOBIN=%s go install %s", name, dir, dir, module)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serve runs a server until the test ends and waits until it answers.
func serve(t *testing.T, address string, env []string, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		log.Close()
	})
	endpoint := "http://" + address
	deadline := time.After(60 * time.Second)
	for {
		if response, err := http.Get(endpoint); err == nil {
			response.Body.Close()
			return endpoint
		}
		select {
		case <-exited:
			out, _ := os.ReadFile(log.Name())
			t.Fatalf("%s ended: %s", command, out)
		case <-deadline:
			out, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not answer: %s", command, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func setCredentials(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
}

func startMinio(t *testing.T, withKMS bool) string {
	t.Helper()
	setCredentials(t)
	address := freeAddress(t)
	env := []string{"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey, "MINIO_UPDATE=off", "HOME=" + t.TempDir()}
	if withKMS {
		env = append(env, fmt.Sprintf("MINIO_KMS_SECRET_KEY=%s:%s", kmsKey, base64.StdEncoding.EncodeToString(make([]byte, 32))))
	}
	endpoint := serve(t, address, env, tool(t, "minio", minioModule), "server", "--address", address, "--console-address", freeAddress(t), t.TempDir())
	return endpoint
}

func startVersitygw(t *testing.T) string {
	t.Helper()
	setCredentials(t)
	address := freeAddress(t)
	return serve(t, address, nil, tool(t, "versitygw", versitygwModule), "--port", address, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", t.TempDir())
}

// rawClient is the SDK without anything of ours, to look at what is stored.
func rawClient(t *testing.T, endpoint string) *s3.Client {
	t.Helper()
	c, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(region))
	if err != nil {
		t.Fatal(err)
	}
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle, o.BaseEndpoint = true, aws.String(endpoint) })
}

// makeBucket waits for a server that answers before it is ready.
func makeBucket(t *testing.T, endpoint, bucket string, locked bool) {
	t.Helper()
	client := rawClient(t, endpoint)
	var err error
	for range 100 {
		if _, err = client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket, ObjectLockEnabledForBucket: &locked}); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(err)
}
