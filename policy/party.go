package policy

import "strings"

// ParseParty reads what people write for a caller or callee: a SIP or tel URI (also in angle brackets, with a display
// name), user@domain, a number, a user part, or a URN. host comes without port and parameters and is "" where none is
// given; tel reports a tel URI. A URN is a user. What names nobody gives two empty strings.
func ParseParty(s string) (user, host string, tel bool) {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s, _, _ = strings.Cut(s[i+1:], ">")
	}
	scheme, rest, ok := strings.Cut(s, ":")
	sip := false
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		if ok {
			s, sip = rest, true
		}
	case "tel":
		if ok {
			return rest, "", true
		}
	case "urn":
		if ok {
			return s, "", false
		}
	}
	at := strings.LastIndexByte(s, '@')
	if at < 0 && !sip {
		return s, "", false
	}
	if at >= 0 {
		user, _, _ = strings.Cut(s[:at], ":") // a password, deprecated long ago
	}
	host = s[at+1:]
	if i := strings.IndexAny(host, ";?"); i >= 0 {
		host = host[:i]
	}
	if strings.HasPrefix(host, "[") {
		if i := strings.IndexByte(host, ']'); i > 0 {
			return user, host[:i+1], false
		}
	}
	host, _, _ = strings.Cut(host, ":")
	return user, host, false
}
