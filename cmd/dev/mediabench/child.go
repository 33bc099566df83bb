package mediabench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
)

// RunChild is one part of a benchmark: it reads its job from the first line
// of stdin, tells events on stdout, and ends when stdin closes.
func RunChild(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	lines := bufio.NewReader(stdin)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var work job
	if err := json.Unmarshal(first, &work); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, lines)
	}()
	tell := func(e event) { _ = json.NewEncoder(stdout).Encode(e) }
	if work.Profile != "" {
		stop, err := profile(work.Profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	switch work.Role {
	case serverSFU:
		err = runSFU(ctx, tell)
	case serverRelay:
		err = runRelay(ctx, tell)
	case roleLoad:
		err = runLoad(ctx, work, tell)
	default:
		err = fmt.Errorf("unknown part %q", work.Role)
	}
	if err != nil {
		tell(event{Error: err.Error()})
	}
	return err
}

// profile writes a CPU profile, and the heap's beside it at the end.
func profile(path string) (func(), error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
		if heap, err := os.Create(path + ".heap"); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(heap, 0)
			_ = heap.Close()
		}
	}, nil
}
