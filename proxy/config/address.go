package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is where SIP over UDP and TCP is expected when nothing else is said (RFC 3261 section 19.1.2).
const DefaultPort = 5060

// ParseHop reads the URI of a target or carrier: sip:ADDRESS[:PORT][;transport=udp|tcp], with a numeric address.
func ParseHop(uri string) (netip.AddrPort, Proto, error) {
	scheme, rest, found := strings.Cut(uri, ":")
	switch {
	case !found:
		return netip.AddrPort{}, "", errors.New("is no SIP URI")
	case strings.EqualFold(scheme, "sips"):
		return netip.AddrPort{}, "", errors.New("needs TLS, which is not in this build")
	case !strings.EqualFold(scheme, "sip"):
		return netip.AddrPort{}, "", fmt.Errorf("has the scheme %s, not sip", quote(scheme))
	}
	host, params, hasParams := strings.Cut(rest, ";")
	if strings.ContainsAny(host, "@?") {
		return netip.AddrPort{}, "", errors.New("is more than an address: a user part or headers have no meaning here")
	}
	addr, err := parseAddrPort(host, DefaultPort)
	if err != nil {
		return netip.AddrPort{}, "", err
	}
	proto := UDP
	if !hasParams {
		return addr, proto, nil
	}
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(name, "transport") {
			return netip.AddrPort{}, "", fmt.Errorf("has the parameter %s, of which only transport is known here", quote(name))
		}
		proto = Proto(strings.ToLower(value))
		if err := checkProto(proto); err != nil {
			return netip.AddrPort{}, "", err
		}
	}
	return addr, proto, nil
}

func checkProto(p Proto) error {
	switch p {
	case UDP, TCP:
		return nil
	case "tls", "ws", "wss":
		return fmt.Errorf("uses the transport %s, which is not in this build", p)
	}
	return fmt.Errorf("uses the transport %s, which is unknown", quote(string(p)))
}

// parseAddrPort reads a numeric host with or without port: "10.0.0.1", "10.0.0.1:5060", "[2001:db8::1]:5060", "2001:db8::1".
func parseAddrPort(s string, port uint16) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		if ap.Port() == 0 {
			return ap, fmt.Errorf("%s has port 0", quote(s))
		}
		return plain(ap)
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if a, err := netip.ParseAddr(bare); err == nil {
		return plain(netip.AddrPortFrom(a, port))
	}
	host, after, _ := strings.Cut(s, ":")
	if _, err := strconv.ParseUint(after, 10, 16); after != "" && err != nil {
		return netip.AddrPort{}, fmt.Errorf("%s is not an address and port", quote(s))
	}
	if validHost(host) && !onlyDigitsAndDots(host) {
		return netip.AddrPort{}, fmt.Errorf("names the host %s: names are not resolved in this build", quote(host))
	}
	return netip.AddrPort{}, fmt.Errorf("%s is not an address", quote(s))
}

// plain refuses what can not be compared with the source of a packet.
func plain(ap netip.AddrPort) (netip.AddrPort, error) {
	if ap.Addr().Zone() != "" {
		return ap, fmt.Errorf("%s has a zone, which only this machine understands", quote(ap.String()))
	}
	if ap.Addr().Is4In6() {
		return ap, fmt.Errorf("%s is an IPv4 address in IPv6 form", quote(ap.String()))
	}
	return ap, nil
}

// parseSource reads a source: a network, an address, or address:port. A port of 0 means any.
func parseSource(s string) (netip.Prefix, uint16, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return netip.Prefix{}, 0, fmt.Errorf("%s is not a network", quote(s))
		}
		if p != p.Masked() {
			return netip.Prefix{}, 0, fmt.Errorf("%s has bits set beyond its mask: the network is %s", quote(s), p.Masked())
		}
		return p, 0, nil
	}
	ap, err := parseAddrPort(s, 1) // 1: some port, forgotten below
	if err != nil {
		return netip.Prefix{}, 0, err
	}
	port := ap.Port()
	if _, err := netip.ParseAddrPort(s); err != nil {
		port = 0
	}
	return netip.PrefixFrom(ap.Addr(), ap.Addr().BitLen()), port, nil
}

// splitHost reads "host" or "host:port", where host may be a name; port is 0 when none is given.
func splitHost(s string) (host string, port uint16, ok bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		_, err = plain(ap)
		return ap.Addr().String(), ap.Port(), err == nil && ap.Port() != 0
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		_, err = plain(netip.AddrPortFrom(a, 0))
		return a.String(), 0, err == nil
	}
	host, after, found := strings.Cut(s, ":")
	if found {
		n, err := strconv.ParseUint(after, 10, 16)
		if err != nil || n == 0 {
			return "", 0, false
		}
		port = uint16(n)
	}
	return host, port, validHost(host) && !onlyDigitsAndDots(host)
}

// validHost holds for the host names of RFC 3261 section 25.1: labels of letters, digits and hyphens.
func validHost(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !isAlnum(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

func onlyDigitsAndDots(s string) bool { return strings.Trim(s, "0123456789.") == "" }

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
