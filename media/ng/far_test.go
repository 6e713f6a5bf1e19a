package ng

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// far is a server at the other end of a socket that does what the test says to each datagram.
type far struct {
	conn *net.UDPConn
	addr netip.AddrPort

	mu   sync.Mutex
	got  []string // all but pings
	done chan struct{}
}

// newFar answers pings unless deaf; every other command goes to answer, whose "" is silence.
func newFar(t *testing.T, deaf bool, answer func(nth int, cookie string, q Request) string) *far {
	t.Helper()
	conn := listen(t, 0)
	f := &far{conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		buf := make([]byte, MaxMessage)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			cookie, body, _ := cutMessage(buf[:n])
			d, _ := decode(body)
			q, _ := readRequest(d)
			reply := ""
			if q.Command == Ping {
				if !deaf {
					reply = cookie + " d6:result4:ponge"
				}
			} else {
				f.mu.Lock()
				f.got = append(f.got, string(buf[:n]))
				nth := len(f.got)
				f.mu.Unlock()
				reply = answer(nth, cookie, q)
			}
			for msg := range strings.SplitSeq(reply, "\x00") { // several datagrams
				if msg != "" {
					conn.WriteToUDPAddrPort([]byte(msg), from)
				}
			}
		}
	}()
	t.Cleanup(f.close)
	return f
}

// listen takes a port below those that the kernel gives out, so that it is still free when its server comes back.
func listen(t *testing.T, port int) *net.UDPConn {
	t.Helper()
	for try := 0; ; try++ {
		at := port
		if at == 0 {
			at = 20000 + rand.IntN(10000)
		}
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at})
		if err == nil {
			return conn
		}
		if try == 100 || port != 0 {
			t.Fatal(err)
		}
	}
}

func (f *far) close() {
	f.conn.Close()
	<-f.done
}

// heard is what came, without pings.
func (f *far) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func ok(_ int, cookie string, q Request) string {
	return cookie + " " + string(appendDict(nil, Dict{"result": "ok", "sdp": "v=0 " + q.CallID}))
}

func silent(int, string, Request) string { return "" }

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatal("it did not come about in 10 s")
		case <-tick.C:
		}
	}
}
