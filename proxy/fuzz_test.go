package proxy

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// unbudgeted takes the budgets of sources away: a fuzzer is one source.
func unbudgeted(c *config.Config) {
	l := &c.Limits
	l.SourceRate, l.SourceBurst, l.ExemptRate, l.ExemptBurst, l.KnownRate, l.KnownBurst = 1e6, 1e6, 1e6, 1e6, 1e6, 1e6
}

// FuzzFlow: no bytes make openFlow panic, no flow token but one that was sealed opens, and it opens as what it was.
func FuzzFlow(f *testing.F) {
	s, p, _ := sealed(f)
	id, other := location.ID{1, 2, 3}, location.ID{4}
	flow := p.a
	token := s.appendFlow(nil, id, p.edge, &flow, p.tenant)
	f.Add(token, 0, byte(0))
	f.Add(token, len(token)-1, byte(1))
	f.Add(token, 3, byte(0x20)) // the case of a letter of the id
	f.Add(append(id.Append(nil), '.'), 1, byte(1))
	f.Add([]byte("0000000000000000.AAAAAAAA"), 20, byte(0xff))
	f.Add(bytes.Repeat([]byte("."), 400), 16, byte(0x10))
	f.Fuzz(func(t *testing.T, raw []byte, at int, flip byte) {
		var q pin
		if isFlow(raw) && s.openFlow(&q, raw) && !bytes.Equal(raw, token) {
			t.Fatalf("%q opened", raw)
		}
		changed := bytes.Clone(token)
		i := int(uint(at) % uint(len(changed)))
		changed[i] ^= flip
		if !isFlow(changed) {
			if i != idLen || flip == 0 {
				t.Fatalf("%q is no flow token", changed)
			}
			return
		}
		ok := s.openFlow(&q, changed)
		if ok != (flip == 0) {
			t.Fatalf("flipped %08b at %d: opened %v", flip, i, ok)
		}
		want := pin{kind: tokenFlow, edge: p.edge, tenant: p.tenant, a: flow}
		want.a.id = id
		if ok && q != want {
			t.Fatalf("sealed %+v, opened %+v", want, q)
		}
		if s.openFlow(&q, append(other.Append(nil), token[idLen:]...)) {
			t.Fatal("opened with another binding's id")
		}
	})
}

// untrusted are the headers that a phone may not say of itself, as any reader may find them.
var untrusted = regexp.MustCompile(`(?im)^(p-asserted-identity|remote-party-id|p-charge-info|x-hotcut-[^:]*?)[ \t]*:`)

// emitted fails unless we accept what the edge has sent, and a second reader sees the same headers.
func emitted(t *testing.T, o outgoing) *wire.Message {
	t.Helper()
	m := new(wire.Message)
	room := wire.DefaultLimits // for what we add
	room.Message, room.HeaderBytes, room.Headers = 1<<20, 1<<20, 1<<10
	if fault := m.Scan(o.msg, &room); fault != wire.FaultNone || m.Trailing != 0 {
		t.Fatalf("%v, %d bytes too many, in what the edge has sent:\n%q", fault, m.Trailing, o.msg)
	}
	if fault := m.Check(); fault != wire.FaultNone && fault != wire.FaultHops && m.Request {
		t.Fatalf("%v in what the edge has sent:\n%q", fault, o.msg)
	}
	second, _, err := sipgoLines.ParseHeaders(o.msg, false)
	if err != nil {
		return m // start lines that sipgo can not read: see proxy/wire
	}
	var headers []sip.Header
	switch x := second.(type) {
	case *sip.Request:
		headers = x.Headers()
	case *sip.Response:
		headers = x.Headers()
	}
	if len(headers) != len(m.Headers) {
		t.Fatalf("sipgo reads %d headers, we %d:\n%q", len(headers), len(m.Headers), o.msg)
	}
	return m
}

var sipgoLines = sip.NewParser(sip.WithHeadersParsers(map[string]sip.HeaderParser{}))

