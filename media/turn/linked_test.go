package turn_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The library names dtls/v2 2.2.7, for which CVE-2026-26014 has no fix, in its go.sum, for a client that nothing here uses. Scanners see the name;
// this shows that none of its protocol is in a binary that serves and tests TURN: what is left is the initialisation of its tables.
func TestNoDTLSv2ProtocolIsLinked(t *testing.T) {
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "server")
	const program = `package main

import (
	"context"

	"github.com/televisit/televisit/media/turn"
)

func main() {
	s, err := turn.New(turn.Config{})
	if err != nil {
		panic(err)
	}
	if err := s.SelfTest(context.Background()); err != nil {
		panic(err)
	}
	s.Close()
}
`
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(symbols), "github.com/pion/turn/v3") {
		t.Fatal("the binary has no symbols of the TURN library: the test proves nothing")
	}
	protocol := regexp.MustCompile(`(?m)^.* T github\.com/pion/dtls/v2(\.\(\*|\.[A-Z]|.*\.(Encrypt|Decrypt|Marshal|Unmarshal|Init)$).*$`)
	for _, symbol := range protocol.FindAllString(string(symbols), -1) {
		t.Errorf("linked: %s", symbol)
	}
}
