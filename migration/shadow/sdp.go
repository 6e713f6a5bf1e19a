package shadow

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// section is one m= line of a description with its attributes.
type section struct {
	kind, proto string
	port        int
	formats     []string
	attrs       []string // without "a="
	direction   string   // "" as the session says
	bandwidth   []string
}

type sdp struct {
	direction string // of the session, "" sendrecv
	attrs     []string
	sections  []section
}

// What is read of a description: more is cut off.
const (
	maxSections = 16
	maxAttrs    = 128 // of a section
	maxFormats  = 64
)

// readSDP reads what decides which media flow and how (RFC 8866); false: there is no m= line in it.
func readSDP(b []byte) (*sdp, bool) {
	d := &sdp{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		v := line[2:]
		var s *section
		if n := len(d.sections); n > 0 {
			s = &d.sections[n-1]
		}
		switch line[0] {
		case 'm':
			f := strings.Fields(v)
			if len(f) < 4 || len(d.sections) == maxSections {
				return d, len(d.sections) > 0
			}
			port, _, _ := strings.Cut(f[1], "/")
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return d, false
			}
			d.sections = append(d.sections, section{kind: f[0], port: int(n), proto: f[2], formats: f[3:min(len(f), 3+maxFormats)]})
		case 'a':
			switch {
			case v == "sendrecv" || v == "sendonly" || v == "recvonly" || v == "inactive":
				if s == nil {
					d.direction = v
				} else {
					s.direction = v
				}
			case s == nil && len(d.attrs) < maxAttrs:
				d.attrs = append(d.attrs, v)
			case s != nil && len(s.attrs) < maxAttrs:
				s.attrs = append(s.attrs, v)
			}
		case 'c': // the hold of RFC 2543: c=0.0.0.0
			if strings.HasSuffix(v, " 0.0.0.0") {
				if s == nil && d.direction == "" {
					d.direction = "sendonly"
				} else if s != nil && s.direction == "" {
					s.direction = "sendonly"
				}
			}
		case 'b':
			if s != nil && len(s.bandwidth) < 4 {
				s.bandwidth = append(s.bandwidth, v)
			}
		}
	}
	return d, len(d.sections) > 0
}

// attribute is the rest of the first attribute of a name ("ptime:20" -> "20").
func (s *section) attribute(name string) (string, bool) {
	for _, a := range s.attrs {
		if k, v, _ := strings.Cut(a, ":"); k == name {
			return v, true
		}
	}
	return "", false
}

// codec is what a payload number stands for: "pcma/8000", or the number itself where nothing says so.
func (s *section) codec(format string) string {
	for _, a := range s.attrs {
		if rest, ok := strings.CutPrefix(a, "rtpmap:"+format+" "); ok {
			name := strings.ToLower(strings.TrimSpace(rest))
			return strings.TrimSuffix(name, "/1")
		}
	}
	if name, ok := static[format]; ok {
		return name
	}
	return format
}

// static payload types that calls use without rtpmap (RFC 3551 section 6).
var static = map[string]string{"0": "pcmu/8000", "3": "gsm/8000", "4": "g723/8000", "8": "pcma/8000", "9": "g722/8000", "13": "cn/8000", "15": "g728/8000", "18": "g729/8000",
	"26": "jpeg/90000", "31": "h261/90000", "34": "h263/90000"}

// carried are the attributes that are part of what is offered; the others name places, keys or streams.
var carried = []string{"rtpmap", "fmtp", "ptime", "maxptime", "rtcp-mux", "rtcp-fb", "setup", "fingerprint", "silenceSupp", "T38FaxVersion", "T38MaxBitRate",
	"T38FaxFillBitRemoval", "T38FaxTranscodingMMR", "T38FaxTranscodingJBIG", "T38FaxRateManagement", "T38FaxMaxBuffer", "T38FaxMaxDatagram", "T38FaxUdpEC", "content", "label", "extmap"}

// A voice says who speaks in a description of ours.
type voice struct {
	addr    netip.Addr // a black hole
	session string     // id of o=
	version int
	key     string // of SDES, made up: 64 characters of base64
}

// describe writes a description of the sections: every address the black hole, every port one of ours.
func (v *voice) describe(d *sdp) []byte {
	net := "IP4"
	if v.addr.Is6() {
		net = "IP6"
	}
	var b strings.Builder
	b.WriteString("v=0\r\no=- " + v.session + " " + strconv.Itoa(v.version) + " IN " + net + " " + v.addr.String() + "\r\ns=-\r\nc=IN " + net + " " + v.addr.String() + "\r\nt=0 0\r\n")
	for i := range d.sections {
		s := &d.sections[i]
		port := 0
		if s.port != 0 {
			port = 30000 + 2*i
		}
		b.WriteString("m=" + s.kind + " " + strconv.Itoa(port) + " " + s.proto + " " + strings.Join(s.formats, " ") + "\r\n")
		if port == 0 {
			continue
		}
		for _, w := range s.bandwidth {
			b.WriteString("b=" + w + "\r\n")
		}
		for _, a := range s.attrs {
			name, rest, _ := strings.Cut(a, ":")
			switch {
			case name == "crypto": // tag, suite, inline:key
				if f := strings.Fields(rest); len(f) >= 2 {
					b.WriteString("a=crypto:" + f[0] + " " + f[1] + " inline:" + v.keyFor(f[1]) + "\r\n")
				}
			case slices.Contains(carried, name):
				b.WriteString("a=" + a + "\r\n")
			}
		}
		if dir := s.flows(d); dir != "sendrecv" || s.direction != "" {
			b.WriteString("a=" + dir + "\r\n")
		}
	}
	return []byte(b.String())
}

