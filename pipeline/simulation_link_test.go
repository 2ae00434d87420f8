package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// simLink is one process's way to everything that it shares with others.
type simLink struct {
	w       *simWorld
	process string        // its name, and how often it was started
	gone    chan struct{} // closed: the process was killed
	unsure  func(subject string)
}

var (
	errGone = errors.New("the process is gone")
	errLost = errors.New("the connection was lost")
)

// request asks something of a server. What is asked happens somewhere between
// the call and the answer, or without an answer, or long after the caller gave
// up, or never.
func request[T any](ctx context.Context, l *simLink, what string, typical time.Duration, do func() (T, error)) (T, error) {
	var none T
	select {
	case <-l.gone:
		return none, errGone
	default:
	}
	r := l.w.dice.of(l.process + " " + what)
	there, back := takes(r, typical, 8*time.Second), takes(r, typical, 8*time.Second)
	fate := fate(r, l.w.faultRate())
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		time.Sleep(there)
		a := answer{err: errLost}
		if fate != failed && fate != swallowed {
			if value, err := do(); fate == answered || fate == taken {
				a = answer{value, err}
			}
		}
		time.Sleep(back)
		if fate != swallowed && fate != taken {
			answers <- a
		}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-l.gone:
		return none, errGone
	}
}

// read is whether a server can be read just now, at once.
func (l *simLink) read(what string) error {
	select {
	case <-l.gone:
		return errGone
	default:
	}
	if l.w.dice.of(l.process+" "+what).Float64() < l.w.faultRate()/5 {
		return errLost
	}
	return nil
}

// dial gives a connection of the real client to as much of a server as the
// leases ask directly: the last message of a bucket's key.
func (l *simLink) dial() (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(l), nats.NoReconnect(), nats.PingInterval(1000*time.Hour))
}

// InProcessConn implements nats.InProcessConnProvider.
func (l *simLink) InProcessConn() (net.Conn, error) {
	server, client := net.Pipe()
	go l.serve(server)
	return client, nil
}

// serve speaks NATS's protocol until the other side hangs up.
func (l *simLink) serve(conn net.Conn) {
	out := make(chan string, 64)
	ended := make(chan struct{})
	defer close(ended)
	defer conn.Close()
	go func() {
		for {
			select {
			case text := <-out:
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
			case <-ended:
				return
			}
		}
	}()
	out <- `INFO {"server_id":"sim","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}` + "\r\n"
	in := bufio.NewReader(conn)
	sid := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch words[0] {
		case "PING":
			out <- "PONG\r\n"
		case "SUB": // the one of all answers
			sid = words[len(words)-1]
		case "PUB":
			size, _ := strconv.Atoi(words[len(words)-1])
			body := make([]byte, size+2)
			if _, err := io.ReadFull(in, body); err != nil {
				return
			}
			if len(words) == 4 {
				go l.answer(words[1], words[2], sid, body[:size], out, ended)
			}
		}
	}
}

func (l *simLink) answer(subject, reply, sid string, body []byte, out chan<- string, ended <-chan struct{}) {
	name := strings.TrimPrefix(subject, "$JS.API.STREAM.MSG.GET.KV_")
	bucket := l.w.buckets[name]
	var asked struct {
		Last string `json:"last_by_subj"`
	}
	if bucket == nil || json.Unmarshal(body, &asked) != nil {
		return
	}
	data, err := request(context.Background(), l, "get", 3*time.Millisecond, func() ([]byte, error) {
		e, err := bucket.get(strings.TrimPrefix(asked.Last, "$KV."+name+"."))
		if err != nil {
			return json.Marshal(map[string]any{"error": &jetstream.APIError{Code: 404, ErrorCode: jetstream.JSErrCodeMessageNotFound}})
		}
		return json.Marshal(map[string]any{"message": map[string]any{"seq": e.revision, "data": e.value}})
	})
	if err != nil {
		return // whoever asked waits in vain
	}
	select {
	case out <- fmt.Sprintf("MSG %s %s %d\r\n%s\r\n", reply, sid, len(data), data):
	case <-ended:
	}
}
