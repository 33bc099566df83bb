package media

import (
	"log/slog"

	"github.com/pion/logging"
)

// pionLoggers keeps pion's messages out of the log: they contain addresses
// and SDP. Only that a part of pion complained, and how badly, is passed on.
type pionLoggers struct{ log *slog.Logger }

func (f pionLoggers) NewLogger(scope string) logging.LeveledLogger {
	return pionLogger{f.log, scope}
}

type pionLogger struct {
	log   *slog.Logger
	scope string
}

func (pionLogger) Trace(string)          {}
func (pionLogger) Tracef(string, ...any) {}
func (pionLogger) Debug(string)          {}
func (pionLogger) Debugf(string, ...any) {}
func (pionLogger) Info(string)           {}
func (pionLogger) Infof(string, ...any)  {}
func (pionLogger) Warn(string)           {}
func (pionLogger) Warnf(string, ...any)  {}

func (l pionLogger) Error(string)          { l.log.Debug("media: pion reports an error", "part", l.scope) }
func (l pionLogger) Errorf(string, ...any) { l.Error("") }
