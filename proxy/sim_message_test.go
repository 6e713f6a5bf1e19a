package proxy

import (
	"strconv"
	"strings"
)

// simMsg is a SIP message as the simulator's agents and its judge read it: by a reader of their own, not the edge's.
type simMsg struct {
	text   string
	start  string
	method string // of a request
	uri    string
	status int // of a response
	lines  []simHeader
	body   string

	via      []string
	rr       []string
	route    []string
	path     []string
	contacts []string
	branch   string // of the topmost Via
	callID   string
	cseq     int
	cmethod  string
	from, to string
	fromTag  string
	toTag    string
	hops     int // Max-Forwards; -1: none
}

type simHeader struct{ name, value string }

func parseSim(raw []byte) *simMsg {
	text := string(raw)
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		return nil
	}
	m := &simMsg{text: text, body: body, hops: -1, lines: make([]simHeader, 0, 20)}
	m.start, head, _ = strings.Cut(head, "\r\n")
	if rest, ok := strings.CutPrefix(m.start, "SIP/2.0 "); ok && len(rest) >= 3 {
		m.status, _ = strconv.Atoi(rest[:3])
	} else if f := strings.Fields(m.start); len(f) == 3 {
		m.method, m.uri = f[0], f[1]
	} else {
		return nil
	}
	for len(head) > 0 {
		var line string
		line, head, _ = strings.Cut(head, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil
		}
		name, value = longName(strings.TrimSpace(name)), strings.TrimSpace(value)
		m.lines = append(m.lines, simHeader{name, value})
		switch name {
		case "Via":
			if len(m.via) == 0 {
				m.branch = simParam(value, "branch")
			}
			m.via = append(m.via, value)
		case "Record-Route":
			m.rr = append(m.rr, value)
		case "Route":
			m.route = append(m.route, value)
		case "Path":
			m.path = append(m.path, value)
		case "Contact":
			m.contacts = append(m.contacts, value)
		case "Call-ID":
			m.callID = value
		case "CSeq":
			n, method, _ := strings.Cut(value, " ")
			m.cseq, _ = strconv.Atoi(n)
			m.cmethod = method
		case "From":
			m.from, m.fromTag = value, simParam(value, "tag")
		case "To":
			m.to, m.toTag = value, simParam(value, "tag")
		case "Max-Forwards":
			m.hops, _ = strconv.Atoi(value)
		}
	}
	if len(m.via) == 0 || m.callID == "" {
		return nil
	}
	return m
}

func longName(n string) string {
	switch n {
	case "v":
		return "Via"
	case "f":
		return "From"
	case "t":
		return "To"
	case "i":
		return "Call-ID"
	case "m":
		return "Contact"
	case "l":
		return "Content-Length"
	case "c":
		return "Content-Type"
	case "o":
		return "Event"
	case "x":
		return "Session-Expires"
	}
	return n
}

// shortLines writes a message as peers do that know compact forms only.
var shortLines = strings.NewReplacer("\r\nVia: ", "\r\nv: ", "\r\nFrom: ", "\r\nf: ", "\r\nTo: ", "\r\nt: ", "\r\nCall-ID: ", "\r\ni:", "\r\nContact: ", "\r\nm: ",
	"\r\nContent-Length: ", "\r\nl: ", "\r\nContent-Type: ", "\r\nc: ", "\r\nEvent: ", "\r\no: ", "\r\nSession-Expires: ", "\r\nx: ")

func (m *simMsg) header(name string) string {
	for i := range m.lines {
		if m.lines[i].name == name {
			return m.lines[i].value
		}
	}
	return ""
}

// simParam is the value of a header parameter.
func simParam(value, name string) string {
	i := strings.Index(value, ";"+name+"=")
	if i < 0 {
		return ""
	}
	v := value[i+len(name)+2:]
	if v != "" && v[0] == '"' {
		return v[:strings.IndexByte(v[1:], '"')+2]
	}
	if j := strings.IndexAny(v, ";> ,"); j >= 0 {
		v = v[:j]
	}
	return v
}

// simURI is what stands between angle brackets, or all.
func simURI(value string) string {
	if _, v, ok := strings.Cut(value, "<"); ok {
		v, _, _ = strings.Cut(v, ">")
		return v
	}
	v, _, _ := strings.Cut(value, ";")
	return v
}

// simUser is the user of a URI.
func simUser(uri string) string {
	_, v, _ := strings.Cut(uri, ":")
	v, _, ok := strings.Cut(v, "@")
	if !ok {
		return ""
	}
	return v
}

// simHost is host:port of a URI, and whether it asks for TCP.
func simHost(uri string) (host string, tcp bool) {
	_, v, _ := strings.Cut(uri, ":")
	if _, h, ok := strings.Cut(v, "@"); ok {
		v = h
	}
	host, params, _ := strings.Cut(v, ";")
	return host, strings.Contains(params, "transport=tcp")
}

// simReply is a response to m. tag is put behind a To that has none.
func simReply(m *simMsg, status, tag, extra string) string {
	var b strings.Builder
	b.Grow(len(m.text) + 64)
	b.WriteString("SIP/2.0 ")
	b.WriteString(status)
	b.WriteString("\r\n")
	for i := range m.lines {
		switch l := &m.lines[i]; l.name {
		case "Via", "Record-Route", "From", "To", "Call-ID", "CSeq":
			b.WriteString(l.name)
			b.WriteString(": ")
			b.WriteString(l.value)
			if l.name == "To" && tag != "" && m.toTag == "" {
				b.WriteString(";tag=")
				b.WriteString(tag)
			}
			b.WriteString("\r\n")
		}
	}
	b.WriteString(extra)
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}
