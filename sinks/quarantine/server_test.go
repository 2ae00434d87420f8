package quarantine

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

var key = sinks.Key{Operation: "ventas", Day: "2026-11-01"}

const subject = "chat7.quarantine.ventas.20261101"

// startServer starts a server with an empty JetStream that takes messages of
// so many bytes.
func startServer(t testing.TB, payload int32) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true, MaxPayload: payload,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return s
}

// connect opens a connection of its own.
func connect(t testing.TB, s *server.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// streamConfig is how the pipeline makes the stream.
func streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: schemas.QuarantineStream, Subjects: []string{schemas.QuarantineSubjects}, Storage: jetstream.FileStorage,
		Duplicates: 100 * time.Millisecond, AllowAtomicPublish: true, AllowDirect: true,
	}
}

// newStream starts a server with an empty stream.
func newStream(t testing.TB) (*server.Server, jetstream.JetStream) {
	t.Helper()
	s := startServer(t, 1<<20)
	js := connect(t, s)
	if _, err := js.CreateStream(t.Context(), streamConfig()); err != nil {
		t.Fatal(err)
	}
	return s, js
}

// open opens a sink on a connection of its own.
func open(t testing.TB, s *server.Server, p Publisher) *Sink {
	t.Helper()
	sink, err := Open(t.Context(), Options{JetStream: connect(t, s), Publisher: p})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// stored is a message as an operator reads it.
type stored struct {
	schemas.QuarantineRow
	subject, batch string
	seq            uint64
	data           string
}

// readAll reads what a filter finds in the stream.
func readAll(t testing.TB, js jetstream.JetStream, filter string) []stored {
	t.Helper()
	stream, err := js.Stream(t.Context(), schemas.QuarantineStream)
	if err != nil {
		t.Fatal(err)
	}
	var all []stored
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; {
		m, err := stream.GetMsg(t.Context(), seq, jetstream.WithGetMsgSubject(filter))
		if err == jetstream.ErrMsgNotFound {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s := stored{subject: m.Subject, batch: m.Header.Get("Nats-Batch-Id"), seq: m.Sequence, data: string(m.Data)}
		if err := json.Unmarshal(m.Data, &s.QuarantineRow); err != nil {
			t.Fatalf("message %d: %v", m.Sequence, err)
		}
		all = append(all, s)
		seq = m.Sequence + 1
	}
	return all
}

// commit loads and commits a day, which must work.
func commit(t testing.TB, s sinks.Sink, day *sinks.Day) sinks.Change {
	t.Helper()
	held, err := s.Load(t.Context(), day.Key)
	if err != nil {
		t.Fatal(err)
	}
	change, err := held.Commit(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// fold is a day of those windows.
func fold(windows ...schemas.Window) *sinks.Day {
	return &sinks.Day{Key: key, Timezone: "America/Bogota", State: schemas.Provisional, Expected: 288, Windows: windows}
}

// win is the i-th window of five minutes with those raw rows rejected.
func win(i int, revision int64, raw ...string) schemas.Window {
	start := time.Date(2026, 11, 1, 5, 5*i, 0, 0, time.UTC)
	w := schemas.Window{
		Local: start.Add(-5 * time.Hour).Format("2006-01-02T15:04:05"), Start: start, End: start.Add(5 * time.Minute),
		Revision: revision, Method: schemas.Direct, Cause: schemas.Live, ObservedAt: start.Add(time.Hour),
	}
	for _, r := range raw {
		w.Rejects = append(w.Rejects, schemas.Reject{Reason: "interactions is not a count", Raw: []byte(r)})
	}
	return w
}
