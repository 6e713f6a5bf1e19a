package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// The second reader is sipgo's parser, in two ways: without knowledge of any header
// field it must see the same lines, and its typed view of the fields that we route by
// must agree with ours. Where it may differ is listed with the reason; everything else
// fails the test.

// lineParser knows no header field: each line is a name and a value.
var lineParser = sip.NewParser(sip.WithHeadersParsers(map[string]sip.HeaderParser{}))

// unreadable is why sipgo can not read a start line that is legal, or "".
func unreadable(m *Message) string {
	version, phrase := m.text(m.Version), m.text(m.Phrase)
	switch {
	case version[:3] != "SIP" && version[:3] != "sip":
		return "it knows two spellings of SIP in the version; RFC 3261 section 7.1 makes it case-insensitive"
	case !m.Request && len(phrase) >= 3 && strings.EqualFold(phrase[:3], "sip") && !strings.Contains(phrase, " "):
		return "it takes a status line with a phrase of one word in sip for a request line"
	}
	return ""
}

func secondReader(t *testing.T, m *Message) {
	if unreadable(m) != "" {
		return
	}
	msg, n, err := lineParser.ParseHeaders(m.Raw, false)
	if err != nil {
		t.Fatalf("sipgo: %v\n%q", err, m.Raw)
	}
	var headers []sip.Header
	switch msg := msg.(type) {
	case *sip.Request:
		headers = msg.Headers()
		if !m.Request || !strings.EqualFold(string(msg.Method), m.text(m.Method)) { // it writes methods in upper case
			t.Fatalf("sipgo: a request %s\n%q", msg.Method, m.Raw)
		}
	case *sip.Response:
		headers = msg.Headers()
		if m.Request || msg.StatusCode != m.Status || msg.Reason != m.text(m.Phrase) {
			t.Fatalf("sipgo: a response %d %s\n%q", msg.StatusCode, msg.Reason, m.Raw)
		}
	}
	if len(headers) != len(m.Headers) {
		t.Fatalf("sipgo: %d headers, we %d\n%q", len(headers), len(m.Headers), m.Raw)
	}
	for i, h := range headers {
		name := m.text(m.Headers[i].Name)
		// It trims Unicode white space off both ends, and an empty continuation line
		// leaves it with two spaces where we have one.
		value := strings.TrimSpace(string(m.AppendUnfolded(nil, m.Headers[i].Value)))
		theirs := h.Value()
		if m.Headers[i].Folded {
			value, theirs = oneSpace(value), oneSpace(theirs)
		}
		if h.Name() != name || theirs != value {
			t.Fatalf("sipgo: header %d is %q: %q, we %q: %q\n%q", i, h.Name(), h.Value(), name, value, m.Raw)
		}
	}
	if n != int(m.Body.Start) {
		t.Fatalf("sipgo: the body begins at %d, we %d\n%q", n, m.Body.Start, m.Raw)
	}
	secondFields(t, m, msg)
}

func oneSpace(s string) string { return strings.Join(strings.Fields(s), " ") }

// secondFields compares the fields that we route and match by.
func secondFields(t *testing.T, m *Message, msg sip.Message) {
	differ := func(what string, theirs, ours any) {
		t.Helper()
		if theirs != ours {
			t.Fatalf("sipgo: %s is %v, we %v\n%q", what, theirs, ours, m.Raw)
		}
	}
	// It trims Unicode white space, which a Call-ID of ours can not have.
	differ("Call-ID", msg.CallID().Value(), m.text(m.CallID))
	differ("CSeq", msg.CSeq().SeqNo, m.CSeq)
	// It takes all after the first space for the method, further spaces included.
	differ("CSeq method", strings.TrimSpace(string(msg.CSeq().MethodName)), m.text(m.CSeqMethod))
	if m.ContentLength >= 0 {
		differ("Content-Length", int(*msg.ContentLength()), m.ContentLength)
	}
	// It splits parameters at every ';' and '=', also in quotes, and does not trim them;
	// and it cuts the text between a quoted display name and '<' at a ';'.
	for _, c := range []struct {
		what   string
		params func() sip.HeaderParams
		uri    func() *sip.Uri
		ours   NameAddr
	}{
		{"From", func() sip.HeaderParams { return msg.From().Params }, func() *sip.Uri { return &msg.From().Address }, m.From},
		{"To", func() sip.HeaderParams { return msg.To().Params }, func() *sip.Uri { return &msg.To().Address }, m.To},
	} {
		uri := c.ours.URI.Of(m.Raw)
		if u, ok := ParseURI(uri); !ok {
			continue // in a response, where Check leaves the echo of our request alone
		} else if misread(uri, &u) != "" {
			continue
		}
		if params := m.text(c.ours.Params); !strings.ContainsAny(params, "\" \t\r\n") {
			tag := ""
			for _, kv := range c.params() {
				if strings.EqualFold(kv.K, "tag") {
					tag = kv.V
				}
			}
			// It cuts a value at its last '=', we at the first.
			if !strings.Contains(m.text(c.ours.Tag), "=") {
				differ(c.what+" tag", tag, m.text(c.ours.Tag))
			}
		}
		compareURI(t, uri, c.uri())
	}
	secondVia(t, m, msg)
}

