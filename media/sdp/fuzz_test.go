package sdp

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func seeds(f *testing.F, add func(sdp []byte)) {
	files, err := filepath.Glob("testdata/splice/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(err, files)
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(crlf(string(ar.Files[0].Data)))
	}
	add([]byte("v=0\nc=IN IP4 192.0.2.1\nm=message 5 TCP/MSRP *\nm=audio 4000 RTP/AVP 0"))
}

// skeleton is the description without what a rewrite owns: targets of o=, whole c= and a=rtcp lines, ports, ICE lines if
// they are its. Line ends at the end of the text do not count: a line may come before them.
func skeleton(d *Description, ice ICE) []byte {
	var cuts []Span
	cuts = append(cuts, d.Origin.Span, d.Connection.Line)
	var out []byte
	at := uint32(0)
	cut := func(s Span) {
		if !s.Empty() && s.Start >= at {
			out = append(out, d.Raw[at:s.Start]...)
			at = s.End
		}
	}
	for _, m := range d.Media {
		cuts = append(cuts, m.PortSpan, m.Connection.Line, m.RTCP.Line)
	}
	for _, a := range d.Attributes {
		if a.Kind.isICE() && ice == ICERemove || (a.Kind == AttrCandidate || a.Kind == AttrRemoteCands) && ice == ICEReplace {
			cuts = append(cuts, a.Line)
		}
	}
	for len(cuts) > 0 { // lowest first
		low := 0
		for i, c := range cuts {
			if c.Start < cuts[low].Start {
				low = i
			}
		}
		cut(cuts[low])
		cuts = append(cuts[:low], cuts[low+1:]...)
	}
	return bytes.TrimRight(append(out, d.Raw[at:]...), "\r\n")
}

// FuzzSplice: no panic; all spans inside; what comes out is a description again, with the places that were asked for, and
// what is not ours is the same to the byte.
func FuzzSplice(f *testing.F) {
	seeds(f, func(b []byte) {
		f.Add(b, uint32(0xffffffff), uint16(30000), byte(1))
		f.Add(b, uint32(0b101), uint16(65535), byte(2))
		f.Add(b, uint32(0b110), uint16(40001), byte(4))
	})
	f.Fuzz(func(t *testing.T, raw []byte, which uint32, port uint16, mode byte) {
		before := bytes.Clone(raw)
		var d Description
		fault := d.Scan(raw)
		inside(t, &d)
		if fault != FaultNone {
			return
		}
		addr := netip.MustParseAddr("198.51.100.1")
		if mode&4 != 0 {
			addr = netip.MustParseAddr("2001:db8::1")
		}
		r := &Rewrite{ICE: ICE(mode&3) % 3}
		if mode&8 != 0 {
			r.Origin = addr
		}
		for i := range d.Media {
			var ep Endpoint
			if which>>(i%32)&1 != 0 {
				ep = Endpoint{Addr: addr, RTP: max(1, port+2*uint16(i))}
				if mode&16 != 0 {
					ep.RTCP = max(1, ep.RTP+uint16(mode>>5))
				}
			}
			r.Media = append(r.Media, ep)
		}
		out := d.Append(nil, r)
		if !bytes.Equal(raw, before) {
			t.Fatal("the input was written to")
		}
		if same := d.Append(nil, &Rewrite{}); !bytes.Equal(same, raw) {
			t.Fatalf("no rewrite changed\n%q\nto\n%q", raw, same)
		}
		if len(out) > MaxSize {
			return
		}
		var again Description
		switch fault := again.Scan(out); {
		case fault == FaultLineCount:
			return
		case fault != FaultNone || len(again.Media) != len(d.Media):
			t.Fatalf("%v: out of\n%q\ncame\n%q", fault, raw, out)
		}
		if a, b := skeleton(&d, r.ICE), skeleton(&again, r.ICE); !bytes.Equal(a, b) {
			t.Fatalf("not ours:\n%q\nand after:\n%q\nout of\n%q\ncame\n%q", a, b, raw, out)
		}
		for i := range d.Media {
			old, ep := &d.Media[i], r.Media[i]
			if old.Port == 0 || !ep.Addr.IsValid() {
				if again.Media[i].Port != old.Port || old.Port != 0 && !bytes.Equal(d.ConnectionOf(i).Span.Of(raw), again.ConnectionOf(i).Span.Of(out)) {
					t.Fatalf("media %d was to stay: out of\n%q\ncame\n%q", i, raw, out)
				}
				continue
			}
			if again.Media[i].Port != ep.RTP {
				t.Fatalf("media %d has port %d: out of\n%q\ncame\n%q", i, again.Media[i].Port, raw, out)
			}
			want := addr
			if d.nullHold(i) {
				want = nullLike(addr)
			}
			if got := again.ConnectionOf(i).Addr; got != want {
				t.Fatalf("media %d is at %v: out of\n%q\ncame\n%q", i, got, raw, out)
			}
			if _, rtcp := again.Endpoint(i); rtcp.IsValid() && rtcp.Addr() != addr {
				t.Fatalf("media %d has RTCP at %v: out of\n%q\ncame\n%q", i, rtcp, raw, out)
			}
		}
		for i := range d.Media {
			d.Codec(i, mode)
			d.PayloadTypes(i)
			d.SharesPort(i)
		}
	})
}

func inside(t *testing.T, d *Description) {
	n := uint32(len(d.Raw))
	in := func(spans ...Span) {
		for _, s := range spans {
			if s.Start > s.End || s.End > n {
				t.Fatalf("span %v of %d bytes: %q", s, n, d.Raw)
			}
		}
	}
	in(d.Origin.Span, d.Connection.Line, d.Connection.Span)
	for _, m := range d.Media {
		in(m.Line, m.Section, m.Type, m.Proto, m.Formats, m.PortSpan, m.Connection.Line, m.Connection.Span, m.RTCP.Line, m.RTCP.PortSpan, m.RTCP.Span, m.Mid)
	}
	for _, a := range d.Attributes {
		in(a.Line, a.Value)
	}
}

// FuzzFind: no panic; a part that is found lies inside, and put back as it is changes nothing.
func FuzzFind(f *testing.F) {
	f.Add([]byte("multipart/mixed;boundary=b"), []byte("--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"))
	f.Add([]byte(`multipart/mixed; x; boundary="b c"`), []byte("--b c\nc: multipart/a;boundary=d\n\n--d\n\n--d--\n--b c--"))
	f.Add([]byte("application/sdp"), []byte("v=0\r\n"))
	f.Fuzz(func(t *testing.T, contentType, body []byte) {
		part, found, fault := Find(contentType, body)
		if found && fault != FaultNone {
			t.Fatalf("found, and %v", fault)
		}
		if !found {
			return
		}
		if part.Start > part.End || int(part.End) > len(body) {
			t.Fatalf("part %v of %d bytes", part, len(body))
		}
		if same := Replace(nil, body, part, part.Of(body)); !bytes.Equal(same, body) {
			t.Fatalf("%q became %q", body, same)
		}
		again := Replace(nil, body, part, []byte("v=0\r\n"))
		p, found, fault := Find(contentType, again)
		if !found || fault != FaultNone || string(p.Of(again)) != "v=0\r\n" {
			t.Fatalf("%v: of %q after putting in a description: %q", fault, body, again)
		}
	})
}
