package validate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/tools/txtar"
)

// Resource is one resource to be checked.
type Resource struct {
	Name string `json:"name"`
	Body string `json:"body"`
}

// Issue is one finding of the validator.
type Issue struct {
	Severity string `json:"severity"` // fatal, error, warning, information
	Location string `json:"location"` // FHIRPath
	Message  string `json:"message"`
}

// Result is what was found in one resource.
type Result struct {
	Name   string  `json:"name"`
	Issues []Issue `json:"issues"`
}

// Errors are the findings that make the resource invalid.
func (r Result) Errors() []Issue {
	var out []Issue
	for _, i := range r.Issues {
		if i.Severity == "error" || i.Severity == "fatal" {
			out = append(out, i)
		}
	}
	return out
}

// Report is the result of a run, in the order of the resources.
type Report []Result

// Valid tells whether no resource has an error.
func (r Report) Valid() bool {
	for _, result := range r {
		if len(result.Errors()) > 0 {
			return false
		}
	}
	return true
}

// Run checks all resources in one Java process. It fails when the validator cannot be built or does not answer for
// each of them.
func Run(ctx context.Context, resources ...Resource) (Report, error) {
	cache, err := Cache()
	if err != nil {
		return nil, err
	}
	dir, err := build(ctx, cache)
	if err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("the FHIR validator needs Java 17")
	}
	var in, out, log bytes.Buffer
	for _, r := range resources {
		line, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		in.Write(append(line, '\n'))
	}
	target := filepath.Join(dir, "java", "target")
	classpath := filepath.Join(target, "validate.jar") + string(os.PathListSeparator) + filepath.Join(target, "lib", "*")
	cmd := exec.CommandContext(ctx, java, "-Xmx1g", "-XX:TieredStopAtLevel=1", "-cp", classpath, "televisit.validate.Main", filepath.Join(dir, "profiles"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the FHIR validator failed: %w\n%s", err, log.String())
	}
	return read(&out, resources)
}

func read(out io.Reader, resources []Resource) (Report, error) {
	var report Report
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("the FHIR validator's answer cannot be read: %w", err)
		}
		report = append(report, r)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(report) != len(resources) {
		return nil, fmt.Errorf("the FHIR validator answered for %d of %d resources", len(report), len(resources))
	}
	return report, nil
}

// Load reads resources from files: a .json file is one, a .txtar archive gives its want.json.
func Load(paths ...string) ([]Resource, error) {
	var out []Resource
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".txtar") {
			for _, f := range txtar.Parse(content).Files {
				if f.Name == "want.json" {
					out = append(out, Resource{Name: path, Body: string(f.Data)})
				}
			}
			continue
		}
		out = append(out, Resource{Name: path, Body: string(content)})
	}
	if len(out) == 0 {
		return nil, errors.New("there is no resource to check")
	}
	return out, nil
}

// Main is the command: it checks the named files, prints every finding, and gives the exit code (0 valid, 1 invalid, 2 failed).
func Main(ctx context.Context, paths []string, out io.Writer) int {
	resources, err := Load(paths...)
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	report, err := Run(ctx, resources...)
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	for _, r := range report {
		for _, i := range r.Issues {
			fmt.Fprintf(out, "%s: %s: %s: %s\n", r.Name, i.Severity, i.Location, i.Message)
		}
	}
	fmt.Fprintf(out, "%d resources checked\n", len(report))
	if !report.Valid() {
		return 1
	}
	return 0
}
