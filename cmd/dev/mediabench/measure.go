package mediabench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serverSFU   = "sfu"
	serverRelay = "relay"
	roleLoad    = "load"
)

// job is what a child reads from its standard input, as one line.
type job struct {
	Role    string        `json:"role"`
	Server  string        `json:"server,omitempty"`
	Address string        `json:"address,omitempty"`
	Visits  int           `json:"visits,omitempty"`
	Idle    bool          `json:"idle,omitempty"`
	Warmup  time.Duration `json:"warmup,omitempty"`
	Window  time.Duration `json:"window,omitempty"`
	Profile string        `json:"profile,omitempty"`
}

// event is what a child says, one line each.
type event struct {
	Name     string  `json:"event"`
	Address  string  `json:"address,omitempty"`
	Packets  uint64  `json:"packets,omitempty"`
	Sent     uint64  `json:"sent,omitempty"`
	P50      float64 `json:"p50,omitempty"`
	P99      float64 `json:"p99,omitempty"`
	SetupP50 float64 `json:"setup_p50,omitempty"`
	Error    string  `json:"error,omitempty"`
}

const (
	eventReady = "ready" // server: listening
	eventStart = "start" // load: the window begins
	eventEnd   = "end"   // load: the window is over
)

// measure runs one server under one load.
func (o Options) measure(ctx context.Context, server string, visits int, idle bool, profile string) (figures, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	srv, err := o.start(ctx, o.ServerCore, job{Role: server, Profile: profile}, append([]string{"GOMAXPROCS=1"}, o.ServerEnv...))
	if err != nil {
		return figures{}, err
	}
	defer srv.stop()
	ready, err := srv.next(eventReady)
	if err != nil {
		return figures{}, err
	}
	f := figures{participants: 2 * visits}
	if f.rssIdle, err = residentKB(srv.pid()); err != nil {
		return f, err
	}
	load, err := o.start(ctx, o.LoadCore, job{
		Role: roleLoad, Server: server, Address: ready.Address, Visits: visits, Idle: idle, Warmup: o.Warmup, Window: o.Window,
	}, []string{"GOMAXPROCS=1", "GOGC=400"})
	if err != nil {
		return f, err
	}
	defer load.stop()
	if _, err = load.next(eventStart); err != nil {
		return f, err
	}
	before, waited, began := cpuTime(srv.pid()), waitTime(srv.pid()), time.Now()
	end, err := load.next(eventEnd)
	if err != nil {
		return f, err
	}
	f.cpu, f.waited, f.window = cpuTime(srv.pid())-before, waitTime(srv.pid())-waited, time.Since(began)
	f.packets, f.sent, f.p50, f.p99, f.setup = end.Packets, end.Sent, end.P50, end.P99, end.SetupP50
	f.rss, err = residentKB(srv.pid())
	return f, err
}

// child is one running part.
type child struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	lines   *bufio.Scanner
}

// start runs a child on one core: it inherits the affinity of this thread.
func (o Options) start(ctx context.Context, core int, work job, environment []string) (*child, error) {
	command := exec.CommandContext(ctx, o.Executable, o.ChildArgs...)
	command.Env = append(os.Environ(), environment...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startPinned(command, core); err != nil {
		return nil, err
	}
	c := &child{command, stdin, bufio.NewScanner(stdout)}
	if err := json.NewEncoder(stdin).Encode(work); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func startPinned(command *exec.Cmd, core int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("core %d: %w", core, err)
	}
	err := command.Start()
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

func (c *child) pid() int { return c.command.Process.Pid }

func (c *child) next(name string) (event, error) {
	if !c.lines.Scan() {
		return event{}, errors.New("a part of the benchmark ended early")
	}
	var e event
	if err := json.Unmarshal(c.lines.Bytes(), &e); err != nil {
		return event{}, fmt.Errorf("a part of the benchmark said %q", c.lines.Text())
	}
	if e.Error != "" {
		return event{}, errors.New(e.Error)
	}
	if e.Name != name {
		return event{}, fmt.Errorf("a part of the benchmark said %s, not %s", e.Name, name)
	}
	return e, nil
}

// stop closes the child's input, on which it ends, and waits.
func (c *child) stop() {
	_ = c.stdin.Close()
	_ = c.command.Wait()
}

// cpuTime is user and system time of a process, from /proc/PID/stat.
func cpuTime(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	text := string(raw)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	const clockTick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	return time.Duration(user+system) * clockTick
}

// waitTime is how long the threads of a process were ready but had no core:
// foreign load on a machine that is not the benchmark's alone.
func waitTime(pid int) time.Duration {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, task := range tasks {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if err != nil {
			continue
		}
		if fields := strings.Fields(string(raw)); len(fields) == 3 {
			nanos, _ := strconv.ParseInt(fields[1], 10, 64)
			sum += time.Duration(nanos)
		}
	}
	return sum
}

func residentKB(pid int) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, errors.New("no VmRSS")
}
