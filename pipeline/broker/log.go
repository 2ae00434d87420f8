package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"syscall"
)

// serverLog passes what the server logs on to slog: what it reports as an
// error as a warning, since none of it ends the process, the rest as debug.
type serverLog struct {
	log   *slog.Logger
	fatal chan string // takes the first fatal message; the server then stops
	store chan error  // takes the first stream that cannot be written
}

func newServerLog(log *slog.Logger, store chan error) *serverLog {
	return &serverLog{log, make(chan string, 1), store}
}

// unwritable tells of what the server says, by the format of its line: what
// clients say of themselves, it quotes in others. It is said once, of a stream that it could not
// write, and takes nothing for from then on. It has no other way to tell it.
func unwritable(format string) bool {
	return strings.HasPrefix(format, "JetStream ") && strings.Contains(format, "critical write error")
}

// causeOf makes an error of a text that ends with the system's.
func causeOf(text string) error {
	for _, cause := range []syscall.Errno{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.EACCES,
	} {
		if strings.Contains(text, cause.Error()) {
			return &storeError{text, cause}
		}
	}
	return &storeError{text: text}
}

func (l *serverLog) debug(format string, v []any) {
	l.log.Debug("nats-server: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Noticef(format string, v ...any) { l.debug(format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.debug(format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.debug(format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.debug(format, v) }

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Warn("nats-server: " + text)
	if unwritable(format) {
		select {
		case l.store <- causeOf(text):
		default:
		}
	}
}

func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Warn("nats-server: " + text)
	select {
	case l.fatal <- text:
	default:
	}
}
