package wire

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestFaultsHaveNames(t *testing.T) {
	label := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	seen := map[string]bool{}
	for f := range Faults() {
		if !label.MatchString(f.String()) || seen[f.String()] {
			t.Errorf("fault %d: label %q", f, f)
		}
		seen[f.String()] = true
		if !slices.Contains([]int{0, 400, 414, 416, 420, 483, 505, 513}, f.Code()) {
			t.Errorf("%v: code %d", f, f.Code())
		}
	}
	if len(seen) != int(numFaults)-1 || FaultNone.Code() != 0 || Fault(255).Code() != 0 || Fault(255).String() != "unknown" {
		t.Errorf("%d faults", len(seen))
	}
}

// request is OPTIONS with one line replaced, or removed by an empty text.
func changed(old, text string) []byte {
	raw := options("Max-Forwards: 70\nContent-Type: text/plain\n")
	if !bytes.Contains(raw, []byte(old)) {
		panic("no " + old)
	}
	return bytes.Replace(raw, []byte(old), crlf(text), 1)
}

// TestEveryFault: each refusal can happen, and by the shortest change that deserves it.
func TestEveryFault(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	rows := []struct {
		want Fault
		raw  []byte
	}{
		{FaultTooLarge, append(options(""), long(64<<10)...)},
		{FaultHeaderBytes, options("Subject: " + long(32<<10) + "\n")},
		{FaultHeaderBytes, append([]byte("OPTIONS "), long(40<<10)...)},
		{FaultHeaderCount, options(strings.Repeat("A: 1\n", 128))},
		{FaultTruncated, nil},
		{FaultTruncated, []byte("OPTIONS")},
		{FaultTruncated, []byte("OPTIONS sip:a SIP/2.0\r\n")},
		{FaultTruncated, options("")[:len(options(""))-2]},
		{FaultStartLine, []byte("\r\n\r\n")},
		{FaultStartLine, []byte("\r\nOPTIONS sip:a SIP/2.0\r\n\r\n")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "OPTIONS sip:acme.example")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "OPTIONS sip:acme.example SIP/2")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "OPTIONS sip:acme.example HTTP/1.1")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "OPTIONS\tsip:acme.example SIP/2.0")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "OPT(ONS sip:acme.example SIP/2.0")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "OPTIONS sip:acme\xc3\xa9.example SIP/2.0")},
		{FaultStartLine, changed("OPTIONS sip:acme.example SIP/2.0", "SIP/2.0")},
		{FaultStatusCode, changed("OPTIONS sip:acme.example SIP/2.0", "SIP/2.0 200")},
		{FaultStatusCode, changed("OPTIONS sip:acme.example SIP/2.0", "SIP/2.0 099 x")},
		{FaultStatusCode, changed("OPTIONS sip:acme.example SIP/2.0", "SIP/2.0 700 x")},
		{FaultStatusCode, changed("OPTIONS sip:acme.example SIP/2.0", "SIP/2.0 20 x")},
		{FaultBareCR, changed("70", "7\r0")},
		{FaultBareCR, changed("sip:acme", "\rsip:acme")},
		{FaultBareLF, []byte(strings.ReplaceAll(string(options("")), "\r\n", "\n") + "\r\n\r\n")},
		{FaultBareLF, bytes.Replace(options("Subject: x\n"), []byte("x\r\n"), []byte("x\n"), 1)},
		{FaultControl, changed("text/plain", "text\x01plain")},
		{FaultControl, changed("sip:acme", "\x00sip:acme")},
		{FaultFold, []byte("OPTIONS sip:a SIP/2.0\r\n \r\n\r\n")},
		{FaultHeaderName, options("no colon\n")},
		{FaultHeaderName, options(": no name\n")},
		{FaultHeaderName, options("N\xc3\xa4me: x\n")},
		{FaultDuplicateHeader, options("t: <sip:x@example.com>\n")},
		{FaultDuplicateHeader, options("Max-Forwards: 1\nmax-forwards: 1\n")},
		{FaultDuplicateHeader, options("c: a/b\nContent-Type: a/b\n")},
		{FaultDuplicateLength, options("l: 0\n")},
		{FaultNoVia, changed("Via:", "Xia:")},
		{FaultNoFrom, changed("From:", "Xrom:")},
		{FaultNoTo, changed("To:", "Xo:")},
		{FaultNoCallID, changed("Call-ID:", "Xall-ID:")},
		{FaultNoCSeq, changed("CSeq:", "XSeq:")},
		{FaultContentLength, changed("Content-Length: 0", "Content-Length:")},
		{FaultContentLength, changed("Content-Length: 0", "Content-Length: 00000000")},
		{FaultContentLength, changed("Content-Length: 0", "Content-Length: 0, 0")},
		{FaultContentLength, changed("Content-Length: 0", "Content-Length: +0")},
		{FaultContentLength, changed("Content-Length: 0", "Content-Length: 0\n 0")},
		{FaultBodyShort, changed("Content-Length: 0", "Content-Length: 1")},
		{FaultMaxForwards, changed("70", "256")},
		{FaultMaxForwards, changed("70", "")},
		{FaultMaxForwards, changed("70", "-1")},
		{FaultCallID, changed("Call-ID: c", "Call-ID: c d")},
		{FaultCallID, changed("Call-ID: c", "Call-ID:")},
		{FaultCallID, changed("Call-ID: c", "Call-ID: \xc3\xa9")},
		{FaultCallIDTooLong, changed("Call-ID: c", "Call-ID: "+long(257))},
		{FaultCSeq, changed("1 OPTIONS", "2147483648 OPTIONS")},
		{FaultCSeq, changed("1 OPTIONS", "1OPTIONS")},
		{FaultCSeq, changed("1 OPTIONS", "1")},
		{FaultCSeq, changed("1 OPTIONS", "OPTIONS")},
		{FaultCSeq, changed("1 OPTIONS", "1 OPTIONS x")},
		{FaultVia, changed("127.0.0.1", "")},
		{FaultVia, changed("127.0.0.1", "127.0.0.1:0")},
		{FaultVia, changed("127.0.0.1", "127.0.0.1:65536")},
		{FaultVia, changed("127.0.0.1", "127.0.0.1:")},
		{FaultVia, changed("127.0.0.1", "[::1")},
		{FaultVia, changed("127.0.0.1", "::1")},
		{FaultVia, changed("127.0.0.1", "127.0.0.1 x")},
		{FaultVia, changed(";branch=z9hG4bKx", ";branch=")},
		{FaultVia, changed(";branch=z9hG4bKx", ";branch")},
		{FaultVia, changed(";branch=z9hG4bKx", ";received")},
		{FaultVia, changed(";branch=z9hG4bKx", ";")},
		{FaultVia, changed(";branch=z9hG4bKx", ";rport=65536")},
		{FaultVia, changed(";branch=z9hG4bKx", ",")},
		{FaultVia, changed("SIP/2.0/UDP ", "SIP/2.0 ")},
		{FaultVia, changed("SIP/2.0/UDP ", "SIP/2.0/UDP")},
		{FaultBranchTooLong, changed("z9hG4bKx", "z9hG4bK"+long(250))},
		{FaultBranchTooLong, options("Via: SIP/2.0/UDP a;branch=" + long(257) + "\n")},
		{FaultFrom, changed("<sip:a@acme.example>", "\"a <sip:a@acme.example>")},
		{FaultFrom, changed("<sip:a@acme.example>", "a, b <sip:a@acme.example>")},
		{FaultFrom, changed("<sip:a@acme.example>", "<sip:a@acme.example")},
		{FaultFrom, changed("<sip:a@acme.example>", "<>")},
		{FaultFrom, changed("<sip:a@acme.example>", "<sip:a@acme.example>, <sip:b@acme.example>")},
		{FaultFrom, changed(";tag=1", ";tag")},
		{FaultFrom, changed(";tag=1", ";tag=\"1\"")},
		{FaultTo, changed("<sip:b@acme.example>", "")},
		{FaultTo, changed("<sip:b@acme.example>", "\"b\" sip:b@acme.example")},
		{FaultTo, changed("<sip:b@acme.example>", "sip:b@acme.example?x=y")},
		{FaultTagTooLong, changed(";tag=1", ";tag="+long(257))},
		{FaultDuplicateParam, changed(";tag=1", ";tag=1;TAG=1")},
		{FaultDuplicateParam, changed(";branch=z9hG4bKx", ";branch=a;Branch=b")},
		{FaultDuplicateParam, changed(";branch=z9hG4bKx", ";rport;rport=1")},
		{FaultDuplicateParam, changed(";branch=z9hG4bKx", ";received=a;received=b")},
		{FaultURITooLong, changed("sip:acme.example", "sip:"+long(1021))},
		{FaultURITooLong, changed("sip:b@acme.example", "sip:"+long(1021))},
		{FaultVersion, changed("SIP/2.0\r", "SIP/3.0\r")},
		{FaultCSeqMethod, changed("1 OPTIONS", "1 options")},
		{FaultRequestURI, changed("sip:acme.example", "acme.example")},
		{FaultRequestURI, changed("sip:acme.example", "sip:a@b@acme.example")},
		{FaultRequestURI, changed("sip:acme.example", "sip:%zz@acme.example")},
		{FaultRequestURI, changed("sip:acme.example", "*")},
		{FaultScheme, changed("sip:acme.example", "http://acme.example/")},
		{FaultFromURI, changed("<sip:a@acme.example>", "<sip:a@>")},
		{FaultFromURI, changed("<sip:a@acme.example>", "a")},
		{FaultToURI, changed("<sip:b@acme.example>", "<sip:b@acme.example:x>")},
		{FaultToURI, changed("<sip:b@acme.example>", "*")},
		{FaultContact, register("Contact: <sip:a@b>, *\n")},
		{FaultContact, register("Contact: \"a <sip:a@b>\n")},
		{FaultContact, register("m: a@b\n")},
		{FaultHops, changed("Max-Forwards: 70", "Max-Forwards: 0")},
		{FaultNextVia, response("Via: SIP/2.0/UDP 255.255.255.255\n")},
		{FaultNextVia, response("Via: SIP/2.0/UDP 224.0.1.75\n")},
		{FaultNextVia, response("Via: SIP/2.0/UDP 0.0.0.0\n")},
		{FaultNextVia, response("Via: SIP/2.0/UDP [ff02::1]:5060\n")},
		{FaultNextVia, response("Via: SIP/2.0/UDP a.example;received=255.255.255.255\n")},
		{FaultProxyRequire, options("Proxy-Require: privacy\n")},
	}
	seen := map[Fault]bool{}
	for _, c := range rows {
		var m Message
		f := judge(&m, c.raw)
		if f != c.want {
			t.Errorf("got %v, want %v:\n%.300q", f, c.want, c.raw)
		}
		seen[f] = true
	}
	if _, _, f := Frame(changed("Content-Length: 0\r\n", ""), nil); f == FaultNoContentLength {
		seen[f] = true
	}
	for f := range Faults() {
		if !seen[f] {
			t.Errorf("%v never happened", f)
		}
	}
}

