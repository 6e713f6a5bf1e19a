package wire

import (
	"bytes"
	"net/netip"
	"testing"
)

// seeds adds the messages of the tests to the corpus in testdata/fuzz.
func seeds(f *testing.F) {
	for _, c := range torture {
		f.Add(tortureMessage(f, c.name))
	}
	for _, c := range ipv6Torture {
		f.Add(ipv6Message(f, c.name))
	}
	f.Add(invite)
	f.Add(options("Subject: one \t\n two\nRoute: <sip:a>,\n <sip:b>\n"))
	f.Add(response("Via: SIP/2.0/UDP 192.0.2.1\n"))
}

// FuzzScan: no panic; all offsets inside; a splice without edits changes nothing but
// folds; and what we accept, a second reader sees as the same message.
func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		fault := m.Scan(raw, nil)
		inside(t, &m)
		if m.Answerable {
			checkAnswerable(t, &m)
		}
		if fault != FaultNone {
			return
		}
		check := m.Check()
		var s Splice
		s.Reset(&m)
		out := s.AppendTo(nil)
		if !m.folded && !bytes.Equal(out, raw[:m.Body.End]) {
			t.Fatalf("a splice without edits changed\n%q\nto\n%q", raw, out)
		}
		var again Message
		if f := again.Scan(out, nil); f != FaultNone || again.Trailing != 0 || len(again.Headers) != len(m.Headers) {
			t.Fatalf("%v: what came out of\n%q\nis\n%q", f, raw, out)
		}
		if check == FaultNone {
			secondReader(t, &m)
		}
	})
}

// inside: every span lies in Raw, headers in the header section, in order.
func inside(t *testing.T, m *Message) {
	n := uint32(len(m.Raw))
	ok := func(s Span) bool { return s.Start <= s.End && s.End <= n }
	in := func(s, outer Span) bool { return ok(s) && (s.Empty() || s.Start >= outer.Start && s.End <= outer.End) }
	for _, s := range []Span{m.StartLine, m.Version, m.Method, m.RequestURI, m.Phrase, m.Body, m.CallID, m.CSeqMethod,
		m.From.Name, m.From.URI, m.From.Params, m.From.Tag, m.To.Name, m.To.URI, m.To.Params, m.To.Tag} {
		if !ok(s) {
			t.Fatalf("span %v of %d bytes", s, n)
		}
	}
	v := m.TopVia
	for _, s := range []Span{v.Transport, v.Host, v.Branch, v.Received, v.Params, v.RPortParam} {
		if !in(s, v.Elem) {
			t.Fatalf("via span %v outside %v", s, v.Elem)
		}
	}
	if m.HeaderEnd > n || m.Trailing < 0 || int(m.Body.End)+m.Trailing > int(n) {
		t.Fatalf("header end %d, body %v, trailing %d of %d", m.HeaderEnd, m.Body, m.Trailing, n)
	}
	end := m.StartLine.End
	for i, h := range m.Headers {
		if h.Line.Start < end || !in(h.Line, Span{0, m.HeaderEnd}) || !in(h.Name, h.Line) || !in(h.Value, h.Line) || h.Name.Empty() {
			t.Fatalf("header %d: %+v after %d", i, h, end)
		}
		end = h.Line.End
	}
	for id := HOther; id < numHeaders; id++ {
		for e := range m.Elems(id) {
			h := m.Headers[e.Header]
			if !in(e.Whole, h.Value) || !in(e.URI, e.Whole) || !in(e.Params, e.Whole) || !in(e.Tag, e.Whole) || !in(e.Name, e.Whole) {
				t.Fatalf("element %+v of %+v", e, h)
			}
		}
	}
}

// checkAnswerable: the answer is framed, and its topmost Via is the request's.
func checkAnswerable(t *testing.T, m *Message) {
	m.Stamped(netip.MustParseAddrPort("192.0.2.1:4000"), true)
	answer := m.AppendResponse(nil, 400, "Bad Request", []byte("ours"), nil)
	var r Message
	r.Scan(answer, nil)
	if r.Status != 400 || r.ContentLength != 0 || r.Trailing != 0 {
		t.Fatalf("answer to\n%q\nis\n%q", m.Raw, answer)
	}
	if got, want := r.text(r.TopVia.Host), m.text(m.TopVia.Host); got != want {
		t.Fatalf("answer goes to %q, not to %q:\n%q", got, want, answer)
	}
}

