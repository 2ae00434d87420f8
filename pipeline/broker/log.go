package broker

import (
	"fmt"
	"log/slog"
)

// serverLog passes what the server logs on to slog: what it reports as an
// error as a warning, since none of it ends the process, the rest as debug.
type serverLog struct {
	log   *slog.Logger
	fatal chan string // takes the first fatal message; the server then stops
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log, make(chan string, 1)}
}

func (l *serverLog) debug(format string, v []any) {
	l.log.Debug("nats-server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Noticef(format string, v ...any) { l.debug(format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.debug(format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.debug(format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.debug(format, v) }

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Warn("nats-server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Warn("nats-server: " + text)
	select {
	case l.fatal <- text:
	default:
	}
}
