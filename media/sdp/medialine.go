package sdp

import "bytes"

// readMedia reads "audio 49170/1 RTP/AVP 0 8". Runs of spaces and a space at the end are borne: they have one reading.
func (d *Description) readMedia(line, value Span) Fault {
	if len(d.Media) == MaxMedia {
		return FaultMediaCount
	}
	m := Media{Line: line, Section: line, Bundle: -1, Direction: d.Direction, connectionAt: line.End}
	rest := value
	m.Type = word(d.Raw, &rest)
	port := word(d.Raw, &rest)
	m.Proto = word(d.Raw, &rest)
	m.Formats = trim(d.Raw, rest)
	if m.Type.Empty() || port.Empty() || m.Proto.Empty() {
		return FaultMediaLine
	}
	m.PortSpan = port
	if i := bytes.IndexByte(port.Of(d.Raw), '/'); i >= 0 {
		m.PortSpan.End = port.Start + uint32(i)
		if string(port.Of(d.Raw)[i:]) != "/1" {
			return FaultPortCount
		}
	}
	var ok bool
	if m.Port, ok = readPort(m.PortSpan.Of(d.Raw)); !ok {
		return FaultPort
	}
	if m.Formats.Empty() && m.Port != 0 {
		return FaultMediaLine
	}
	n := 0
	for f := m.Formats; !word(d.Raw, &f).Empty(); {
		if n++; n > MaxFormats {
			return FaultFormatCount
		}
	}
	m.Kind = kindOf(m.Proto.Of(d.Raw))
	d.Media = append(d.Media, m)
	return FaultNone
}

// kindOf reads a protocol of the registry "proto" (RFC 4566 section 8.2.2), in any case.
func kindOf(proto []byte) Kind {
	for _, p := range protocols {
		if equalFold(proto, p.name) {
			return p.kind
		}
	}
	return KindOther
}

var protocols = [...]struct {
	name string
	kind Kind
}{
	{"RTP/AVP", KindRTP},
	{"RTP/SAVP", KindRTP},
	{"RTP/AVPF", KindRTP},
	{"RTP/SAVPF", KindRTP},
	{"UDP/TLS/RTP/SAVP", KindRTP},
	{"UDP/TLS/RTP/SAVPF", KindRTP},
	{"udptl", KindUDPTL},
	{"UDP/TLS/UDPTL", KindUDPTL},
	{"UDP/DTLS/SCTP", KindDTLS},
	{"DTLS/SCTP", KindDTLS}, // drafts before RFC 8841
}

// readPort reads one to five digits.
func readPort(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return uint16(n), n <= 65535
}

// word cuts the next word off s: up to a space, spaces before it skipped. It is empty at the end.
func word(raw []byte, s *Span) Span {
	for s.Start < s.End && raw[s.Start] == ' ' {
		s.Start++
	}
	w := *s
	for s.Start < s.End && raw[s.Start] != ' ' {
		s.Start++
	}
	w.End = s.Start
	return w
}

// trim leaves out spaces at both ends.
func trim(raw []byte, s Span) Span {
	for s.Start < s.End && raw[s.Start] == ' ' {
		s.Start++
	}
	for s.Start < s.End && raw[s.End-1] == ' ' {
		s.End--
	}
	return s
}

// equalFold compares ASCII without regard to case.
func equalFold(b []byte, s string) bool { return len(b) == len(s) && bytes.EqualFold(b, []byte(s)) }
