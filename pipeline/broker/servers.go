package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// serversSubject is where every server of a system tells of its JetStream. It
// belongs to the system account; others reach it where their account imports it:
//
//	SYS: exports: [{service: "$SYS.REQ.SERVER.PING.JSZ", response: stream}]
//	ours: imports: [{service: {account: SYS, subject: "$SYS.REQ.SERVER.PING.JSZ"}}]
const serversSubject = "$SYS.REQ.SERVER.PING.JSZ"

// answersTime is how long further servers' answers are waited for.
const answersTime = 500 * time.Millisecond

// warnOfServers warns of servers that may lose what they acknowledged, or are
// too old, where they can be asked. No other answer of a server tells a client
// whether it syncs: without the import above, that is for the operator to see to.
func warnOfServers(ctx context.Context, nc *nats.Conn, log *slog.Logger) {
	if log == nil {
		log = slog.Default()
	}
	answers, err := nc.SubscribeSync(nc.NewRespInbox())
	if err != nil {
		return
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := nc.PublishRequest(serversSubject, answers.Subject, nil); err != nil {
		return
	}
	for {
		waiting, cancel := context.WithTimeout(ctx, answersTime)
		m, err := answers.NextMsgWithContext(waiting)
		cancel()
		if err != nil || len(m.Data) == 0 { // there are no more, or none
			return
		}
		for _, text := range faultsOf(m.Data) {
			log.Warn(text)
		}
	}
}

// faultsOf reads a server's answer.
func faultsOf(answer []byte) (faults []string) {
	var a struct {
		Server struct {
			Name    string `json:"name"`
			Version string `json:"ver"`
		} `json:"server"`
		Data struct {
			Disabled bool `json:"disabled"`
			Config   *struct {
				SyncAlways bool `json:"sync_always"`
			} `json:"config"`
		} `json:"data"`
	}
	if json.Unmarshal(answer, &a) != nil || a.Data.Disabled || a.Data.Config == nil {
		return nil
	}
	if !a.Data.Config.SyncAlways {
		faults = append(faults, fmt.Sprintf("the NATS server %s acknowledges before it has synced to the disk: when the machines of most servers fail together, "+
			"what was acknowledged in the last minutes is lost: set sync_interval: always in its jetstream block", a.Server.Name))
	}
	var major, minor int
	if _, err := fmt.Sscanf(a.Server.Version, "%d.%d", &major, &minor); err == nil && (major < 2 || major == 2 && minor < 12) {
		faults = append(faults, fmt.Sprintf("the NATS server %s has version %s: wolkpipe needs 2.12 or newer on every server", a.Server.Name, a.Server.Version))
	}
	return faults
}
