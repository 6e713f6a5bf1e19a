package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// stream feeds pieces to a Framer as a connection would and names what comes out.
func stream(pieces ...[]byte) (out []string) {
	var (
		fr  Framer
		buf []byte
	)
	for _, p := range pieces {
		buf = append(buf, p...)
		for {
			n, kind, f := fr.Next(buf)
			if f != FaultNone {
				return append(out, f.String())
			}
			if kind == FrameMore {
				break
			}
			switch {
			case kind == FrameMessage:
				out = append(out, string(buf[:n]))
			case fr.Ping():
				out = append(out, "ping")
			default:
				out = append(out, "crlf")
			}
			buf = buf[n:]
		}
	}
	if len(buf) > 0 {
		out = append(out, "more")
	}
	return out
}

func TestFrameSplitAtEveryByte(t *testing.T) {
	second := options("Subject: x\n")
	all, want := slices.Concat(invite, second), []string{string(invite), string(second)}
	for i := range len(all) + 1 {
		if got := stream(all[:i], all[i:]); !slices.Equal(got, want) {
			t.Fatalf("split at %d: %q", i, got)
		}
	}
	pieces := make([][]byte, len(all))
	for i := range all {
		pieces[i] = all[i : i+1]
	}
	if got := stream(pieces...); !slices.Equal(got, want) {
		t.Fatalf("byte by byte: %q", got)
	}
}

func TestFrameKeepalives(t *testing.T) {
	msg := string(options(""))
	for _, c := range []struct{ in, want string }{
		{"\r\n\r\n", "ping"},
		{"\r\n", "crlf"},
		{"\r|\n", "crlf"},
		{"\r\n|\r\n", "crlf ping"},
		{"\r\n\r|\n", "crlf ping"},
		{"\r\n\r\n\r\n\r\n", "ping ping"},
		{"\r\n|\r\n|\r\n", "crlf ping crlf"},
		{"\r\n\r\nM", "ping M"},
		{"\r\n|M\r\n", "crlf M crlf"},
		{"\r\n|M|\r\n\r\n", "crlf M ping"},
		{"M\r\n\r\nM", "M ping M"},
		{"\r", "more"},
		{"", ""},
	} {
		var pieces [][]byte
		for _, p := range strings.Split(c.in, "|") {
			pieces = append(pieces, []byte(strings.ReplaceAll(p, "M", msg)))
		}
		got := strings.ReplaceAll(strings.Join(stream(pieces...), " "), msg, "M")
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	if n, kind, f := Frame([]byte("\r\n\r\nX"), nil); n != 4 || kind != FrameKeepalive || f != FaultNone {
		t.Errorf("ping: %d %v %v", n, kind, f)
	}
}

func TestFrameFaults(t *testing.T) {
	small := &Limits{Message: 400, HeaderBytes: 250, Headers: 128, CallID: 256, Branch: 256, Tag: 256, URI: 1024}
	head := func(raw []byte) int { return bytes.Index(raw, []byte("\r\n\r\n")) + 4 }
	for _, c := range []struct {
		raw  []byte
		lim  *Limits
		want Fault
		n    bool // the header section is handed out, to be answered
	}{
		{changed("Content-Length: 0\r\n", ""), nil, FaultNoContentLength, true},
		{changed("Content-Length: 0", "Content-Length: -1"), nil, FaultContentLength, true},
		{changed("Content-Length: 0", "Content-Length: 99999999"), nil, FaultContentLength, true},
		{changed("Content-Length: 0", "Content-Length: 9999999"), nil, FaultTooLarge, true},
		{changed("Content-Length: 0", "Content-Length: \x000"), nil, FaultContentLength, true},
		{changed("Content-Length: 0", "Content-Length: 0\nl : 0"), nil, FaultDuplicateLength, true},
		{changed("Content-Length: 0", "Content-Length\x85: 0"), nil, FaultContentLength, true},
		{tortureMessage(t, "mcl01"), nil, FaultDuplicateLength, true},
		{options("Subject: a\rb\n"), nil, FaultBareCR, true},
		{bytes.Replace(options("Subject: a_\n"), []byte("_\r"), []byte("_"), 1), nil, FaultBareLF, true},
		{bytes.Replace(options(""), []byte("2.0\r"), []byte("2.0"), 1), nil, FaultBareLF, true},
		{[]byte("\nOPTIONS"), nil, FaultBareLF, false},
		{[]byte("\rOPTIONS"), nil, FaultBareCR, false},
		{[]byte("\x16\x03\x01"), nil, FaultStartLine, false}, // a TLS hello
		{[]byte(strings.Repeat("x", 32<<10)), nil, FaultHeaderBytes, false},
		{options(strings.Repeat("A: 1\n", 50)), small, FaultHeaderBytes, false},
		{append(changed("Content-Length: 0", "Content-Length: 300"), bytes.Repeat([]byte("x"), 300)...), small, FaultTooLarge, true},
	} {
		n, kind, f := Frame(c.raw, c.lim)
		if f != c.want || kind != FrameMore || (n != 0) != c.n || n != 0 && n != head(c.raw) {
			t.Errorf("got %v (%d bytes, kind %d), want %v:\n%.200q", f, n, kind, c.want, c.raw)
		}
	}
	// What is framed wrongly can still be answered before the stream is closed.
	raw := tortureMessage(t, "mcl01")
	n, _, _ := Frame(raw, nil)
	var m Message
	if f := m.Scan(raw[:n], nil); f != FaultDuplicateLength || !m.Answerable {
		t.Errorf("mcl01: %v, answerable %v", f, m.Answerable)
	}
}

func TestFrameWaitsForTheBody(t *testing.T) {
	raw := tortureMessage(t, "clerr")
	if n, kind, f := Frame(raw, nil); n != 0 || kind != FrameMore || f != FaultNone {
		t.Errorf("%d %v %v", n, kind, f)
	}
}

func TestFramerAllocatesNothing(t *testing.T) {
	var fr Framer
	if n := testing.AllocsPerRun(100, func() { fr.Next(invite[:100]); fr.Next(invite) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFramer(b *testing.B) {
	var fr Framer
	for b.Loop() {
		if _, kind, _ := fr.Next(invite); kind != FrameMessage {
			b.Fatal(kind)
		}
	}
}
