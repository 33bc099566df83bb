package oauth

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

func TestLibraryLogIsQuiet(t *testing.T) {
	var out bytes.Buffer
	log := quietLog(slog.New(slog.NewTextHandler(&out, nil)))
	refusal := oidc.ErrInvalidGrant().WithDescription("the code is used")
	refusal.State = "secret-state"
	log.InfoContext(context.Background(), "registered route")
	log.With("oidc_error", refusal).WithGroup("g").WarnContext(context.Background(), "auth request redirect", "url", "https://app.example/?code=secret-code")
	if got := out.String(); strings.Contains(got, "secret") || strings.Contains(got, "registered") || !strings.Contains(got, "invalid_grant") || !strings.Contains(got, "the code is used") {
		t.Errorf("log: %s", got)
	}
}

func TestSigningKeyIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signing.pem")
	made, err := openSigningKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openSigningKey(path)
	if err != nil || again.id != made.id || !again.key.Equal(made.key) {
		t.Errorf("the key changed: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSigningKey(path); err == nil {
		t.Error("a broken key file was replaced silently")
	}
}

func TestSealerRefusesTampering(t *testing.T) {
	s, err := newSealer()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Encrypt("token:user")
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := s.Decrypt(sealed); err != nil || opened != "token:user" {
		t.Fatalf("Decrypt = %q, %v", opened, err)
	}
	for i := range sealed {
		flipped := []byte(sealed)
		if flipped[i] == 'A' {
			flipped[i] = 'B'
		} else {
			flipped[i] = 'A'
		}
		// The last character holds unused bits: another spelling of the same bytes is the same token.
		if opened, err := s.Decrypt(string(flipped)); err == nil && i < len(sealed)-1 {
			t.Fatalf("a tampered token opened: %q", opened)
		}
	}
}
