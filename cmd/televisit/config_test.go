package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodConfig = `
origin: https://visits.example.org
listen: 0.0.0.0:8443
tls: {cert: /c.pem, key: /k.pem}
database_url: postgres://televisit_app@db/televisit
data: /var/lib/televisit
keys: {file: /var/lib/televisit/kek}
store: {dir: /var/lib/televisit/store}
media: {udp: "0.0.0.0:7881"}
organisations:
  - id: 5f0c1a52-8f5e-4f0c-9d1b-6d3a5b0c7e11
    name: Clinic
    time_zone: America/Chicago
    ehrs: [{name: main, iss: https://ehr.example.org/fhir, client_id: televisit}]
    sso: [{name: staff, issuer: https://idp.example.org, client_id: televisit}]
`

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "televisit.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path)
}

func TestGoodConfigurationLoadsWithItsDefaults(t *testing.T) {
	c, err := load(t, goodConfig)
	if err != nil {
		t.Fatal(err)
	}
	if c.Media.Grace.Seconds() != 30 || c.Media.Mute.Seconds() != 3 || c.Session.Idle.Minutes() != 15 || c.Session.SignWithin.Hours() != 12 || c.LogLevel != "info" {
		t.Fatalf("defaults: %+v %+v", c.Media, c.Session)
	}
}

func TestBadConfigurationIsNamed(t *testing.T) {
	tests := []struct{ name, replace, with, says string }{
		{"unknown key", "listen:", "lisen:", "lisen"},
		{"plain http", "https://visits", "http://visits", "origin must be an https origin"},
		{"origin with a path", "example.org\nlisten", "example.org/x\nlisten", "origin must be an https origin"},
		{"no TLS", "tls: {cert: /c.pem, key: /k.pem}", "tls: {}", "speaks only TLS"},
		{"two key stores", "keys: {file: /var/lib/televisit/kek}", "keys: {file: /k, kms_key: arn}", "exactly one of file and kms_key"},
		{"no store", "store: {dir: /var/lib/televisit/store}", "store: {}", "exactly one of dir and s3"},
		{"a zone that does not exist", "America/Chicago", "America/Gotham", `"America/Gotham" does not exist`},
		{"an EHR over plain http", "iss: https://", "iss: http://", "https iss"},
		{"no organisation", goodConfig[strings.Index(goodConfig, "organisations:"):], "organisations: []\n", "organisations is empty"},
		{"a proof that is too short", "media:", "session: {sign_within: 5m}\nmedia:", "session.sign_within must be at least 10m"},
		{"not YAML", "origin:", "\t:", "configuration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(goodConfig, tt.replace, tt.with, 1)
			if text == goodConfig {
				t.Fatal("the test replaces nothing")
			}
			if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %q", err, tt.says)
			}
		})
	}
}

func TestDatabaseURLComesFromTheEnvironment(t *testing.T) {
	t.Setenv("TELEVISIT_DATABASE_URL", "postgres://elsewhere/db")
	c, err := load(t, goodConfig)
	if err != nil || c.DatabaseURL != "postgres://elsewhere/db" {
		t.Fatalf("%q %v", c.DatabaseURL, err)
	}
}