// FuzzFrame: however a stream is cut, it has the same units; what is framed is read to
// the same end by Scan.
func FuzzFrame(f *testing.F) {
	for _, c := range torture {
		f.Add(tortureMessage(f, c.name), uint16(len(c.name)*29))
	}
	f.Add([]byte("\r\n\r\n\r\nOPTIONS"), uint16(3))
	f.Add(append(options(""), invite...), uint16(200))
	f.Fuzz(func(t *testing.T, raw []byte, at uint16) {
		cut := min(int(at), len(raw))
		var (
			fr  Framer
			pos int
		)
		for pos < len(raw) {
			end := len(raw)
			if pos <= cut {
				end = cut
			}
			n, kind, fault := fr.Next(raw[pos:end])
			if kind == FrameMore && fault == FaultNone && end == cut && cut < len(raw) {
				if n != 0 {
					t.Fatalf("more, and %d bytes", n)
				}
				end = len(raw)
				n, kind, fault = fr.Next(raw[pos:])
			}
			whole, wholeKind, wholeFault := Frame(raw[pos:], nil)
			if kind == FrameKeepalive {
				if n != 2 && n != 4 || !bytes.HasPrefix(raw[pos:], []byte("\r\n\r\n")[:n]) {
					t.Fatalf("keepalive of %d bytes", n)
				}
				pos += n
				continue
			}
			// A fault that more bytes would bring is one that fewer did not.
			if end == len(raw) && (kind != wholeKind || fault != wholeFault || n != whole) {
				t.Fatalf("at %d cut at %d: %d %v %v, whole: %d %v %v", pos, cut, n, kind, fault, whole, wholeKind, wholeFault)
			}
			if kind == FrameMore {
				return
			}
			var m Message
			f := m.Scan(raw[pos:pos+n], nil)
			if m.Trailing != 0 || f == FaultBodyShort || f == FaultTruncated || f == FaultDuplicateLength || f == FaultContentLength {
				t.Fatalf("framed %d bytes, of which Scan says %v, trailing %d\n%q", n, f, m.Trailing, raw[pos:pos+n])
			}
			pos += n
		}
	})
}

// FuzzSplice: whatever headers and elements go and come, what we emit we accept, and
// what was to stay is there.
func FuzzSplice(f *testing.F) {
	for _, c := range torture {
		f.Add(tortureMessage(f, c.name), uint64(0x0123456789abcdef))
	}
	f.Add(options("Route: <sip:a>, <sip:b>,\n <sip:c>\nRoute: <sip:d>\n"), uint64(1<<40+6))
	f.Add(invite, uint64(1<<63+1<<20))
	src := netip.MustParseAddrPort("[2001:db8::1]:4000")
	f.Fuzz(func(t *testing.T, raw []byte, what uint64) {
		var m Message
		if m.Scan(raw, nil) != FaultNone {
			return
		}
		bit := func(i int) bool { return what>>(i%64)&1 != 0 }
		needed := func(id HeaderID) bool {
			return id == HVia || id == HFrom || id == HTo || id == HCallID || id == HCSeq || id == HContentLength
		}
		var (
			s          Splice
			gone, want int
		)
		s.Reset(&m)
		m.AppendReceived(&s, src, bit(0))
		s.Insert(m.Headers[m.Find(HVia)].Line.Start, []byte("Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKours\r\n"))
		s.EndHeaders([]byte("X-Last: 1\r\n"))
		s.AddContentLength()
		for i, h := range m.Headers {
			if !needed(h.ID) && h.ID != HRoute && bit(i+1) {
				s.DeleteHeader(i)
				gone++
			}
		}
		i := 0
		for e := range m.Elems(HRoute) {
			if i++; bit(i + 7) {
				s.DeleteElem(e)
			} else {
				want++
			}
		}
		room := DefaultLimits // for what we add
		room.Message, room.HeaderBytes, room.Headers = 1<<20, 1<<20, 1<<10
		out := s.AppendTo(nil)
		var again Message
		if f := again.Scan(out, &room); f != FaultNone {
			t.Fatalf("%v: out of\n%q\ncame\n%q", f, raw, out)
		}
		if again.text(again.TopVia.Branch) != "z9hG4bKours" || again.Trailing != 0 || again.text(again.Body) != m.text(m.Body) ||
			again.text(again.CallID) != m.text(m.CallID) || again.CSeq != m.CSeq {
			t.Fatalf("out of\n%q\ncame\n%q", raw, out)
		}
		got := 0
		for range again.Elems(HRoute) {
			got++
		}
		if got != want {
			t.Fatalf("%d Routes, want %d: out of\n%q\ncame\n%q", got, want, raw, out)
		}
		if bit(0) {
			second, n := Via{}, 0
			for e := range again.Elems(HVia) {
				if n++; n == 2 {
					second, _ = again.Via(e)
				}
			}
			if second.RPortVal != 4000 || again.text(second.Received) != "2001:db8::1" {
				t.Fatalf("no source in the Via: %q", out)
			}
		}
	})
}

// FuzzURI: no panic, parts inside and in order, and nothing accepted that could break
// out of a header.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"sip:a:b@h:5060;lr;x=%20?y=z", "sips:[::1]:1", "tel:+1-2;phone-context=a", "urn:service:sos", "sip:u;p=u%40e@h", "sip:*72#@h"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, ok := ParseURI(b)
		if !ok {
			return
		}
		last := uint32(0)
		for _, s := range []Span{u.Scheme, u.User, u.Password, u.Host, u.Params, u.Headers} {
			if s.Empty() {
				continue
			}
			if s.Start < last || int(s.End) > len(b) {
				t.Fatalf("%q: %+v", b, u)
			}
			last = s.End
		}
		for _, c := range b {
			if c <= ' ' || c >= 0x7f || c == '<' || c == '>' || c == '"' {
				t.Fatalf("accepted %q", b)
			}
		}
		for name := range Params(u.Params.Of(b)) {
			if _, found := Param(u.Params.Of(b), string(name)); !found {
				t.Fatalf("%q: parameter %q is yielded and not found", b, name)
			}
		}
		secondURI(t, b, &u)
		ParseAddr(u.Host.Of(b))
		if !EqualHost(u.Host.Of(b), AppendHost(nil, u.Host.Of(b))) {
			t.Fatalf("host of %q is not its own key", b)
		}
		if len(AppendUnescaped(nil, b)) > len(b) {
			t.Fatalf("%q grew", b)
		}
	})
}