func register(lines string) []byte {
	return bytes.ReplaceAll(options(lines), []byte("OPTIONS"), []byte("REGISTER"))
}

// response is a 200 with these lines after the topmost Via.
func response(lines string) []byte {
	return bytes.Replace(options(lines), []byte("OPTIONS sip:acme.example SIP/2.0"), []byte("SIP/2.0 200 OK"), 1)
}

// TestAccepted: what must not be refused, because it is legal or because it is out there.
func TestAccepted(t *testing.T) {
	for _, raw := range [][]byte{
		options(""),
		changed("SIP/2.0\r", "sip/2.0\r"),
		changed("Content-Length: 0", "Content-Length:\n 0000000 "),
		changed("Content-Length: 0\r\n", ""),
		changed("Call-ID: c", "Call-ID: a==@b@c$&"),
		changed("127.0.0.1", "[2001:db8::1]:5061"),
		changed("127.0.0.1", "127.0.0.1 : 5060 "),
		changed("127.0.0.1", "pc_7.example"),
		changed(";branch=z9hG4bKx", ""),
		changed(";branch=z9hG4bKx", ";rport"),
		changed(";branch=z9hG4bKx", ";received=2001:db8::1;ttl=1;x=\"a;b,c\";y"),
		changed("<sip:a@acme.example>", "Sales & Support (Fl. 2) <sip:a@acme.example>"),
		changed("<sip:a@acme.example>", "J\xc3\xbcrgen <sip:a@acme.example>"),
		changed("<sip:a@acme.example>", "\"a \\\" b, <c>\"<sip:a@acme.example>"),
		changed("<sip:a@acme.example>", "tel:+1-303-555-1212"),
		changed(";tag=1", ";x=\"a;tag=2\";tag=1;y"),
		changed("sip:acme.example", "tel:911;phone-context=+1"),
		changed("sip:acme.example", "urn:service:sos"),
		changed("sip:acme.example", "sip:*72#@acme.example"),
		register("Contact: *\n"),
		register("Contact: <sip:a@b>;q=0.1, \"x, y\" <sip:c@d>\nm: tel:+13035551212\n"),
		response("Via: SIP/2.0/UDP 192.0.2.1\n"),
		response("Via: SIP/2.0/UDP 255.255.255.255;received=192.0.2.1\n"),
		options("Supported:\n"),
		options("Proxy-Require:\n"),
	} {
		var m Message
		if f := judge(&m, raw); f != FaultNone {
			t.Errorf("%v:\n%q", f, raw)
		}
	}
}