func (s *section) flows(d *sdp) string {
	switch {
	case s.direction != "":
		return s.direction
	case d.direction != "":
		return d.direction
	}
	return "sendrecv"
}

// answer makes the answer to an offer as model would have given it: its sections of the same kind at the same place, its
// codecs as far as they are offered, under the offer's numbers (RFC 3264 section 6). Without a model (nil) all that is offered is taken.
func answer(offer, model *sdp) *sdp {
	out := &sdp{}
	used := map[int]bool{}
	for i := range offer.sections {
		o := &offer.sections[i]
		refused := section{kind: o.kind, proto: o.proto, formats: o.formats[:1]}
		if o.port == 0 {
			out.sections = append(out.sections, refused)
			continue
		}
		if model == nil {
			out.sections = append(out.sections, section{kind: o.kind, proto: o.proto, port: 9, formats: o.formats, attrs: answered(o.attrs),
				direction: opposite(o.flows(offer))})
			continue
		}
		m := model.like(o.kind, i, used)
		if m == nil {
			out.sections = append(out.sections, refused)
			continue
		}
		out.sections = append(out.sections, o.reduce(offer, m, model))
	}
	return out
}

// like finds the section of a kind for place i: that at i, else the first that was not used.
func (d *sdp) like(kind string, i int, used map[int]bool) *section {
	pick := -1
	if i < len(d.sections) && d.sections[i].kind == kind && !used[i] {
		pick = i
	} else {
		for j := range d.sections {
			if d.sections[j].kind == kind && !used[j] {
				pick = j
				break
			}
		}
	}
	if pick < 0 || d.sections[pick].port == 0 {
		return nil
	}
	used[pick] = true
	return &d.sections[pick]
}

func (s *section) reduce(offer *sdp, m *section, model *sdp) section {
	out := section{kind: s.kind, proto: s.proto}
	if !strings.Contains(s.proto, "RTP") { // image/t38: formats are names
		out.port, out.formats, out.attrs = 9, s.formats, m.attrs
		return out
	}
	for _, f := range m.formats {
		name := m.codec(f)
		for _, g := range s.formats {
			if s.codec(g) != name || slices.Contains(out.formats, g) {
				continue
			}
			out.formats = append(out.formats, g)
			for _, a := range m.attrs {
				for _, prefix := range []string{"rtpmap:", "fmtp:"} {
					if rest, ok := strings.CutPrefix(a, prefix+f+" "); ok {
						out.attrs = append(out.attrs, prefix+g+" "+rest)
					}
				}
			}
			break
		}
	}
	if len(out.formats) == 0 {
		out.formats = s.formats[:1]
		return out // refused: nothing in common
	}
	out.port = 9
	for _, a := range m.attrs {
		switch name, _, _ := strings.Cut(a, ":"); name {
		case "ptime", "maxptime", "rtcp-mux", "setup", "fingerprint":
			if _, offered := s.attribute(name); offered || name != "rtcp-mux" {
				out.attrs = append(out.attrs, a)
			}
		}
	}
	for _, a := range s.attrs { // one of the suites on offer
		if strings.HasPrefix(a, "crypto:") {
			out.attrs = append(out.attrs, a)
			break
		}
	}
	out.direction = narrower(m.flows(model), opposite(s.flows(offer)))
	return out
}

// answered are the attributes of an offer that an answer to all of it repeats.
func answered(attrs []string) []string {
	var out []string
	crypto := false
	for _, a := range attrs {
		switch name, _, _ := strings.Cut(a, ":"); {
		case name == "crypto":
			if !crypto {
				out = append(out, a)
			}
			crypto = true
		case name == "setup":
			out = append(out, "setup:passive")
		default:
			out = append(out, a)
		}
	}
	return out
}

func opposite(direction string) string {
	switch direction {
	case "sendonly":
		return "recvonly"
	case "recvonly":
		return "sendonly"
	}
	return direction
}

// narrower is what both directions allow.
func narrower(a, b string) string {
	sends := func(d string) bool { return d == "sendrecv" || d == "sendonly" }
	hears := func(d string) bool { return d == "sendrecv" || d == "recvonly" }
	switch s, h := sends(a) && sends(b), hears(a) && hears(b); {
	case s && h:
		return "sendrecv"
	case s:
		return "sendonly"
	case h:
		return "recvonly"
	}
	return "inactive"
}

// keyFor is the made-up key of a suite: as long as key and salt are (RFC 4568 section 6.2, RFC 6188, RFC 7714), in base64.
func (v *voice) keyFor(suite string) string {
	switch {
	case strings.HasPrefix(suite, "AES_256_CM"): // 46 bytes
		return v.key[:62] + "=="
	case strings.HasPrefix(suite, "AES_192_CM"): // 38
		return v.key[:51] + "="
	case strings.HasPrefix(suite, "AEAD_AES_128"): // 28
		return v.key[:38] + "=="
	case strings.HasPrefix(suite, "AEAD_AES_256"): // 44
		return v.key[:59] + "="
	}
	return v.key[:40] // 30
}
