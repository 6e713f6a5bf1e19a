//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// darkUA is a dark core by hand that does what it should not. It is not of the test's own goroutine, so it says nothing by itself.
type darkUA struct {
	conn net.PacketConn
	back atomic.Pointer[[]net.Addr] // where what loops goes to
}

// startDark runs what a dark core does with each datagram that it gets, until the test ends; nil: nothing.
func startDark(t *testing.T, addr string, does func(d *darkUA, from net.Addr, raw string)) *darkUA {
	t.Helper()
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	d := &darkUA{conn: conn}
	var running sync.WaitGroup
	running.Go(func() {
		buf := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if does != nil {
				does(d, from, string(buf[:n]))
			}
		}
	})
	t.Cleanup(func() { conn.Close(); running.Wait() })
	return d
}

func (d *darkUA) send(to net.Addr, raw string) { _, _ = d.conn.WriteTo([]byte(raw), to) } // closed with the test

// reply answers a request; the lines of it that a response has, changed by change.
func (d *darkUA) reply(to net.Addr, m *message, start, tag string, change func(line string) string) {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + start + "\r\n")
	for _, h := range m.headers {
		line := h.name + ": " + h.value
		switch {
		case h.is("To") && !strings.Contains(h.value, ";tag="):
			line += ";tag=" + tag
		case h.is("Via"), h.is("From"), h.is("To"), h.is("Call-ID"), h.is("CSeq"):
		default:
			continue
		}
		b.WriteString(change(line) + "\r\n")
	}
	d.send(to, b.String()+"Contact: <sip:dark@"+d.conn.LocalAddr().String()+">\r\nContent-Length: 0\r\n\r\n")
}

func unchanged(line string) string { return line }

// slowly answers everything, three seconds later.
func slowly(d *darkUA, from net.Addr, raw string) {
	m := readMessage(raw, "")
	if m.method() == "" || m.method() == "ACK" {
		return
	}
	time.AfterFunc(3*time.Second, func() { d.reply(from, m, "200 OK", "slow", unchanged) })
}

// lying answers everything at once and much of it wrong: tags, CSeq and branches of nobody, two answers, garbage, and requests of its own.
func lying(d *darkUA, from net.Addr, raw string) {
	m := readMessage(raw, "")
	if m.method() == "" || m.method() == "ACK" {
		return
	}
	n := rand.IntN(1 << 30)
	wrong := func(what, with string) func(string) string {
		return func(line string) string {
			if strings.HasPrefix(line, what) {
				return with
			}
			return line
		}
	}
	d.reply(from, m, "180 Ringing", fmt.Sprint("a", n), unchanged)
	d.reply(from, m, "200 OK", fmt.Sprint("b", n), wrong("CSeq", fmt.Sprintf("CSeq: %d BYE", n)))
	d.reply(from, m, "200 OK", fmt.Sprint("c", n), wrong("Call-ID", fmt.Sprintf("Call-ID: %d", n)))
	d.reply(from, m, "486 Busy Here", fmt.Sprint("d", n), wrong("From", "From: <sip:nobody@example.org>;tag=no"))
	d.reply(from, m, "200 OK", fmt.Sprint("e", n), unchanged)
	d.reply(from, m, "200 OK", fmt.Sprint("f", n), unchanged)
	d.reply(from, m, "999 Odd", fmt.Sprint("g", n), unchanged)
	d.send(from, "SIP/2.0 200 OK\r\nVia: \x00\xff\r\n\r\n")
	d.send(from, raw[:len(raw)/2])
	d.send(from, strings.Replace(raw, m.method(), "BYE", 2))
	d.send(from, raw)
}

// looping sends all that it gets to the edges' own listeners, as it is.
func looping(d *darkUA, _ net.Addr, raw string) {
	// Not the canary: it comes when mirroring starts, and may find it stopped by itself before there is a call.
	if to := d.back.Load(); to != nil && !strings.Contains(raw, "canary-hotcut@") {
		for _, a := range *to {
			d.send(a, raw)
		}
	}
}

// flood sends what write says as fast as it is told to, until the test ends.
func flood(t *testing.T, conn net.PacketConn, perSecond int, write func(n int) (to, raw string)) {
	t.Helper()
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			for range perSecond / 100 {
				to, raw := write(n)
				n++
				if addr, err := net.ResolveUDPAddr("udp", to); err == nil {
					_, _ = conn.WriteTo([]byte(raw), addr) // what has no room is not missed
				}
			}
		}
	})
	t.Cleanup(func() { close(end); running.Wait() })
}

// nuisance is an INVITE of nobody.
func nuisance(n int, uri, from, lines string) string {
	return fmt.Sprintf("INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKf%d\r\nFrom: <sip:n%d@%s>;tag=f%d\r\nTo: <%s>\r\nCall-ID: flood%d@%s\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:n@%s>\r\n%sContent-Length: 0\r\n\r\n",
		uri, from, n, n, realm, n, uri, n, from, from, lines)
}
