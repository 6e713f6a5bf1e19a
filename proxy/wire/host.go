package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"unsafe"
)

// ParseAddr reads a numeric host as it stands in a Via or a URI, with or without
// brackets. IPv4-mapped addresses become IPv4; zones are refused. It allocates nothing
// for a valid address.
func ParseAddr(host []byte) (netip.Addr, bool) {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	for _, c := range host {
		if c == ':' {
			if len(host) > 45 { // the longest text form
				return netip.Addr{}, false
			}
			// The string lives as long as the call: only a discarded error holds on to it.
			a, err := netip.ParseAddr(unsafe.String(&host[0], len(host)))
			if err != nil {
				a, err = threeColons(host)
			}
			return a.Unmap(), err == nil && a.Zone() == ""
		}
	}
	return parseIPv4(host)
}

// threeColons reads "2001:db8:::192.0.2.1" as if it had two: RFC 3261's grammar, taken from RFC 2373, has a colon too many
// before an embedded IPv4 address, and RFC 5118 section 4.10 asks to bear with both.
func threeColons(host []byte) (netip.Addr, error) {
	before, v4, ok := bytes.Cut(host, []byte(":::"))
	if _, numeric := parseIPv4(v4); !ok || !numeric {
		return netip.Addr{}, errHost
	}
	return netip.ParseAddr(string(before) + "::" + string(v4))
}

var errHost = errors.New("no address")

func parseIPv4(b []byte) (netip.Addr, bool) {
	var a [4]byte
	i := 0
	for part := range a {
		if part > 0 {
			if i == len(b) || b[i] != '.' {
				return netip.Addr{}, false
			}
			i++
		}
		start, v := i, 0
		for ; i < len(b) && i < start+3 && isDigit(b[i]); i++ {
			v = v*10 + int(b[i]-'0')
		}
		if i == start || v > 255 || i > start+1 && b[start] == '0' {
			return netip.Addr{}, false
		}
		a[part] = byte(v)
	}
	return netip.AddrFrom4(a), i == len(b)
}

// EqualHost reports whether two hosts are the same: names without regard to case and to
// one dot at the end, addresses by value, so that "[2001:db8::0:1]" equals "2001:DB8::1".
func EqualHost(a, b []byte) bool {
	a, b = rootless(a), rootless(b)
	if EqualFold(a, b) {
		return true
	}
	if x, ok := ParseAddr(a); ok {
		y, ok := ParseAddr(b)
		return ok && x == y
	}
	return false
}

// AppendHost appends host as the key of a table: lower case, without a dot at the end.
func AppendHost(dst, host []byte) []byte {
	for _, c := range rootless(host) {
		dst = append(dst, lower(c))
	}
	return dst
}

func rootless(host []byte) []byte {
	if n := len(host); n > 1 && host[n-1] == '.' {
		return host[:n-1]
	}
	return host
}
