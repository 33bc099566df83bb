package job_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/televisit/televisit/migrations/testdb"
	"github.com/televisit/televisit/scheduling/job"
)

const childURL = "TELEVISIT_JOB_TEST_CHILD"

func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		workUntilKilled(url)
	}
	testdb.Main(m)
}

// workUntilKilled is the other process of TestJobOfAKilledWorkerIsDoneByAnother.
func workUntilKilled(url string) {
	client, err := job.Open(context.Background(), job.Config{URL: url, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	client.Handle(job.Deliver, func(_ context.Context, _, id uuid.UUID, _ job.Attempt) error {
		fmt.Println("working", id)
		select {}
	})
	if err := client.Start(context.Background()); err != nil {
		fmt.Println("start:", err)
		os.Exit(1)
	}
	select {}
}

type fixture struct {
	*job.Client
	db   testdb.Database
	conn *pgx.Conn
}

func open(t *testing.T) *fixture {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	db := testdb.New(t)
	conn, err := pgx.Connect(t.Context(), db.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	client, err := job.Open(t.Context(), job.Config{URL: db.AppURL, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = client.Stop(ctx)
	})
	return &fixture{Client: client, db: db, conn: conn}
}

func (f *fixture) enqueue(t *testing.T, kind job.Kind, commit bool) (org, id uuid.UUID) {
	t.Helper()
	org, id = uuid.New(), uuid.New()
	tx, err := f.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Insert(t.Context(), tx, kind, org, id, time.Time{}); err != nil {
		t.Fatal(err)
	}
	end := tx.Rollback
	if commit {
		end = tx.Commit
	}
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	return org, id
}

func (f *fixture) start(t *testing.T) {
	t.Helper()
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// awaitState waits until the job of id is in the state and gives its last error.
func (f *fixture) awaitState(t *testing.T, id uuid.UUID, want string) (lastError string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var state string
		err := f.conn.QueryRow(t.Context(), `select state, coalesce(errors[array_upper(errors, 1)]->>'error', '') from river.river_job
			where args->>'id' = $1::text`, id.String()).Scan(&state, &lastError)
		if err != nil {
			t.Fatal(err)
		}
		if state == want {
			return lastError
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job stays %s, not %s", state, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestJobExistsExactlyWhenItsTransactionCommits(t *testing.T) {
	f := open(t)
	f.enqueue(t, job.Deliver, false)
	_, kept := f.enqueue(t, job.FinalizeRecording, true)
	var ids []string
	rows, err := f.conn.Query(t.Context(), "select args->>'id' from river.river_job")
	if err != nil {
		t.Fatal(err)
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 || ids[0] != kept.String() {
		t.Fatalf("the queue holds %v, want only %s", ids, kept)
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	f := open(t)
	tx, err := f.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	var unknown *job.UnknownKind
	if err := f.Insert(t.Context(), tx, "mystery", uuid.New(), uuid.New(), time.Time{}); !errors.As(err, &unknown) {
		t.Fatalf("got %v", err)
	}
	f.Handle("mystery", func(context.Context, uuid.UUID, uuid.UUID, job.Attempt) error { return nil })
	if err := f.Start(t.Context()); !errors.As(err, &unknown) {
		t.Fatalf("got %v", err)
	}
}

func TestEachKindReachesItsHandlerWithItsIDs(t *testing.T) {
	f := open(t)
	type call struct {
		kind    job.Kind
		org, id uuid.UUID
		attempt job.Attempt
	}
	calls := make(chan call, 4)
	for _, kind := range job.Kinds() {
		f.Handle(kind, func(_ context.Context, org, id uuid.UUID, attempt job.Attempt) error {
			calls <- call{kind, org, id, attempt}
			return nil
		})
	}
	f.start(t)
	for _, kind := range job.Kinds() {
		org, id := f.enqueue(t, kind, true)
		if got, want := <-calls, (call{kind, org, id, job.Attempt{Number: 1}}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		f.awaitState(t, id, "completed")
	}
}

func TestFailureIsTriedAgainLaterAndKeepsNoText(t *testing.T) {
	f := open(t)
	f.Handle(job.Deliver, func(context.Context, uuid.UUID, uuid.UUID, job.Attempt) error { return errors.New("Zebra Quokka") })
	f.start(t)
	_, id := f.enqueue(t, job.Deliver, true)
	if kept := f.awaitState(t, id, "retryable"); strings.Contains(kept, "Zebra") || kept == "" {
		t.Fatalf("the queue keeps %q", kept)
	}
	var wait float64
	if err := f.conn.QueryRow(t.Context(), "select extract(epoch from scheduled_at - attempted_at) from river.river_job").Scan(&wait); err != nil {
		t.Fatal(err)
	}
	if wait < 7 || wait > 13 {
		t.Fatalf("the second attempt is due %v s after the first", wait)
	}
}

func TestPanicIsAFailureAndKeepsNoValue(t *testing.T) {
	f := open(t)
	f.Handle(job.Deliver, func(context.Context, uuid.UUID, uuid.UUID, job.Attempt) error { panic("Zebra Quokka") })
	f.start(t)
	_, id := f.enqueue(t, job.Deliver, true)
	if kept := f.awaitState(t, id, "retryable"); kept != "panic of type string" {
		t.Fatalf("the queue keeps %q", kept)
	}
}

func TestGivenUpIsNotTriedAgain(t *testing.T) {
	f := open(t)
	f.Handle(job.Deliver, func(context.Context, uuid.UUID, uuid.UUID, job.Attempt) error {
		return job.GiveUp(errors.New("refused"))
	})
	f.start(t)
	_, id := f.enqueue(t, job.Deliver, true)
	f.awaitState(t, id, "cancelled")
}

func TestLastAttemptIsToldAndEndsTheJob(t *testing.T) {
	f := open(t)
	_, id := f.enqueue(t, job.Deliver, true)
	if _, err := f.conn.Exec(t.Context(), "update river.river_job set created_at = now() - interval '73 hours'"); err != nil {
		t.Fatal(err)
	}
	last := make(chan bool, 4)
	f.Handle(job.Deliver, func(_ context.Context, _, _ uuid.UUID, a job.Attempt) error {
		last <- a.Last
		return job.RetryAfter(time.Minute)
	})
	f.start(t)
	if !<-last {
		t.Fatal("the worker was not told that this is the last attempt")
	}
	f.awaitState(t, id, "cancelled")
}

func TestWaitingIsNotAFailedAttempt(t *testing.T) {
	f := open(t)
	numbers := make(chan int, 4)
	f.Handle(job.Deliver, func(_ context.Context, _, _ uuid.UUID, a job.Attempt) error {
		numbers <- a.Number
		if len(numbers) < 2 {
			return job.RetryAfter(time.Second)
		}
		return nil
	})
	f.start(t)
	_, id := f.enqueue(t, job.Deliver, true)
	f.awaitState(t, id, "completed")
	if first, second := <-numbers, <-numbers; first != 1 || second != 1 {
		t.Fatalf("attempts %d and %d", first, second)
	}
}

func TestTwoJobsOfOneSubjectAreNeverWorkedTogether(t *testing.T) {
	f := open(t)
	var at, most atomic.Int32
	done := make(chan struct{}, 4)
	f.Handle(job.Deliver, func(context.Context, uuid.UUID, uuid.UUID, job.Attempt) error {
		most.Store(max(most.Load(), at.Add(1)))
		time.Sleep(100 * time.Millisecond)
		at.Add(-1)
		done <- struct{}{}
		return nil
	})
	org, id := uuid.New(), uuid.New()
	for range 3 {
		err := pgx.BeginFunc(t.Context(), f.conn, func(tx pgx.Tx) error {
			return f.Insert(t.Context(), tx, job.Deliver, org, id, time.Time{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.start(t)
	for range 3 {
		<-done
	}
	if most.Load() != 1 {
		t.Fatalf("%d workers held one subject", most.Load())
	}
}

func TestStopWaitsForTheJobAtWork(t *testing.T) {
	f := open(t)
	began, finish := make(chan struct{}), make(chan struct{})
	var finished atomic.Bool
	f.Handle(job.Deliver, func(context.Context, uuid.UUID, uuid.UUID, job.Attempt) error {
		close(began)
		<-finish
		finished.Store(true)
		return nil
	})
	f.start(t)
	_, id := f.enqueue(t, job.Deliver, true)
	<-began
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(context.Background()) }()
	select {
	case <-stopped:
		t.Fatal("Stop returned while a job was at work")
	case <-time.After(200 * time.Millisecond):
	}
	close(finish)
	if err := <-stopped; err != nil || !finished.Load() {
		t.Fatalf("stopped with %v, finished %v", err, finished.Load())
	}
	f.awaitState(t, id, "completed")
}

func TestStopEndsTheContextOfAJobThatDoesNotFinish(t *testing.T) {
	f := open(t)
	began := make(chan struct{})
	f.Handle(job.Deliver, func(ctx context.Context, _, _ uuid.UUID, _ job.Attempt) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	})
	f.start(t)
	_, id := f.enqueue(t, job.Deliver, true)
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	f.awaitState(t, id, "retryable")
}

func TestJobOfAKilledWorkerIsDoneByAnother(t *testing.T) {
	f := open(t)
	_, id := f.enqueue(t, job.Deliver, true)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childURL+"="+f.db.AppURL)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = child.Process.Kill()
	_ = child.Wait()
	if err != nil || strings.TrimSpace(line) != "working "+id.String() {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	f.awaitState(t, id, "running")
	attempts := make(chan int, 1)
	f.Handle(job.Deliver, func(_ context.Context, _, _ uuid.UUID, a job.Attempt) error {
		attempts <- a.Number
		return nil
	})
	f.start(t)
	if n := <-attempts; n != 2 {
		t.Fatalf("attempt %d", n)
	}
	f.awaitState(t, id, "completed")
}

func TestMigrateIsSafeToRepeat(t *testing.T) {
	f := open(t)
	for range 2 {
		if err := job.Migrate(t.Context(), f.db.OwnerURL); err != nil {
			t.Fatal(err)
		}
	}
}
