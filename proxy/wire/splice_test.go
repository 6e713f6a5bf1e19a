package wire

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

func TestSpliceIdentity(t *testing.T) {
	var s Splice
	s.Reset(mustScan(t, invite))
	if got := s.AppendTo(nil); !bytes.Equal(got, invite) {
		t.Errorf("changed:\n%s", got)
	}
}

// options is a small request with these header lines added after the Via.
func options(lines string) []byte {
	return crlf("OPTIONS sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\n" + lines +
		"From: <sip:a@acme.example>;tag=1\nTo: <sip:b@acme.example>\nCall-ID: c\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n")
}

func TestDeleteElem(t *testing.T) {
	for _, c := range []struct {
		in   string // lines of Route
		gone string // which elements, counted from 0, in this order
		want string
	}{
		{"Route: <sip:a;lr>\n", "0", ""},
		{"Route: <sip:a;lr>, <sip:b>\n", "0", "Route: <sip:b>\n"},
		{"Route: <sip:a;lr>, <sip:b>\n", "1", "Route: <sip:a;lr>\n"},
		{"Route: <sip:a;lr>, <sip:b>\n", "01", ""},
		{"Route: <sip:a;lr>, <sip:b>\n", "10", ""},
		{"Route: <sip:a>,<sip:b>  ,\t<sip:c>\n", "02", "Route: <sip:b>\n"},
		{"Route: <sip:a>, <sip:b>, <sip:c>\n", "1", "Route: <sip:a>, <sip:c>\n"},
		{"Route: <sip:a>, <sip:b>, <sip:c>\n", "21", "Route: <sip:a>\n"},
		{"Route: <sip:a>, <sip:b>, <sip:c>\n", "01", "Route: <sip:c>\n"},
		{"Route: <sip:a>\nRoute: <sip:b>, <sip:c>\n", "01", "Route: <sip:c>\n"},
		{"Route: \"a, b\" <sip:a,b>, <sip:c>\n", "0", "Route: <sip:c>\n"},
		{"Route: <sip:a>,, <sip:c>,\n", "1", "Route: <sip:a>\n"},
		{"Route: <sip:a>,\n <sip:b>,\n\t<sip:c>\n", "1", "Route: <sip:a>, <sip:c>\n"},
		{"Route: <sip:a>,\n <sip:b>\n", "1", "Route: <sip:a>\n"},
	} {
		m := mustScan(t, options(c.in))
		var elems []Elem
		for e := range m.Elems(HRoute) {
			elems = append(elems, e)
		}
		var s Splice
		s.Reset(m)
		for _, d := range c.gone {
			s.DeleteElem(elems[d-'0'])
		}
		got := s.AppendTo(nil)
		if !bytes.Equal(got, options(c.want)) {
			t.Errorf("%q without %s:\n%s", c.in, c.gone, got)
		}
		mustScan(t, got)
	}
}