// FuzzEdge: whatever arrives from a phone, a platform or a stranger, and whatever the target answers, nothing panics; what
// leaves is a message that we accept ourselves; no word about identity that a phone said of itself gets through; headers
// that we do not know pass as they came; an unverified source gets no more bytes of ours than it sent.
//
// In the answer $VIA is our Via, $BELOW the sender's as we stamped it.
func FuzzEdge(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("wire", "testdata", "rfc*", "*.sip"))
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	ok := crlf("SIP/2.0 200 OK\nVia: $VIA\nVia: $BELOW\nFrom: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\n" +
		"Contact: <sip:b@10.1.0.1>;expires=60\nP-Asserted-Identity: <sip:b@example.com>\nContent-Length: 0\n\n")
	for i, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, ok, byte(i))
		f.Add(raw, ok, byte(0))
	}
	for _, method := range []string{"INVITE", "REGISTER", "SUBSCRIBE", "OPTIONS", "BYE", "ACK", "CANCEL"} {
		f.Add(crlf(method+" sip:bob@example.com SIP/2.0\nv: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bK1\nf: <sip:a@example.com>;tag=1\nt: <sip:bob@example.com>\n"+
			"i: x\nCSeq: 1 "+method+"\nm: <sip:a@192.0.2.99>\np-ASSERTED-identity : <sip:x@y>\nX-hotcut-Any: 1\nX-Other:  as it is \nl: 0\n\n"), ok, byte(0))
	}
	f.Add(crlf("INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.99\nRoute: <sip:AUQBAAAA@sip.provider.test;lr>,\n <sip:10.1.0.1>\nFrom: <sip:a@example.com>;tag=1\n"+
		"To: <sip:bob@example.com>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\n\n"), []byte("SIP/2.0 100 \r\n\r\n"), byte(1))
	q := newQuiet(f, unbudgeted, tenant("acme", policy.StageLegacy), &policy.Tenant{ID: "x", Domains: []string{"example.com"}, Stage: policy.StageCore,
		Salt: policy.MintSalt(), HashVer: 1})
	f.Fuzz(func(t *testing.T, request, response []byte, by byte) {
		q.at += 1e9
		defer q.forget()
		listener, from := quietOut, quietPhone
		switch by % 4 {
		case 1:
			listener, from = quietIn, quietLegacy
		case 2:
			listener, from = quietIn, quietCore
		case 3:
			listener, from = quietIn, quietPhone // a stranger inside
		}
		in := new(wire.Message)
		readable := in.Scan(request, &q.limits) == wire.FaultNone
		back := 0
		var passed []byte
		for _, o := range slices.Clone(q.hear(listener, from, request)) {
			if o.to.Listener == quietOut && o.to.Addr == quietPhone && bytes.HasPrefix(o.msg, []byte("SIP/2.0 ")) {
				back += len(o.msg)
			}
			if !readable { // a refusal copies what it refuses
				continue
			}
			m := emitted(t, o)
			if !m.Request || by%4 == 3 {
				if by%4 == 3 {
					t.Fatalf("a stranger got\n%q", o.msg)
				}
				continue
			}
			if by%4 == 0 && o.to.Listener == quietIn {
				head, _, _ := bytes.Cut(o.msg, []byte("\r\n\r\n"))
				if x := untrusted.Find(head); x != nil {
					t.Fatalf("%q got through:\n%q", x, o.msg)
				}
			}
			if m.CSeq == in.CSeq && !m.Is("ACK") && !m.Is("CANCEL") {
				sameOthers(t, in, m)
				passed = o.msg
			}
		}
		if back > len(request) {
			t.Fatalf("%d bytes for %d:\n%q", back, len(request), request)
		}
		if passed == nil {
			noPanic(t, q)
			return
		}
		m := new(wire.Message)
		m.Scan(passed, nil)
		var vias []string
		for e := range m.Elems(wire.HVia) {
			vias = append(vias, string(e.Whole.Of(m.Raw)))
		}
		if len(vias) < 2 {
			t.Fatalf("%d Vias left in\n%q", len(vias), passed)
		}
		text := strings.NewReplacer("$VIA", vias[0], "$BELOW", vias[1]).Replace(string(response))
		readable = new(wire.Message).Scan([]byte(text), &q.limits) == wire.FaultNone
		for _, target := range []netip.AddrPort{quietCore, quietLegacy} {
			for _, o := range slices.Clone(q.hear(quietIn, target, []byte(text))) {
				if readable {
					emitted(t, o)
				}
			}
		}
		noPanic(t, q)
	})
}

func noPanic(t *testing.T, q *quiet) {
	t.Helper()
	if q.panics.Load() > 0 {
		q.panics.Store(0)
		var said bytes.Buffer
		q.log = slog.New(slog.NewTextHandler(&said, nil))
		for len(q.lines.queue) > 0 {
			(<-q.lines.queue)()
		}
		t.Fatalf("a step panicked:\n%s", said.String())
	}
}

// sameOthers fails unless the headers that have no meaning for us are the same, in the same order.
func sameOthers(t *testing.T, in, out *wire.Message) {
	t.Helper()
	others := func(m *wire.Message) (list []string) {
		for i, h := range m.Headers {
			switch h.ID {
			case wire.HOther, wire.HSubject, wire.HUserAgent, wire.HIdentity, wire.HDate, wire.HPPI, wire.HReason, wire.HDiversion, wire.HHistoryInfo:
				list = append(list, string(h.Name.Of(m.Raw))+": "+string(m.AppendUnfolded(nil, m.Headers[i].Value)))
			}
		}
		return list
	}
	if a, b := others(in), others(out); !slices.Equal(a, b) {
		t.Fatalf("headers %q became %q", a, b)
	}
}
