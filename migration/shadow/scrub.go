package shadow

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/proxy/wire"
)

// scrubber takes out of text every place at which somebody could be reached: what stays is the tenant's own domains (that the
// dark core serves), the sink, and numbers. It is a rule about text and not about headers, since nobody knows which header a
// platform follows one day.
type scrubber struct {
	domains []string // of the tenant, lower case
	sink    string   // host:port of the shadow listener
	hole4   string   // an address where nobody is
}

const (
	hole6    = "2001:db8::1"
	holeName = "shadow.invalid"
)

// scrub is text without addresses. names also takes out what looks like the name of a host.
func (s *scrubber) scrub(text string, names bool) string {
	var out strings.Builder
	out.Grow(len(text) + 16)
	for i := 0; i < len(text); {
		if n := schemeAt(text, i); n > 0 {
			i += s.uri(&out, text[i:], n)
			continue
		}
		c := text[i]
		switch {
		case c == '[':
			if end := strings.IndexByte(text[i:], ']'); end > 0 && isAddr(text[i+1:i+end]) {
				out.WriteString("[" + hole6 + "]")
				i = skipPort(text, i+end+1)
				continue
			}
			out.WriteByte(c)
			i++
		case wordByte(c):
			end := i
			for end < len(text) && wordByte(text[end]) {
				end++
			}
			word := text[i:end]
			if six := longest6(text, i); six > end {
				out.WriteString(hole6)
				i = six
				continue
			}
			trim := strings.TrimRight(word, ".")
			switch {
			case isAddr(trim):
				out.WriteString(s.hole4)
				i = skipPort(text, end)
			case names && !s.ours(trim) && looksLikeHost(trim):
				out.WriteString(holeName)
				i = skipPort(text, end)
			default:
				out.WriteString(word)
				i = end
			}
		case c == ':':
			if six := longest6(text, i); six > i {
				out.WriteString(hole6)
				i = six
				continue
			}
			out.WriteByte(c)
			i++
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

// schemeAt is the length of "sip:" or "sips:" where one begins at i.
func schemeAt(text string, i int) int {
	if i > 0 && wordByte(text[i-1]) {
		return 0
	}
	for _, scheme := range []string{"sip:", "sips:"} {
		if len(text)-i > len(scheme) && wire.EqualFold(text[i:i+len(scheme)], scheme) {
			return len(scheme)
		}
	}
	return 0
}

// uri writes the sip or sips URI at the front of text as far as its host, and returns how much of text that was. Ports go:
// a domain's is the live network's.
func (s *scrubber) uri(out *strings.Builder, text string, scheme int) int {
	end := strings.IndexAny(text, "<>\" \t,?")
	if end < 0 {
		end = len(text)
	}
	core := text[:end]
	host := scheme
	if at := strings.LastIndexByte(core, '@'); at >= scheme {
		out.WriteString(core[:scheme])
		out.WriteString(s.scrub(core[scheme:at], false))
		out.WriteByte('@')
		host = at + 1
	} else {
		out.WriteString(core[:scheme])
	}
	stop := host
	if stop < len(core) && core[stop] == '[' {
		if i := strings.IndexByte(core[stop:], ']'); i >= 0 {
			stop += i
		}
	}
	for stop < len(core) && core[stop] != ';' && core[stop] != ':' {
		stop++
	}
	name := strings.TrimRight(core[host:stop], ".")
	if s.ours(name) || strings.HasSuffix(strings.ToLower(name), ".invalid") {
		out.WriteString(name)
	} else {
		out.WriteString(s.sink)
	}
	return skipPort(text, stop)
}

func (s *scrubber) ours(host string) bool {
	return slices.Contains(s.domains, strings.ToLower(strings.TrimRight(host, ".")))
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_'
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// longest6 is the end of the IPv6 address that begins at i, or 0.
func longest6(text string, i int) int {
	if i > 0 && (wordByte(text[i-1]) || text[i-1] == ':') {
		return 0
	}
	end, colons := i, 0
	for end < len(text) && (isHex(text[end]) || text[end] == ':' || text[end] == '.') && end-i < 46 {
		if text[end] == ':' {
			colons++
		}
		end++
	}
	if colons >= 2 && isAddr(text[i:end]) {
		return end
	}
	return 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// skipPort is i, or what follows ":digits" at i.
func skipPort(text string, i int) int {
	if i >= len(text) || text[i] != ':' {
		return i
	}
	end := i + 1
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	if end == i+1 {
		return i
	}
	return end
}

// looksLikeHost: labels with dots, and letters alone in the last one: no version, no file.
func looksLikeHost(s string) bool {
	dot := strings.LastIndexByte(s, '.')
	if dot <= 0 || len(s)-dot-1 < 2 {
		return false
	}
	for _, c := range []byte(s[dot+1:]) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	switch strings.ToLower(s[dot+1:]) {
	case "wav", "mp3", "ulaw", "alaw", "raw":
		return false
	}
	return true
}
