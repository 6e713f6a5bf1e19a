package record

import (
	"bytes"
	"iter"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// challenges writes each line of WWW-Authenticate or Proxy-Authenticate: who asks and how, not with which nonce.
func (w *writer) challenges(id wire.HeaderID) {
	n := 0
	for i, h := range w.m.Headers {
		if h.ID != id || n == maxElems {
			continue
		}
		n++
		scheme, params, _ := bytes.Cut(w.m.Value(i), []byte(" "))
		s := orOther(schemes.word(scheme))
		by := " "
		for name, value := range authParams(params) {
			var kept string
			switch {
			case len(s) > 512:
			case wire.EqualFold(name, "realm"):
				kept = `realm="` + w.r.tagged("n~", string(value)) + `"`
			case wire.EqualFold(name, "algorithm"):
				kept = "algorithm=" + orOther(algorithms.word(value))
			case wire.EqualFold(name, "qop"):
				kept = `qop="` + strings.Join(qopsOf(value), ",") + `"`
			case wire.EqualFold(name, "stale") && yesNo.word(value) != "":
				kept = "stale=" + yesNo.word(value)
			}
			if kept != "" {
				s += by + kept
				by = ", "
			}
		}
		w.line(id.String(), s)
	}
}

func qopsOf(b []byte) []string {
	var all []string
	for part := range bytes.SplitSeq(b, []byte(",")) {
		if q := qops.word(trim(part)); q != "" && len(all) < maxElems {
			all = append(all, q)
		}
	}
	return all
}

// authParams yields the name and value of a list like `realm="a, b", algorithm=MD5`, quotes taken off.
func authParams(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for len(b) > 0 {
			end, quoted := 0, false
			for end < len(b) && (quoted || b[end] != ',') {
				switch {
				case b[end] == '"':
					quoted = !quoted
				case b[end] == '\\' && quoted:
					end++
				}
				end++
			}
			end = min(end, len(b))
			name, value, ok := bytes.Cut(b[:end], []byte("="))
			if ok && !yield(trim(name), unquote(trim(value))) {
				return
			}
			b = b[min(end+1, len(b)):]
		}
	}
}

// unquote takes off quotes and backslashes.
func unquote(b []byte) []byte {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return b
	}
	out := make([]byte, 0, len(b)-2)
	for i := 1; i < len(b)-1; i++ {
		if b[i] == '\\' && i+1 < len(b)-1 {
			i++
		}
		out = append(out, b[i])
	}
	return out
}
