package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// ownCase drives the edge's own client transactions without a keeper.
type ownCase struct {
	t    *testing.T
	w    *keepWorld
	sent []string
	tags []uint64
	at   []int64
	out  *transport.Out
	told []string
}

func newOwnCase(t *testing.T) *ownCase {
	c := &ownCase{t: t, w: newKeepWorld(t, asIs)}
	c.out = transport.Capture(func(_ transport.Peer, msg []byte, tag uint64) {
		c.sent, c.tags, c.at = append(c.sent, string(msg)), append(c.tags, tag), append(c.at, c.w.now)
	})
	return c
}

func (c *ownCase) send() bool {
	build := func(dst, via []byte) []byte {
		dst = append(append(dst, "OPTIONS sip:x SIP/2.0\r\n"...), via...)
		return append(dst, "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: own\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"...)
	}
	return c.w.edge.own.send(c.w.now, c.w.edge.topo.Load(), 0, own, build, func(_ int64, m *wire.Message, why cause, _ *transport.Out) {
		if m == nil {
			c.told = append(c.told, why.String())
			return
		}
		c.told = append(c.told, fmt.Sprint(m.Status))
	}, c.out)
}

func (c *ownCase) answer(from, sent, status string) {
	text := answerTo(message{text: sent}, status, "", "xxxxxxxxxxxxxxxxxxxx")
	c.w.edge.message(c.w.now, transport.Peer{Listener: 2, Proto: transport.UDP, Addr: netip.MustParseAddrPort(from)}, crlf(text), c.out)
}

func (c *ownCase) pass(d time.Duration) {
	for end := c.w.now + int64(d); c.w.now < end; {
		c.w.now += 10e6
		c.w.edge.own.tick(c.w.now, c.out)
	}
}

func (c *ownCase) want(told ...string) {
	c.t.Helper()
	if fmt.Sprint(c.told) != fmt.Sprint(told) {
		c.t.Fatalf("told %q, want %q", c.told, told)
	}
}

// RFC 3261 section 17.1.2: T1 doubling up to T2, T2 after a 1xx, the end after 64*T1; one outcome each.
func TestOwnTransaction(t *testing.T) {
	c := newOwnCase(t)
	begun := c.w.now
	if !c.send() {
		t.Fatal("refused")
	}
	c.pass(33 * time.Second)
	c.want("timeout")
	var offsets []string
	for _, at := range c.at {
		offsets = append(offsets, time.Duration(at-begun).Round(10*time.Millisecond).String())
	}
	if got, want := strings.Join(offsets, " "), "0s 500ms 1.5s 3.5s 7.5s 11.5s 15.5s 19.5s 23.5s 27.5s 31.5s"; got != want {
		t.Errorf("sent at %s, want %s", got, want)
	}

	c = newOwnCase(t)
	c.send()
	c.answer("10.1.0.1:5060", c.sent[0], "100 Trying")
	c.want()
	c.pass(600 * time.Millisecond)
	c.answer("192.0.2.66:5060", c.sent[0], "200 OK") // from anybody
	c.want()
	c.answer("10.1.0.1:9999", c.sent[0], "202 Accepted") // the target answers from another port
	c.answer("10.1.0.1:5060", c.sent[0], "202 Accepted")
	c.pass(40 * time.Second)
	c.want("202")
	if c.w.edge.own.size() != 0 || len(c.sent) != 2 {
		t.Errorf("%d outstanding, %d sent", c.w.edge.own.size(), len(c.sent))
	}

	// What the process before this one asked is answered to nobody, and passed on to nobody.
	old := strings.Replace(c.sent[0], ownBranch, ownBranch+"0", 1)
	i := strings.Index(old, ownBranch) + len(ownBranch) + 26
	c.answer("10.1.0.1:5060", old[:i]+old[i+1:], "200 OK")
	if len(c.sent) != 2 {
		t.Error("forwarded")
	}
}

func TestOwnTransportErrors(t *testing.T) {
	c := newOwnCase(t)
	c.send()
	c.w.edge.unreachable(c.w.now, 2, netip.AddrPort{}, []byte(c.sent[0][:200]), c.out)
	c.want("transport")
	c.send()
	c.w.edge.failed(c.w.now, transport.Peer{}, c.tags[1], nil, c.out)
	c.want("transport", "transport")
	c.w.edge.failed(c.w.now, transport.Peer{}, c.tags[1], nil, c.out)
	c.pass(40 * time.Second)
	c.want("transport", "transport")
}

// What is outstanding is bounded; what does not fit is refused at once.
func TestOwnIsBounded(t *testing.T) {
	c := newOwnCase(t)
	for range maxErrands {
		if !c.send() {
			t.Fatal("refused too early")
		}
	}
	if c.send() {
		t.Fatal("no bound")
	}
	c.answer("10.1.0.1:5060", c.sent[7], "200 OK")
	if !c.send() {
		t.Fatal("an answer made no room")
	}
	c.pass(40 * time.Second)
	if len(c.told) != maxErrands+1 || c.w.edge.own.size() != 0 {
		t.Errorf("%d told, %d outstanding", len(c.told), c.w.edge.own.size())
	}
}

// A fault of ours in what is done with an answer costs that answer, not the edge.
func TestOwnPanic(t *testing.T) {
	c := newOwnCase(t)
	build := func(dst, via []byte) []byte { return append(append(dst, "OPTIONS sip:x SIP/2.0\r\n"...), via...) }
	c.w.edge.own.send(c.w.now, c.w.edge.topo.Load(), 0, own, build, func(int64, *wire.Message, cause, *transport.Out) { panic("x") }, c.out)
	c.pass(40 * time.Second)
	if n := c.w.edge.panics.Load(); n != 1 {
		t.Errorf("%d panics", n)
	}
	c.send()
	c.answer("10.1.0.1:5060", c.sent[len(c.sent)-1], "200 OK")
	c.want("200")
}
