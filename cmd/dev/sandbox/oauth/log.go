package oauth

import (
	"context"
	"log/slog"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// quiet is the log handler given to the library. The library would log redirect URLs with
// their query, and state; only the kind of a refusal and its safe text are let through.
type quiet struct{ next slog.Handler }

func quietLog(log *slog.Logger) *slog.Logger { return slog.New(quiet{next: log.Handler()}) }

// Enabled drops the library's notes of ordinary work.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.next.Enabled(ctx, level)
}

// Handle passes on the message and what is known to be safe.
func (q quiet) Handle(ctx context.Context, record slog.Record) error {
	out := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	record.Attrs(func(attr slog.Attr) bool {
		out.AddAttrs(safe(attr)...)
		return true
	})
	return q.next.Handle(ctx, out)
}

// WithAttrs keeps what is safe.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	var kept []slog.Attr
	for _, attr := range attrs {
		kept = append(kept, safe(attr)...)
	}
	return quiet{next: q.next.WithAttrs(kept)}
}

// WithGroup groups nothing: there is nothing left to group.
func (q quiet) WithGroup(string) slog.Handler { return q }

func safe(attr slog.Attr) []slog.Attr {
	refusal, ok := attr.Value.Any().(*oidc.Error)
	if !ok {
		return nil
	}
	return []slog.Attr{slog.String("oauth_error", string(refusal.ErrorType)), slog.String("description", refusal.Description)}
}
