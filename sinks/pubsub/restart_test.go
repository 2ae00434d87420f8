package pubsub_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"wolkpipe/sinks/pubsub"
)

// Nothing is lost when the server is restarted under load, and a publication
// without an answer is told as such. (The suite has such a test, which expects
// a publisher to know the answer before a subscriber sees the message.)
func TestServerRestarts(t *testing.T) {
	dir := t.TempDir()
	s, err := startServer(dir, server.RANDOM_PORT)
	if err != nil {
		t.Fatal(err)
	}
	port := s.Addr().(*net.TCPAddr).Port
	js := connect(t, s)
	makeStream(t, js, t.Name())
	_, messages := subscribe(t, js, pubsub.SubscriberOptions{Concurrency: 20, AckWait: 5 * time.Second})

	const publishers, each = 8, 100
	p := pubsub.NewPublisher(connect(t, s), pubsub.PublisherOptions{})
	var third sync.WaitGroup // of the messages is out
	third.Add(publishers)
	for i := range publishers {
		go func() {
			for j := range each {
				// A single one has an id that tells a retry from another; a
				// pair that was stored is a conflict when it comes again.
				name, size := fmt.Sprintf("%d-%d", i, j), 1+j%2
				for {
					err := p.Publish(t.Name(), batch(name, size)...)
					if err == nil || size > 1 && errors.Is(err, pubsub.ErrDuplicate) {
						break
					}
					if !errors.Is(err, pubsub.ErrTransient) {
						t.Errorf("publishing during a restart: %v", err)
						break
					}
				}
				if j == each/3 {
					third.Done()
				}
			}
		}()
	}
	restarted := make(chan *server.Server, 1)
	go func() {
		third.Wait()
		s.Shutdown()
		s.WaitForShutdown()
		again, err := startServer(dir, port)
		if err != nil {
			t.Error(err)
			return
		}
		restarted <- again
	}()

	got := map[string]bool{}
	for len(got) < publishers*each*3/2 {
		select {
		case m := <-messages:
			got[m.UUID] = true
			m.Ack()
		case <-time.After(60 * time.Second):
			t.Fatalf("%d of %d messages came", len(got), publishers*each*3/2)
		}
	}
	again := <-restarted
	t.Cleanup(func() { again.Shutdown() })
}
