package reqlog

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Entry is one answered request. Path is a template: identifiers are replaced by {id}.
type Entry struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	Client string    `json:"client,omitempty"`
	Grant  string    `json:"grant,omitempty"`
	Fault  string    `json:"fault,omitempty"`
}

// Log keeps the newest entries, up to its capacity.
type Log struct {
	mu      sync.Mutex
	now     func() time.Time
	entries []Entry
	keep    int
}

// New makes a log of at most keep entries.
func New(now func() time.Time, keep int) *Log { return &Log{now: now, keep: keep} }

// Entries returns the kept entries, oldest first.
func (l *Log) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry{}, l.entries...)
}

func (l *Log) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) >= l.keep {
		l.entries = append(l.entries[:0], l.entries[1:]...)
	}
	l.entries = append(l.entries, e)
}

type contextKey struct{}

// Note lets a handler add what only it knows to the entry of its request.
func Note(ctx context.Context, add func(*Entry)) {
	if e, ok := ctx.Value(contextKey{}).(*Entry); ok {
		add(e)
	}
}

// Middleware records every request that next answers; template turns a request into its path template.
func (l *Log) Middleware(template func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := &Entry{At: l.now().UTC(), Method: r.Method, Path: template(r)}
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		// An aborted answer (a fault that commits and then cuts the connection) panics through; it is recorded too.
		defer func() {
			entry.Status = recorder.status
			l.add(*entry)
		}()
		next.ServeHTTP(recorder, r.WithContext(context.WithValue(r.Context(), contextKey{}, entry)))
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
