package record

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

func FuzzMessage(f *testing.F) {
	for _, c := range loadCorpus(f) {
		for _, l := range append([]Leg{c.x.Near}, c.x.Far...) {
			for _, m := range l.Messages {
				f.Add(m.Raw)
			}
		}
	}
	r := NewRedactor(testKey, "acme", "49")
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.Message
		reads := m.Scan(raw, nil) == wire.FaultNone
		out := r.Message(raw)
		if reads != (out != nil) {
			t.Fatalf("%q scans: %v, redacted: %q", raw, reads, out)
		}
		if out == nil {
			return
		}
		if fault := m.Scan(out, nil); fault != wire.FaultNone {
			t.Fatalf("%q\nbecomes\n%q\nwhich does not scan: %s", raw, out, fault)
		}
		if again := r.Message(out); !bytes.Equal(again, out) {
			t.Fatalf("%q\nbecomes\n%q\nand then\n%q", raw, out, again)
		}
		if runs := leaked(raw, out); len(runs) > 0 {
			t.Fatalf("%q\nleaks %s into\n%q", raw, runs, out)
		}
	})
}

// FuzzOf cuts its input at NUL bytes into messages; the first byte of each says whose they are.
func FuzzOf(f *testing.F) {
	for _, c := range loadCorpus(f) {
		var all [][]byte
		for i, l := range append([]Leg{c.x.Near}, c.x.Far...) {
			for _, m := range l.Messages {
				flags := byte('@' + i<<1)
				if m.Upstream {
					flags |= 1
				}
				all = append(all, append([]byte{flags}, m.Raw...))
			}
		}
		f.Add(bytes.Join(all, []byte{0}))
	}
	r := NewRedactor(testKey, "acme", "49")
	f.Fuzz(func(t *testing.T, in []byte) {
		x := &Exchange{Tenant: "t", CallID: "c", Near: Leg{Party: "phone"}, Far: make([]Leg, 4)}
		at := int64(0)
		for part := range bytes.SplitSeq(in, []byte{0}) {
			if len(part) == 0 {
				continue
			}
			at += int64(part[0]) * 1e6
			l := &x.Near
			if n := int(part[0]>>1) & 7; n > 0 && n <= len(x.Far) {
				l = &x.Far[n-1]
				l.Held = time.Duration(at / 2)
			}
			l.Messages = append(l.Messages, Message{At: at, Upstream: part[0]&1 == 1, Unexpected: part[0]&16 != 0, Raw: part[1:]})
		}
		call := Of(x, nil, r)
		got, err := json.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 1<<20 {
			t.Fatalf("a record of %d bytes", len(got))
		}
		again, _ := json.Marshal(Of(r.Exchange(x), nil, nil))
		if !bytes.Equal(got, again) {
			t.Fatalf("the record of the kept exchange is another:\n%s\n%s", got, again)
		}
		if s := call.Scenario(); len(s) > 160 {
			t.Fatalf("scenario %q", s)
		}
	})
}
