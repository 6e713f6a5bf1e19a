package proxy

import (
	"net"
	"strings"
	"testing"
)

// Every prefix of every message over UDP: nothing that is cut off is taken for a whole message, and nothing panics (the
// world's end sees to that).
func TestTorturePrefixes(t *testing.T) {
	t.Parallel()
	w := newTorture(t)
	var inv reading
	for _, x := range ordeals(t) {
		w.as(t)
		from, listener, text := w.phone, w.out, x.text
		switch {
		case x.preloaded():
			from, listener = w.legacy, w.in
		case x.response():
			_, inv = w.pending(x)
			from, listener, text = w.legacy, w.in, x.under(inv)
		}
		whole := read(text).whole()
		if x.verdict != "forward" {
			whole = len(text)
		}
		for n := range whole {
			from.raw(listener, text[:n])
			if n%100 == 99 { // else the edge's socket would lose some
				w.fence(from, listener)
			}
		}
		w.fence(from, listener)
		if x.response() {
			w.legacy.raw(listener, inv.answer("486 Busy Here"))
		}
		w.unheard(x, inv)
	}
	if n := w.edge.panics.Load(); n != 0 {
		t.Errorf("%d panics", n)
	}
}

// unheard passes over what the edge answered to the prefixes of a request. Of a response none may have come through.
func (w *torture) unheard(x ordeal, inv reading) {
	w.t.Helper()
	if x.response() {
		w.heard(inv.get("call-id"), "SIP/2.0 486")
	}
	for len(w.phone.got) > 0 {
		if m := <-w.phone.got; !strings.HasPrefix(m.text, "SIP/2.0 ") {
			w.t.Errorf("%s: the phone got\n%s", x.name, m.text)
		}
	}
}

// Over TCP a message is cut where its lines end, and one byte earlier and later; the stream ends there.
func TestTorturePrefixesOverTCP(t *testing.T) {
	t.Parallel()
	w := newTorture(t)
	for _, x := range ordeals(t) {
		if x.response() { // a phone's are dropped whole: see TestTorturePrefixes
			continue
		}
		r := read(x.text)
		whole := r.whole()
		if r.get("content-length") == "" || x.verdict != "forward" {
			whole = len(x.text) // without a length nothing is whole
		}
		for at := 0; at < whole; at++ {
			if !strings.HasSuffix(x.text[:at], "\r\n") && !strings.HasPrefix(x.text[at:], "\n") && !strings.HasSuffix(x.text[:max(at-1, 0)], "\r\n") {
				continue
			}
			c, err := net.Dial("tcp", w.outTCP)
			if err != nil {
				t.Fatal(err)
			}
			s := newStreamReader(t, c)
			s.send([]byte(x.text[:at]))
			s.conn.CloseWrite()
			for r := range s.got { // to its end
				if !strings.HasPrefix(r.start, "SIP/2.0 4") && !strings.HasPrefix(r.start, "SIP/2.0 505") {
					t.Errorf("%s cut at %d: %s", x.name, at, r.start)
				}
			}
			c.Close()
		}
		w.fence(w.phone, w.out)
	}
}
