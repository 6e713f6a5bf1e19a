//go:build interop

package interop

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A killCall is one call over UDP that can be held between any two of its messages: its ends go as far as they may, and
// repeat what has no answer, as user agents do.
type killCall struct {
	ends *killEnds
	id   string
	may  int                // how far: see the constants below
	did  map[string]bool    // what an end has said once
	due  map[string]*repeat // what it says again

	callee      net.PacketConn // that heard the call first
	invite, bye *message       // as it first heard them
	branches    []string       // of all INVITEs and BYEs that it heard, without repetitions
	byeBranches []string
	rung        bool // the phone heard the 180
	ok          *message
	tags        []string // of all 200s that it heard
	acked       bool     // the callee heard the ACK
	over        bool     // the phone heard the 200 to its BYE
	wrong       []string // what has no place in such a call
}

// What the ends may do, one step after the other.
const (
	mayNothing = iota
	mayInvite
	mayRing
	mayAnswer
	mayAcknowledge
	mayHangUp
	mayConfirm
)

type repeat struct {
	from     net.PacketConn
	to, text string
	next     time.Time
	gap      time.Duration
}

// killEnds are a phone and a callee of each platform, each one socket for all its calls.
type killEnds struct {
	t                   *testing.T
	phone, legacy, core net.PacketConn
	edge                string // where the phone sends

	mu    sync.Mutex // guards all calls
	calls map[string]*killCall
}

// killT1 is the ends' guess of the round trip: they say a thing again after it, then after twice as long, up to a second.
const killT1 = 100 * time.Millisecond

func newKillEnds(t *testing.T) *killEnds {
	w := &killEnds{t: t, calls: map[string]*killCall{}}
	var ended sync.WaitGroup
	stop := make(chan struct{})
	for _, side := range []struct {
		conn *net.PacketConn
		hear func(*killCall, net.PacketConn, *message)
	}{{&w.phone, (*killCall).phoneHears}, {&w.legacy, (*killCall).calleeHears}, {&w.core, (*killCall).calleeHears}} {
		c, err := net.ListenPacket("udp", freeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		*side.conn = c
		ended.Go(func() {
			buf := make([]byte, 65536)
			for {
				n, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				m := readMessage(string(buf[:n]), from.String())
				w.mu.Lock()
				if call := w.calls[m.get("Call-ID")]; call != nil {
					side.hear(call, c, m)
					call.goOn()
				}
				w.mu.Unlock()
			}
		})
	}
	ended.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				w.repeat(now)
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		w.phone.Close()
		w.legacy.Close()
		w.core.Close()
		ended.Wait()
	})
	return w
}

func (w *killEnds) repeat(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		for _, r := range c.due {
			if now.After(r.next) {
				r.gap = min(2*r.gap, time.Second)
				r.next = now.Add(r.gap)
				send(r.from, r.to, r.text)
			}
		}
	}
}

// send does not care whether anybody is there: the edge may be dead.
func send(from net.PacketConn, to, text string) {
	if addr, err := net.ResolveUDPAddr("udp", to); err == nil {
		from.WriteTo([]byte(text), addr)
	}
}