// secondVia compares the topmost Via where it is written as everybody writes it: sipgo
// reads no white space around slashes and colons, and no comma before the first ';'.
func secondVia(t *testing.T, m *Message, msg sip.Message) {
	v := &m.TopVia
	elem, value := m.text(v.Elem), m.text(m.Headers[m.Find(HVia)].Value)
	if strings.Count(elem, " ") != 1 || strings.ContainsAny(elem, "\t\r\n\"") || elem != value {
		return
	}
	if m.Headers[m.Find(HVia)].Name.Len() == 1 && len(msg.GetHeaders("Via")) > 0 {
		return // it looks for the long name before the compact one, whichever comes first
	}
	via := msg.Via()
	if via == nil {
		t.Fatalf("sipgo: no Via\n%q", m.Raw)
	}
	branch := ""
	for _, kv := range via.Params {
		if strings.EqualFold(kv.K, "branch") {
			branch = kv.V
		}
	}
	if via.Transport != m.text(v.Transport) || via.Host != m.text(v.Host) || via.Port != int(v.Port) || branch != m.text(v.Branch) {
		t.Fatalf("sipgo: Via %s %s %d %s\n%q", via.Transport, via.Host, via.Port, branch, m.Raw)
	}
}

// misread is why sipgo reads a legal URI otherwise or not at all, or "".
func misread(b []byte, u *URI) string {
	switch {
	case bytes.ContainsFunc(u.Scheme.Of(b), func(r rune) bool { return r < 'A' }):
		return "it refuses digits, '+', '-' and '.' in a scheme; RFC 3986 section 3.1 allows them"
	case bytes.HasPrefix(u.Rest.Of(b), []byte("//")):
		return "it takes two slashes off, though a user part may begin with them"
	case u.User.Empty() && bytes.ContainsRune(b[u.Host.End:], '[') && !u.Host.Empty() && b[u.Host.Start-1] != '[':
		return "it takes a bracket in a parameter for the begin of the host"
	}
	return ""
}

// secondURI compares a URI that ParseURI has accepted.
func secondURI(t *testing.T, b []byte, ours *URI) {
	if misread(b, ours) != "" {
		return
	}
	var u sip.Uri
	if err := sip.ParseUri(string(b), &u); err != nil {
		t.Fatalf("sipgo: %q: %v", b, err)
	}
	compareURI(t, b, &u)
}

func compareURI(t *testing.T, b []byte, theirs *sip.Uri) {
	ours, ok := ParseURI(b)
	if !ok {
		t.Fatalf("%q does not parse again", b)
	}
	if !EqualFold(ours.Scheme.Of(b), theirs.Scheme) {
		t.Fatalf("sipgo: %q: scheme %q", b, theirs.Scheme)
	}
	if theirs.Scheme != "sip" && theirs.Scheme != "sips" {
		return // it looks no further
	}
	// Without angle brackets it keeps the white space after a URI.
	host := strings.Trim(strings.TrimSpace(theirs.Host), "[]")
	if string(ours.User.Of(b)) != theirs.User || string(ours.Password.Of(b)) != theirs.Password || string(ours.Host.Of(b)) != host || int(ours.Port) != theirs.Port {
		t.Fatalf("sipgo: %q: %q %q %q %d", b, theirs.User, theirs.Password, theirs.Host, theirs.Port)
	}
}

// TestSecondReader holds the torture messages against sipgo, so that a plain test run
// compares the two readers as well.
func TestSecondReader(t *testing.T) {
	read := 0
	for _, c := range torture {
		m := new(Message)
		if judge(m, tortureMessage(t, c.name)) == FaultNone {
			secondReader(t, m)
			read++
		}
	}
	if read != 23 {
		t.Errorf("%d messages were read twice", read)
	}
}
