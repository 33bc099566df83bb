package turn_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// uclient runs coturn's test client, which shares no code with the server here.
func uclient(t *testing.T, f *fixture, transport, peerPort string, more ...string) (string, error) {
	t.Helper()
	args := []string{"-n", "10", "-c", "-l", "170", "-z", "20", "-e", "127.0.0.1", "-r", peerPort, "-p", strconv.Itoa(int(f.addr(transport).Port()))}
	switch transport {
	case "tcp":
		args = append(args, "-t")
	case "tls":
		args = append(args, "-t", "-S")
	}
	args = append(append(args, more...), "127.0.0.1")
	cmd := exec.Command("turnutils_uclient", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("turnutils_uclient: %v; install it with: apt-get install coturn", err)
	}
	// It tries for ever when it is refused.
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	return out.String(), err
}

func relayedAll(output string) bool {
	lost := regexp.MustCompile(`Total lost packets ([0-9]+)`).FindStringSubmatch(output)
	received := regexp.MustCompile(`tot_recv_msgs=([0-9]+)`).FindAllStringSubmatch(output, -1)
	return lost != nil && lost[1] == "0" && len(received) > 0 && received[len(received)-1][1] != "0"
}

func TestCoturnClient(t *testing.T) {
	f := setUp(t, nil)
	echo, received := startEcho(t)
	f.peers.add(echo)
	port := strconv.Itoa(int(echo.Port()))
	eachTransport(t, func(t *testing.T, transport string) {
		username, password := f.Credentials(uuid.New(), time.Minute)
		before := received.Load()
		output, err := uclient(t, f, transport, port, "-u", username, "-w", password)
		if err != nil || !relayedAll(output) {
			t.Errorf("%v\n%s", err, output)
		}
		if n := received.Load() - before; n < 10 {
			t.Errorf("the peer received %d datagrams", n)
		}
	})
}

func TestCoturnClientIsRefused(t *testing.T) {
	f := setUp(t, nil)
	echo, received := startEcho(t)
	port := strconv.Itoa(int(echo.Port()))
	username, password := f.Credentials(uuid.New(), time.Minute)
	expired, expiredPassword := f.Credentials(uuid.New(), -time.Second)
	eachTransport(t, func(t *testing.T, transport string) {
		output, err := uclient(t, f, transport, port, "-u", username, "-w", password)
		if err == nil && relayedAll(output) {
			t.Errorf("relayed to a foreign peer:\n%s", output)
		}
		output, err = uclient(t, f, transport, port, "-u", expired, "-w", expiredPassword)
		if err == nil && !strings.Contains(strings.ToLower(output), "error") {
			t.Errorf("an expired credential passed:\n%s", output)
		}
	})
	if s := f.Stats(); received.Load() != 0 || s.RefusedPeer == 0 || s.RefusedCredential == 0 || s.AllocationsCreated == 0 {
		t.Errorf("the peer received %d datagrams, %+v", received.Load(), s)
	}
}