// TestLimitsAreInclusive: what is exactly as long as its limit passes.
func TestLimitsAreInclusive(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, raw := range [][]byte{
		append(changed("Content-Length: 0", "Content-Length: 1000"), long(1000)...),
		changed("Call-ID: c", "Call-ID: "+long(256)),
		changed("z9hG4bKx", long(256)),
		changed(";tag=1", ";tag="+long(256)),
		changed("sip:acme.example", "sip:"+long(1020)),
	} {
		var m Message
		lim := DefaultLimits
		if f := m.Scan(raw, &lim); f != FaultNone {
			t.Errorf("%v:\n%.200q", f, raw)
		}
		lim.Message, lim.HeaderBytes, lim.Headers = len(raw), int(m.Body.Start), len(m.Headers)
		if f := m.Scan(raw, &lim); f != FaultNone {
			t.Errorf("%v at the limit:\n%.200q", f, raw)
		}
		for _, c := range []struct {
			less func(*Limits)
			want Fault
		}{
			{func(l *Limits) { l.Message-- }, FaultTooLarge},
			{func(l *Limits) { l.HeaderBytes-- }, FaultHeaderBytes},
			{func(l *Limits) { l.Headers-- }, FaultHeaderCount},
		} {
			lim := lim
			c.less(&lim)
			if f := m.Scan(raw, &lim); f != c.want {
				t.Errorf("past the limit: %v, want %v", f, c.want)
			}
		}
	}
}

