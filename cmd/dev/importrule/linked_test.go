package importrule

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNoDTLSv2ConnectionIsLinked looks at the server as it is built. dtls/v2 (CVE-2026-26014, never fixed in v2) is in
// it by name, through a client of the STUN library that nothing here uses. Templates call methods by reflection, so the
// linker keeps the codecs of its messages and its ciphers; but what would run them, the connection with its dialling,
// listening and handshake, lies in the root package, of which only the initialisation of tables may be left.
func TestNoDTLSv2ConnectionIsLinked(t *testing.T) {
	lookAtTree(t)
	binary := filepath.Join(t.TempDir(), "televisit")
	build := exec.Command("go", "build", "-o", binary, "./cmd/televisit")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	table, err := exec.Command("go", "tool", "nm", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(table), " T github.com/pion/dtls/v3.(*Conn).Read") || !strings.Contains(string(table), "github.com/pion/turn/v3") {
		t.Fatal("the binary has no symbols of media's DTLS or of the TURN server: the test proves nothing")
	}
	top := regexp.MustCompile(`(?m) [Tt] github\.com/pion/dtls/v2\.(\S+)$`)
	for _, symbol := range top.FindAllStringSubmatch(string(table), -1) {
		if !slices.Contains([]string{"init", "allCipherSuites"}, symbol[1]) {
			t.Errorf("linked: dtls/v2.%s", symbol[1])
		}
	}
}
