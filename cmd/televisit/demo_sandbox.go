package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// sandboxChild is the sandbox EHR: another program, on its own origin.
type sandboxChild struct {
	cmd   *exec.Cmd
	ready sandboxReady
	done  chan error
}

// sandboxReady is the line that the sandbox prints once it serves.
type sandboxReady struct {
	Origin       string        `json:"origin"`
	FHIRBase     string        `json:"fhir_base"`
	SMARTIssuer  string        `json:"smart_issuer"`
	StaffIssuer  string        `json:"staff_issuer"`
	ChartURL     string        `json:"chart_url"`
	AdminToken   string        `json:"admin_token"`
	Users        []sandboxUser `json:"users"`
	PatientCount int           `json:"patients"`
}

type sandboxUser struct {
	Username     string   `json:"username"`
	Password     string   `json:"password"`
	Name         string   `json:"name"`
	Roles        []string `json:"roles"`
	Practitioner string   `json:"practitioner"`
	Subject      string   `json:"sub"`
}

const (
	demoClientID  = "televisit"
	demoStaffID   = "televisit-staff"
	demoEHR       = "sandbox"
	demoSSO       = "staff"
	demoEHRScopes = "launch openid fhirUser online_access user/Patient.rs user/Practitioner.rs user/Appointment.rs " +
		"user/Condition.rs user/MedicationRequest.rs user/AllergyIntolerance.rs user/Encounter.crus user/DocumentReference.crs"
	demoSystemScopes = "system/Patient.rs system/Practitioner.rs system/Condition.rs system/MedicationRequest.rs system/AllergyIntolerance.rs system/Appointment.cruds system/Encounter.cruds system/DocumentReference.cruds"
)

func (d *demo) startSandbox(ctx context.Context) error {
	program, err := d.sandboxProgram()
	if err != nil {
		return err
	}
	booking, err := d.bookingKey()
	if err != nil {
		return err
	}
	origin := d.origin()
	listen := fmt.Sprintf("127.0.0.1:%d", d.state.SandboxPort)
	request := map[string]any{
		"listen": listen, "origin": fmt.Sprintf("https://localhost:%d", d.state.SandboxPort), "data": filepath.Join(d.dir, "sandbox"),
		"tls_cert": d.tls.Cert, "tls_key": d.tls.Key, "ca_file": d.tls.CA,
		"clients": []map[string]any{{
			"client_id": demoClientID, "name": "Televisit", "jwks_uri": origin + "/.well-known/jwks.json", "launch_url": origin + "/launch",
			"redirect_uris": []string{origin + "/launch/callback"}, "scopes": demoEHRScopes + " " + demoSystemScopes,
			"introspects": true, // our FHIR API takes the booking system's tokens
		}, {
			"client_id": demoBookingID, "name": "Booking system", "jwks": map[string]any{"keys": []json.RawMessage{booking}}, "scopes": demoBookingScopes,
		}},
		"staff_clients": []map[string]any{{
			"client_id": demoStaffID, "jwks_uri": origin + "/.well-known/jwks.json", "redirect_uris": []string{origin + "/sso/callback"},
			"post_logout_redirect_uris": []string{origin + "/"},
		}},
	}
	input, err := json.Marshal(request)
	if err != nil {
		return err
	}
	child, err := startChild(ctx, program, input, filepath.Join(d.dir, "logs", "sandbox.log"))
	if err != nil {
		return err
	}
	d.sandbox = child
	d.stops = append(d.stops, child.stop)
	return nil
}

// sandboxProgram finds the sandbox beside this program.
func (d *demo) sandboxProgram() (string, error) {
	if d.cmd.Sandbox != "" {
		return d.cmd.Sandbox, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "televisit-dev")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the sandbox's program televisit-dev is not beside %s: run make build, or name it with --sandbox", filepath.Base(self))
	}
	return path, nil
}

func startChild(ctx context.Context, program string, input []byte, logPath string) (*sandboxChild, error) {
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the sandbox's log: %w", err)
	}
	cmd := exec.Command(program, "sandbox")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c := &sandboxChild{cmd: cmd, done: make(chan error, 2)}
	started := make(chan error)
	lines := make(chan []byte, 1)
	go func() {
		// The parent-death signal follows the thread that forked.
		runtime.LockOSThread()
		defer logFile.Close()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		reader := bufio.NewScanner(out)
		reader.Buffer(nil, 1<<20)
		if reader.Scan() {
			lines <- bytes.Clone(reader.Bytes())
		}
		for reader.Scan() {
		}
		c.done <- cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	return c, c.awaitReady(ctx, lines, logPath)
}

func (c *sandboxChild) awaitReady(ctx context.Context, lines <-chan []byte, logPath string) error {
	select {
	case line := <-lines:
		if err := json.Unmarshal(line, &c.ready); err != nil {
			c.stop()
			return fmt.Errorf("the sandbox's first line is not its description: %w", err)
		}
		return nil
	case err := <-c.done:
		c.done <- err
		return fmt.Errorf("it ended at start (%v); see %s", err, logPath)
	case <-time.After(60 * time.Second):
		c.stop()
		return fmt.Errorf("it did not get ready; see %s", logPath)
	case <-ctx.Done():
		c.stop()
		return ctx.Err()
	}
}

func (c *sandboxChild) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(10 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}
