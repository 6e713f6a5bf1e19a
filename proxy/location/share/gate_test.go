package share

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// gate is a way to a miniredis that can be shut: a miniredis that was restarted answers no blocking command any more.
type gate struct {
	t    *testing.T
	to   string
	addr string

	mu     sync.Mutex // guards what follows
	l      net.Listener
	closed bool
	conns  []net.Conn

	wg sync.WaitGroup
}

func newGate(t *testing.T, m *miniredis.Miniredis) *gate {
	t.Helper()
	g := &gate{t: t, to: m.Addr(), addr: fmt.Sprintf("127.%d.%d.1:0", 32+os.Getpid()>>8&127, os.Getpid()&255)} // nobody gets its port while it is shut
	g.open()
	t.Cleanup(g.shut)
	return g
}

func (g *gate) url() string { return "redis://" + g.addr + "/0?ns=test" }

func (g *gate) open() {
	g.t.Helper()
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.l, g.addr, g.closed = l, l.Addr().String(), false
	g.mu.Unlock()
	g.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.relay(c)
		}
	})
}

func (g *gate) relay(c net.Conn) {
	r, err := net.Dial("tcp", g.to)
	if err != nil {
		c.Close()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c.Close()
		r.Close()
		return
	}
	g.conns = append(g.conns, c, r)
	for _, way := range [][2]net.Conn{{c, r}, {r, c}} {
		g.wg.Go(func() {
			io.Copy(way[0], way[1])
			way[0].Close()
			way[1].Close()
		})
	}
}

// shut refuses new connections and ends the old ones.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	g.l.Close()
	for _, c := range g.conns {
		c.Close()
	}
	g.conns = nil
	g.mu.Unlock()
	g.wg.Wait()
}
