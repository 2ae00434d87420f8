package main

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// cable is a way to a server that can be cut: then nothing passes and nothing
// is refused, as on a network that loses everything. What was under way
// arrives when it heals.
type cable struct {
	address string
	target  string

	mu    sync.Mutex
	whole chan struct{} // closed while things pass
	conns map[net.Conn]bool
}

func newCable(t *testing.T, target string) *cable {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{address: l.Addr().String(), target: target, whole: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(c.whole)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		c.breakAll()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(ctx, conn)
		}
	}()
	return c
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = make(chan struct{})
}

func (c *cable) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.whole)
}

// breakAll ends the connections, which then may be made anew.
func (c *cable) breakAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
}

// passes waits until the cable is whole.
func (c *cable) passes(ctx context.Context) bool {
	c.mu.Lock()
	whole := c.whole
	c.mu.Unlock()
	select {
	case <-whole:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *cable) keep(conn net.Conn, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open {
		c.conns[conn] = true
	} else {
		delete(c.conns, conn)
		_ = conn.Close()
	}
}

func (c *cable) carry(ctx context.Context, from net.Conn) {
	c.keep(from, true)
	defer c.keep(from, false)
	if !c.passes(ctx) {
		return
	}
	to, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.target)
	if err != nil {
		return
	}
	c.keep(to, true)
	defer c.keep(to, false)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(&gate{ctx, c, way[1]}, way[0])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
}

// gate writes while the cable is whole.
type gate struct {
	ctx   context.Context
	cable *cable
	to    net.Conn
}

func (g *gate) Write(b []byte) (int, error) {
	if !g.cable.passes(g.ctx) {
		return 0, io.ErrClosedPipe
	}
	return g.to.Write(b)
}