// TestHostileInputIsReadOnce: no input makes reading cost its square. Each of these
// would take minutes if it did.
func TestHostileInputIsReadOnce(t *testing.T) {
	lim := Limits{Message: 8 << 20, HeaderBytes: 8 << 20, Headers: 1 << 20, CallID: 256, Branch: 256, Tag: 256, URI: 1024}
	many := func(s string) string { return strings.Repeat(s, 1<<20/len(s)) }
	for _, lines := range []string{
		"Route: " + many(`"\"`) + "\n",
		"Route: " + many(`"\",<`) + "\n",
		"Route: " + many(",") + "\n",
		"Route: " + many("<sip:a>,") + "\n",
		"Route: <sip:a>;x=" + many(`"\"`) + "\n",
		"Route: <sip:a>" + many(";a") + ";x=" + many(`\"`) + "\n",
		"Subject: " + many(" \n ") + "\n",
		"Subject: \"" + many("\\\x00") + "\"\n",
		many("a:\n"),
		many("bad\n"),
		"Via: " + many("SIP/2.0/UDP a,") + "SIP/2.0/UDP a\n",
	} {
		raw := options(lines)
		var (
			m Message
			s Splice
		)
		m.Scan(raw, &lim)
		s.Reset(&m)
		for e := range m.Elems(HRoute) {
			Param(e.Whole.Of(raw), "none")
			s.DeleteElem(e)
		}
		s.AppendTo(nil)
		var fr = Framer{Limits: &lim}
		fr.Next(raw)
	}
	for range Params([]byte(many(`"\"`))) {
	}
}
