package record

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// ringHost is the host of rings in a redacted message.
const ringHost = "http://ring.invalid/"

// alert writes one element of Alert-Info or Call-Info, whose URI is a ring tone, an icon or only a place for parameters.
func (r *Redactor) alert(b []byte) string {
	a := r.readAlert(b)
	s := "<" + a.Ring + ">"
	if !strings.HasPrefix(a.Ring, "urn:") {
		s = "<" + ringHost + a.Ring + ">"
	}
	for _, p := range a.Params {
		s += ";" + p
	}
	return s
}

// readAlert reads `<http://127.0.0.1/Bellcore-dr2>;info=alert-group`, `<sip:pbx>;answer-after=0`, and what phones take
// without brackets: "ring-answer", "info=alert-autoanswer".
func (r *Redactor) readAlert(b []byte) Alert {
	var a Alert
	uri, params := b, []byte(nil)
	if open := bytes.IndexByte(b, '<'); open >= 0 {
		uri = b[open+1:]
		if end := bytes.IndexByte(uri, '>'); end >= 0 {
			uri, params = uri[:end], uri[end+1:]
		}
	} else if i := bytes.IndexByte(b, ';'); i >= 0 {
		uri, params = b[:i], b[i:]
	}
	uri = trim(uri)
	if bytes.IndexByte(uri, '=') >= 0 && bytes.IndexByte(uri, ':') < 0 {
		uri, params = nil, b // a parameter where the URI should be
	}
	switch name := ringOf(uri); {
	case rings.word(uri) != "":
		a.Ring = rings.word(uri)
	case rings.word(name) != "":
		a.Ring = rings.word(name)
	case len(name) > 0:
		a.Ring = r.tagged("n~", string(name))
	}
	for name, value := range wire.Params(params) {
		if len(a.Params) == maxElems {
			break
		}
		if p := r.alertParam(name, value); p != "" {
			a.Params = append(a.Params, p)
		}
	}
	slices.Sort(a.Params)
	a.Params = slices.Compact(a.Params)
	return a
}

func (r *Redactor) alertParam(name, value []byte) string {
	p := alertNames.word(name)
	if p == "" || len(value) == 0 {
		return p
	}
	value = bytes.ToLower(unquote(value))
	if n, ok := small(value); ok {
		return p + "=" + n
	}
	if v := alertValues.word(value); v != "" {
		return p + "=" + v
	}
	return p + "=" + r.tagged("n~", string(value))
}

// ringOf is the part of a URI that phones look at: the end of the path, or the user. The host is the platform's own, and
// would be different on each.
func ringOf(uri []byte) []byte {
	if _, rest, ok := bytes.Cut(uri, []byte("://")); ok {
		_, path, _ := bytes.Cut(rest, []byte("/"))
		return path[bytes.LastIndexByte(path, '/')+1:]
	}
	if u, ok := wire.ParseURI(uri); ok && (wire.EqualFold(u.Scheme.Of(uri), "sip") || wire.EqualFold(u.Scheme.Of(uri), "sips")) {
		return u.User.Of(uri)
	}
	return uri
}
