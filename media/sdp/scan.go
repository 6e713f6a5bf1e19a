package sdp

import "bytes"

// Scan reads raw, which must stay as it is while d is used. After a fault d is of no use.
func (d *Description) Scan(raw []byte) Fault {
	*d = Description{Raw: raw, Media: d.Media[:0], Attributes: d.Attributes[:0], eol: "\r\n"}
	if len(raw) > MaxSize {
		return FaultTooLarge
	}
	var s scanner
	for pos := 0; pos < len(raw); {
		line, content, next, fault := s.line(raw, pos)
		if fault == FaultNone {
			fault = s.take(d, line, content)
		}
		if fault != FaultNone {
			return fault
		}
		pos = next
	}
	if !s.version {
		return FaultVersion
	}
	if s.ends == endLF {
		d.eol = "\n"
	}
	return d.finish()
}

// scanner is what is known half-way.
type scanner struct {
	ends    byte
	lines   int
	blank   bool // an empty line was seen: only such may follow
	version bool
	origin  bool
}

const (
	endCRLF = iota + 1
	endLF
)

// line finds the line at pos: all of it, its content, and where the next begins.
func (s *scanner) line(raw []byte, pos int) (line, content Span, next int, fault Fault) {
	end, style := len(raw), byte(0)
	next = end
	if i := bytes.IndexByte(raw[pos:], '\n'); i >= 0 {
		end, next, style = pos+i, pos+i+1, endLF
		if end > pos && raw[end-1] == '\r' {
			end, style = end-1, endCRLF
		}
	}
	switch text := raw[pos:end]; {
	case bytes.IndexByte(text, '\r') >= 0:
		return line, content, next, FaultBareCR
	case bytes.IndexByte(text, 0) >= 0:
		return line, content, next, FaultNUL
	case s.ends != 0 && style != 0 && s.ends != style:
		return line, content, next, FaultLineEnds
	}
	if style != 0 {
		s.ends = style
	}
	if s.lines++; s.lines > MaxLines {
		return line, content, next, FaultLineCount
	}
	return span(pos, next), span(pos, end), next, FaultNone
}

// take puts one line into the index.
func (s *scanner) take(d *Description, line, content Span) Fault {
	if content.Empty() {
		if !s.version {
			return FaultVersion
		}
		s.blank = true
		return FaultNone
	}
	text := content.Of(d.Raw)
	if !s.version {
		s.version = true
		if string(text) != "v=0" {
			return FaultVersion
		}
		return FaultNone
	}
	switch {
	case s.blank:
		return FaultEmptyLine
	case len(text) < 2 || text[1] != '=' || text[0] < 'a' || text[0] > 'z':
		return FaultLine
	}
	value := Span{content.Start + 2, content.End}
	var m *Media
	if n := len(d.Media); n > 0 {
		m = &d.Media[n-1]
		if text[0] != 'm' {
			m.Section.End = line.End
		}
	}
	switch text[0] {
	case 'v':
		return FaultDuplicateLine
	case 'o':
		if s.origin || m != nil {
			return FaultDuplicateLine
		}
		s.origin = true
		d.Origin = readOrigin(d.Raw, value)
	case 'c':
		c := &d.Connection
		if m != nil {
			c = &m.Connection
		}
		return readConnection(c, d.Raw, line, value)
	case 'i':
		if m != nil && m.connectionAt == line.Start {
			m.connectionAt = line.End // c= comes after i=
		}
	case 'm':
		return d.readMedia(line, value)
	case 'a':
		return s.attribute(d, m, line, value)
	}
	return FaultNone
}

// finish settles what only the whole can say.
func (d *Description) finish() Fault {
	for i := range d.Media {
		m := &d.Media[i]
		m.ICE = m.ICE || d.ice
		if m.Port != 0 && d.ConnectionOf(i).Line.Empty() {
			return FaultNoConnection
		}
	}
	return d.joinBundles()
}