func TestSpliceOrder(t *testing.T) {
	m := mustScan(t, options("Subject: x\n"))
	var s Splice
	s.Reset(m)
	subject := m.Headers[m.Find(HSubject)]
	s.Insert(subject.Value.End, []byte("3"))
	s.DeleteHeader(m.Find(HFrom))
	s.Insert(subject.Value.Start, []byte("1"))
	s.Insert(subject.Value.Start, []byte("2"))
	s.Insert(m.Headers[m.Find(HFrom)].Value.Start, []byte("Kept: insert into what is deleted\r\n"))
	s.Replace(m.Headers[m.Find(HTo)].Value, []byte("<sip:c@acme.example>"))
	s.EndHeaders([]byte("Last: 1\r\n"))
	s.Insert(1<<32-1, []byte("end"))
	want := strings.NewReplacer("Subject: x", "Subject: 12x3", "From: <sip:a@acme.example>;tag=1\r\n", "Kept: insert into what is deleted\r\n",
		"<sip:b@", "<sip:c@", "Length: 0\r\n\r\n", "Length: 0\r\nLast: 1\r\n\r\nend").Replace(string(m.Raw))
	for range 2 {
		if got := string(s.AppendTo(nil)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestSpliceUnfolds(t *testing.T) {
	m := mustScan(t, options("Subject: one \t\n \ttwo\n three\nX: \"a\n b\"\n"))
	var s Splice
	s.Reset(m)
	got := s.AppendTo(nil)
	if want := options("Subject: one two three\nX: \"a b\"\n"); !bytes.Equal(got, want) {
		t.Errorf("got\n%s", got)
	}
}

func TestSpliceDropsTrailing(t *testing.T) {
	raw := append(options(""), "INVITE sip:second SIP/2.0\r\n"...)
	m := mustScan(t, raw)
	if m.Trailing != 27 {
		t.Errorf("trailing %d", m.Trailing)
	}
	var s Splice
	s.Reset(m)
	if got := s.AppendTo(nil); !bytes.Equal(got, options("")) {
		t.Errorf("got\n%s", got)
	}
}

func TestAddContentLength(t *testing.T) {
	raw := bytes.Replace(options(""), []byte("Content-Length: 0\r\n"), nil, 1)
	raw = append(raw, "0123456789"...)
	var s Splice
	s.Reset(mustScan(t, raw))
	s.AddContentLength()
	got := s.AppendTo(nil)
	if m := mustScan(t, got); m.ContentLength != 10 || m.text(m.Body) != "0123456789" {
		t.Errorf("got\n%s", got)
	}
	s.Reset(mustScan(t, got))
	s.AddContentLength()
	if again := s.AppendTo(nil); !bytes.Equal(again, got) {
		t.Errorf("a second one:\n%s", again)
	}
}

func TestAppendReceived(t *testing.T) {
	src := netip.MustParseAddrPort("192.0.2.1:4000")
	for _, c := range []struct {
		via, want string
		src       netip.AddrPort
		force     bool
	}{
		{"192.0.2.1;branch=z", "192.0.2.1;branch=z", src, false},
		{"192.0.2.1", "192.0.2.1", src, false},
		{"192.0.2.1;branch=z", "192.0.2.1;branch=z;rport=4000;received=192.0.2.1", src, true},
		{"192.0.2.2;branch=z", "192.0.2.2;branch=z;received=192.0.2.1", src, false},
		{"pc.example;branch=z", "pc.example;branch=z;received=192.0.2.1", src, false},
		{"192.0.2.1;rport;branch=z", "192.0.2.1;rport=4000;branch=z;received=192.0.2.1", src, false},
		{"192.0.2.1;rport=1;branch=z", "192.0.2.1;rport=4000;branch=z;received=192.0.2.1", src, false},
		{"192.0.2.1;received=10.0.0.1;branch=z", "192.0.2.1;received=192.0.2.1;branch=z", src, false},
		{"192.0.2.1;received=10.0.0.1;branch=z;rport", "192.0.2.1;received=192.0.2.1;branch=z;rport=4000", src, false},
		{"192.0.2.1;received=10.0.0.1;branch=z", "192.0.2.1;received=192.0.2.1;branch=z;rport=4000", src, true},
		{"[2001:db8::1]:5060;branch=z", "[2001:db8::1]:5060;branch=z", netip.MustParseAddrPort("[2001:db8::1]:5060"), false},
		{"[2001:db8::2]:5060;branch=z", "[2001:db8::2]:5060;branch=z;received=2001:db8::1", netip.MustParseAddrPort("[2001:db8::1]:5060"), false},
		{"192.0.2.1;branch=z", "192.0.2.1;branch=z", netip.MustParseAddrPort("[::ffff:192.0.2.1]:5060"), false},
		{"192.0.2.2;branch=z , SIP/2.0/UDP 192.0.2.3", "192.0.2.2;branch=z;received=192.0.2.1 , SIP/2.0/UDP 192.0.2.3", src, false},
	} {
		request := func(via string) []byte {
			return bytes.Replace(options(""), []byte("127.0.0.1;branch=z9hG4bKx"), []byte(via), 1)
		}
		m := mustScan(t, request(c.via))
		var s Splice
		s.Reset(m)
		m.AppendReceived(&s, c.src, c.force)
		if got := s.AppendTo(nil); !bytes.Equal(got, request(c.want)) {
			t.Errorf("%s:\n%s", c.via, got)
		}
		m.Stamped(c.src, c.force)
		answer := string(m.AppendResponse(nil, 400, "Bad Request", nil, nil))
		if via, _, _ := strings.Cut(strings.TrimPrefix(answer, "SIP/2.0 400 Bad Request\r\n"), "\r\n"); via != "Via: SIP/2.0/UDP "+c.want {
			t.Errorf("%s: answered with %q", c.via, via)
		}
	}
}

func TestSpliceAllocatesNothing(t *testing.T) {
	m := mustScan(t, invite)
	var s Splice
	var elem Elem
	for e := range m.Elems(HSupported) {
		elem = e
	}
	src := netip.MustParseAddrPort("192.0.2.1:4000")
	via, rr := []byte("Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\n"), []byte("Record-Route: <sip:x;lr>\r\n")
	dst := make([]byte, 0, 4096)
	n := testing.AllocsPerRun(100, func() {
		s.Reset(m)
		m.AppendReceived(&s, src, true)
		s.Insert(m.Headers[m.Find(HVia)].Line.Start, via)
		s.Insert(m.Headers[m.Find(HVia)].Line.Start, rr)
		s.Replace(m.Headers[m.Find(HMaxForwards)].Value, via[:2])
		s.DeleteElem(elem)
		dst = s.AppendTo(dst[:0])
		for range m.Elems(HContact) {
		}
		m.Stamped(src, true)
		dst = m.AppendResponse(dst[:0], 100, "Trying", nil, nil)
		dst = m.AppendHop(dst[:0], "CANCEL", nil, nil)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSplice(b *testing.B) {
	m := mustScan(b, invite)
	var s Splice
	via := []byte("Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKq\r\n")
	dst := make([]byte, 0, 4096)
	src := netip.MustParseAddrPort("192.0.2.1:4000")
	b.ReportAllocs()
	for b.Loop() {
		s.Reset(m)
		s.Insert(m.Headers[0].Line.Start, via)
		m.AppendReceived(&s, src, true)
		s.Replace(m.Headers[m.Find(HMaxForwards)].Value, via[:2])
		dst = s.AppendTo(dst[:0])
	}
}
