// Package importrule holds the test that keeps the house in order: who may import whom, and which room owns which
// library.
package importrule

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/televisit/televisit/"

// layers from the ground up: a package imports only packages of lower layers. The longest prefix decides.
// A room's own sub-packages in one layer stand in the order of their number after the dot.
func layers() map[string]float64 {
	return map[string]float64{
		"identity/phi": 0,
		"migrations":   0, "migrations/pgchild": 0, "scheduling/job": 1, "migrations/testdb": 1.5,
		"scheduling/visit": 1, "media/packet": 1, "audit": 1,
		"identity/keys": 2, "media/blob": 2, "fhir": 2, "identity": 2.1, "identity/sso": 2.2, "identity/join": 2.2,
		"scheduling": 3, "media": 3, "media/turn": 3, "media/recorder": 3, "fhir/ehr": 3, "fhir/note": 3.1,
		"fhir/deliver": 4, "api": 4.1, "api/fhirapi": 4.2, "api/rtc": 4.2, "api/web": 4.3,
		"cmd": 5,
	}
}

// owners says in which rooms (prefixes) a library may be imported.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/pion/turn":                             {"media/turn"},
		"github.com/pion/":                                 {"media", "cmd/dev/mediabench"},
		"github.com/gin-gonic/gin":                         {"api"},
		"github.com/samply/":                               {"fhir", "api/fhirapi"},
		"github.com/aws/":                                  {"media/blob", "identity/keys"},
		"github.com/coreos/go-oidc":                        {"identity/sso"},
		"github.com/riverqueue/":                           {"scheduling/job"},
		"github.com/zitadel/":                              {"cmd/dev/sandbox"},
		"github.com/tink-crypto/":                          {"identity/keys"},
		"github.com/evanw/esbuild":                         {"api/web"},
		"github.com/at-wat/ebml-go":                        {"media/recorder"},
		"github.com/coder/websocket":                       {"api/rtc"},
		"github.com/alecthomas/kong":                       {"cmd"},
		"github.com/jackc/tern":                            {"migrations"},
		"golang.org/x/mod":                                 {"audit", "cmd/televisit"},
		"github.com/prometheus/":                           {"api"},
		"github.com/televisit/televisit/cmd/dev":           {"cmd/dev"},
		"github.com/jackc/pgx/v5/pgxpool":                  {"audit", "scheduling/job"},
		"github.com/televisit/televisit/api/web":           {"cmd"},
		"github.com/televisit/televisit/migrations/testdb": {},
	}
}

type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImportsGoDownwards(t *testing.T) {
	for _, p := range packages(t) {
		from, ok := layerOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no layer: name it in layers()", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			if to, ok := layerOf(imported); ok && to >= from && !(from >= 5 && to >= 5) {
				t.Errorf("%s (layer %g) imports %s (layer %g)", short(p.ImportPath), from, short(imported), to)
			}
		}
	}
}

func TestEachLibraryHasItsRoom(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			rooms, library := ownerOf(imported)
			if library != "" && !within(short(p.ImportPath), rooms) && !strings.HasPrefix(p.ImportPath, strings.TrimSuffix(library, "/")) {
				t.Errorf("%s imports %s, which belongs to %v", short(p.ImportPath), imported, rooms)
			}
		}
	}
}

func TestSchedulingNeverKnowsTheOutside(t *testing.T) {
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		for _, imported := range p.Imports {
			to := short(imported)
			if name == "scheduling" && (within(to, []string{"fhir", "media", "api"})) {
				t.Errorf("%s imports %s", name, to)
			}
			if name == "media" && (within(to, []string{"scheduling", "audit", "identity", "api"}) || imported == "net/http" || strings.Contains(imported, "pgx")) {
				t.Errorf("%s imports %s", name, imported)
			}
		}
	}
}

const root = "../../.."

// lookAtTree opens every folder of the module: go test answers from its cache unless something that the test itself
// opened has changed, and it does not see what the commands read that the test runs.
func lookAtTree(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if name := entry.Name(); err == nil && entry.IsDir() && path != root && (name == "node_modules" || name == "tmp" || name == "bin" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func packages(t *testing.T) []pkg {
	t.Helper()
	lookAtTree(t)
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func layerOf(path string) (float64, bool) {
	name, best, layer := short(path), -1, 0.0
	for prefix, l := range layers() {
		if (name == prefix || strings.HasPrefix(name, prefix+"/")) && len(prefix) > best {
			best, layer = len(prefix), l
		}
	}
	return layer, best >= 0
}

// ownerOf finds the most specific library that path belongs to.
func ownerOf(path string) (rooms []string, library string) {
	for prefix, r := range owners() {
		if (strings.HasPrefix(path, prefix)) && len(prefix) > len(library) {
			rooms, library = r, prefix
		}
	}
	return rooms, library
}

func within(name string, rooms []string) bool {
	for _, r := range rooms {
		if name == r || strings.HasPrefix(name, r+"/") {
			return true
		}
	}
	return false
}

func short(path string) string { return strings.TrimPrefix(path, module) }
