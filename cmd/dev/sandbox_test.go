package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox"
)

// certificate writes a self-signed certificate for localhost.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return certFile, keyFile, roots
}

func TestSandboxCommand(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, roots := certificate(t, dir)
	input, err := json.Marshal(map[string]any{"listen": "127.0.0.1:0", "data": filepath.Join(dir, "data"), "tls_cert": certFile, "tls_key": keyFile, "ca_file": certFile,
		"now": "2026-03-02T15:00:00Z", "clients": []any{}, "staff_clients": []any{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- runSandbox(ctx, strings.NewReader(string(input)), writer, slog.New(slog.DiscardHandler))
		_ = writer.Close()
	}()
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no ready line: %v, %v", err, <-done)
	}
	var ready sandbox.Ready
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(ready.Origin, "https://localhost:") || ready.FHIRBase != ready.Origin+"/fhir" || ready.SMARTIssuer != ready.Origin+"/auth" ||
		ready.StaffIssuer != ready.Origin+"/staff" || ready.ChartURL != ready.Origin+"/" || ready.AdminToken == "" || ready.Patients < 36 || len(ready.Users) != 6 {
		t.Errorf("ready: %+v", ready)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(ready.FHIRBase + "/metadata")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var statement struct {
		Date string `json:"date"`
	}
	if err := json.NewDecoder(response.Body).Decode(&statement); err != nil || statement.Date != "2026-03-02" {
		t.Errorf("the clock was not set: %v %v", statement, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestSandboxCommandRefusals(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, _ := certificate(t, dir)
	good := map[string]any{"listen": "127.0.0.1:0", "data": filepath.Join(dir, "data"), "tls_cert": certFile, "tls_key": keyFile}
	client := map[string]any{"client_id": "c", "jwks_uri": "https://a.example/k", "launch_url": "https://a.example/l", "redirect_uris": []string{"https://a.example/c"}}
	tests := []struct {
		name   string
		bend   func(map[string]any)
		config bool
	}{
		{"unknown member", func(c map[string]any) { c["lsten"] = "x" }, false},
		{"no certificate", func(c map[string]any) { c["tls_cert"] = filepath.Join(dir, "nothing") }, false},
		{"bad listen", func(c map[string]any) { c["listen"] = "nowhere" }, false},
		{"http origin", func(c map[string]any) { c["origin"] = "http://localhost:1" }, true},
		{"origin with a path", func(c map[string]any) { c["origin"] = "https://localhost:1/" }, true},
		{"no data", func(c map[string]any) { c["data"] = "" }, true},
		{"bad now", func(c map[string]any) { c["now"] = "yesterday" }, true},
		{"ca_file without a certificate", func(c map[string]any) { c["ca_file"] = keyFile }, true},
		{"http client", func(c map[string]any) { client["jwks_uri"] = "http://a.example/k"; c["clients"] = []any{client} }, true},
		{"client without id", func(c map[string]any) {
			client["jwks_uri"], client["client_id"] = "https://a.example/k", ""
			c["clients"] = []any{client}
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bent := map[string]any{}
			for name, value := range good {
				bent[name] = value
			}
			test.bend(bent)
			input, err := json.Marshal(bent)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			stop()
			err = runSandbox(ctx, strings.NewReader(string(input)), io.Discard, slog.New(slog.DiscardHandler))
			if err == nil || errors.Is(err, sandbox.ErrConfig) != test.config {
				t.Errorf("err = %v", err)
			}
		})
	}
	if err := runSandbox(context.Background(), strings.NewReader("{"), io.Discard, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("half an object was taken")
	}
}