func (w *killEnds) call(id string) *killCall {
	c := &killCall{ends: w, id: id, did: map[string]bool{}, due: map[string]*repeat{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[id] = c
	return c
}

// let lets the ends go as far as a step.
func (c *killCall) let(step int) {
	c.ends.mu.Lock()
	defer c.ends.mu.Unlock()
	c.may = max(c.may, step)
	c.goOn()
}

// reached reports whether the call has come to a point.
func (c *killCall) reached(point func(*killCall) bool) bool {
	c.ends.mu.Lock()
	defer c.ends.mu.Unlock()
	return point(c)
}

// goOn does all that the ends may do and have reason to.
func (c *killCall) goOn() {
	w := c.ends
	once := func(what string, step int, reason bool) bool {
		if c.may < step || !reason || c.did[what] {
			return false
		}
		c.did[what] = true
		return true
	}
	if once("INVITE", mayInvite, true) {
		c.untilHeard("INVITE", w.phone, w.edge, c.request("INVITE", 1))
	}
	if once("180", mayRing, c.invite != nil) {
		send(c.callee, c.invite.from, c.answer(c.invite, "180 Ringing"))
	}
	if once("200", mayAnswer, c.invite != nil) {
		c.untilHeard("200", c.callee, c.invite.from, c.answer(c.invite, "200 OK"))
	}
	if once("ACK", mayAcknowledge, c.ok != nil) {
		send(w.phone, c.next(), c.request("ACK", 1))
	}
	if once("BYE", mayHangUp, c.acked) {
		c.untilHeard("BYE", w.phone, c.next(), c.request("BYE", 2))
	}
	if once("200 to BYE", mayConfirm, c.bye != nil) {
		send(c.callee, c.bye.from, c.answer(c.bye, "200 OK"))
	}
}

func (c *killCall) untilHeard(what string, from net.PacketConn, to, text string) {
	c.due[what] = &repeat{from, to, text, time.Now().Add(killT1), killT1}
	send(from, to, text)
}

func (c *killCall) calleeHears(on net.PacketConn, m *message) {
	if c.callee == nil {
		c.callee = on
	}
	if on != c.callee {
		c.wrong = append(c.wrong, "the other platform heard "+m.start)
		return
	}
	_, branch, _ := strings.Cut(m.get("Via"), "branch=")
	branch, _, _ = strings.Cut(branch, ";")
	note := func(list []string) []string {
		if slices.Contains(list, branch) {
			return list
		}
		return append(list, branch)
	}
	switch m.method() {
	case "INVITE":
		c.branches = note(c.branches)
		switch {
		case c.invite == nil:
			c.invite = m
		case c.did["200"]: // repeats itself
		case c.did["180"]:
			send(c.callee, m.from, c.answer(m, "180 Ringing"))
		}
	case "ACK":
		c.acked = true
		delete(c.due, "200")
	case "BYE":
		c.byeBranches = note(c.byeBranches)
		if c.bye == nil {
			c.bye = m
		} else if c.did["200 to BYE"] {
			send(c.callee, m.from, c.answer(m, "200 OK"))
		}
	default:
		c.wrong = append(c.wrong, "the callee heard "+m.start)
	}
}

func (c *killCall) phoneHears(_ net.PacketConn, m *message) {
	_, method, _ := strings.Cut(m.get("CSeq"), " ")
	status := m.status()
	switch {
	case method == "INVITE" && status >= 100 && status < 200:
		c.rung = c.rung || status == 180
		delete(c.due, "INVITE")
	case method == "INVITE" && status == 200:
		delete(c.due, "INVITE")
		if c.ok == nil {
			c.ok = m
		} else if c.did["ACK"] {
			send(c.ends.phone, c.next(), c.request("ACK", 1))
		}
		if tag := m.get("To"); !slices.Contains(c.tags, tag) {
			c.tags = append(c.tags, tag)
		}
	case method == "BYE" && status == 200:
		c.over = true
		delete(c.due, "BYE")
	case method == "BYE" && status == 100:
	default:
		c.wrong = append(c.wrong, "the phone heard "+m.start+" to "+method)
	}
}

// routes is the phone's route set, once there is an answer.
func (c *killCall) routes() []string {
	if c.ok == nil {
		return nil
	}
	routes := c.ok.list("Record-Route")
	slices.Reverse(routes)
	return routes
}

func (c *killCall) next() string { return hostport(bare(c.routes()[0])) }

// request is one of the phone's.
func (c *killCall) request(method string, cseq int) string {
	target, to, me := bob, "<"+bob+">", c.ends.phone.LocalAddr()
	if c.ok != nil {
		target, to = bare(c.ok.get("Contact")), c.ok.get("To")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s;rport\r\n", method, target, me, c.id, method)
	for _, r := range c.routes() {
		fmt.Fprintf(&b, "Route: %s\r\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: <%s>;tag=a%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:alice@%s>\r\nContent-Length: 0\r\n\r\n",
		alice, c.id, to, c.id, cseq, method, me)
	return b.String()
}

// answer is one of the callee's.
func (c *killCall) answer(m *message, status string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, h := range m.headers {
		switch {
		case h.is("To") && !strings.Contains(h.value, ";tag="):
			fmt.Fprintf(&b, "To: %s;tag=b%s\r\n", h.value, c.id)
		case h.is("Via"), h.is("From"), h.is("To"), h.is("Call-ID"), h.is("CSeq"), h.is("Record-Route"):
			fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
		}
	}
	fmt.Fprintf(&b, "Contact: <sip:bob@%s>\r\nContent-Length: 0\r\n\r\n", c.callee.LocalAddr())
	return b.String()
}
