package devca

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"
)

func TestEnsureMakesAUsableChainOnce(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f, err := Ensure(dir, []string{"localhost", "127.0.0.1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := Ensure(dir, []string{"localhost", "127.0.0.1"}, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(f.CA)
	if err != nil || string(again) != string(pem) {
		t.Fatal("a second start made another CA")
	}
}

func TestEnsureRenewsBeforeExpiryAndForNewHosts(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f, err := Ensure(dir, []string{"localhost"}, now)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(f.Cert)
	if _, err := Ensure(dir, []string{"localhost", "demo.test"}, now); err != nil {
		t.Fatal(err)
	}
	second, _ := os.ReadFile(f.Cert)
	if string(first) == string(second) {
		t.Fatal("a new host got the old certificate")
	}
	if _, err := Ensure(dir, []string{"localhost"}, now.AddDate(0, 2, 25)); err != nil {
		t.Fatal(err)
	}
	third, _ := os.ReadFile(f.Cert)
	if string(second) == string(third) {
		t.Fatal("the certificate was not renewed before it expires")
	}
	if info, _ := os.Stat(f.Key); info.Mode().Perm() != 0o600 {
		t.Fatalf("the key's mode is %v", info.Mode())
	}
}
