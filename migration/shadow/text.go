package shadow

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// value is a header's value without folds, "" where there is none.
func value(m *wire.Message, id wire.HeaderID) string {
	i := m.Find(id)
	if i < 0 {
		return ""
	}
	return string(m.AppendUnfolded(nil, m.Headers[i].Value))
}

// named is the value of the first header with this name, in any case; its compact form is another name.
func named(m *wire.Message, name string) (string, bool) {
	for i := range m.Headers {
		if wire.EqualFold(m.Headers[i].Name.Of(m.Raw), name) {
			return string(m.AppendUnfolded(nil, m.Headers[i].Value)), true
		}
	}
	return "", false
}

// lists reports whether a header that is a list of tokens has this one.
func lists(m *wire.Message, id wire.HeaderID, token string) bool {
	for e := range m.Elems(id) {
		if wire.EqualFold(e.Whole.Of(m.Raw), token) {
			return true
		}
	}
	return false
}

// number is the digits at the front of a header's value; ok is false where there are none, or more than an int32 holds.
func number(s string) (int, bool) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	v, err := strconv.ParseInt(s[:n], 10, 32)
	return int(v), err == nil
}

func tagOf(m *wire.Message, a wire.NameAddr) string { return string(a.Tag.Of(m.Raw)) }

// userOf is the user of a sip, sips or tel URI, unescaped, without its parameters.
func userOf(uri []byte) string {
	u, ok := wire.ParseURI(uri)
	if !ok {
		return ""
	}
	user, _, _ := strings.Cut(string(wire.AppendUnescaped(nil, u.User.Of(uri))), ";")
	return user
}

// firstURI is the URI of the first element of an address list, "" where there is none.
func firstURI(m *wire.Message, id wire.HeaderID) string {
	for e := range m.Elems(id) {
		return string(e.URI.Of(m.Raw))
	}
	return ""
}

// description is the session description that a message carries, alone or in a multipart body; nil: none.
func description(m *wire.Message) []byte {
	body := m.Body.Of(m.Raw)
	kind := value(m, wire.HContentType)
	base, params, _ := strings.Cut(kind, ";")
	base = strings.ToLower(strings.TrimSpace(base))
	switch {
	case len(body) == 0:
	case base == "application/sdp":
		return body
	case strings.HasPrefix(base, "multipart/"):
		boundary, ok := wire.Param([]byte(params), "boundary")
		if !ok {
			break
		}
		return sdpPart(body, strings.Trim(string(boundary), `"`))
	}
	return nil
}

// sdpPart finds the first part of type application/sdp (RFC 2046 section 5.1.1).
func sdpPart(body []byte, boundary string) []byte {
	mark := []byte("--" + boundary)
	for part := range bytes.SplitSeq(body, mark) {
		head, content, ok := bytes.Cut(part, []byte("\r\n\r\n"))
		if ok && bytes.Contains(bytes.ToLower(head), []byte("application/sdp")) {
			return content
		}
	}
	return nil
}

// digits is a number without what people put between its digits; "" where it is no number.
func digits(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9':
			b.WriteByte(c)
		case strings.IndexByte("+-.() ", c) >= 0:
		default:
			return ""
		}
	}
	return b.String()
}

const tail = 7 // digits of a number in which all ways to write it agree

// sameParty reports whether two users of URIs mean the same: names fold, numbers of seven digits and more agree in their last seven,
// shorter ones in all.
func sameParty(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	if strings.EqualFold(a, b) {
		return true
	}
	x, y := digits(a), digits(b)
	return len(x) >= tail && len(y) >= tail && x[len(x)-tail:] == y[len(y)-tail:]
}
