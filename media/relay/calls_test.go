package relay

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/sdp"
)

var update = flag.Bool("update", false, "write what came out into testdata/calls")

// Every file of testdata/calls is a call. Lines that begin with "> " are what happens, with the body that follows, up to a
// line "."; what is indented after it is what came of it: the body for the other party, where "OUT0" is our port outside of
// line 0 and "IN0" the one inside, the verdict if it is not plain, and what the sessions were told.
//
//	> outside offer [tag=T] [from=ADDRESS] [type=CONTENT-TYPE] [family=ip6] [ice=remove] [origin] [pass] [loose] [trusted] [source]
//	> failed [outside]    > end     > lf (bodies from here on have LF only)     > key NAME (another dialog from here on)
func TestCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/calls/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no calls", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStory(t).tell(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

// story is one file as it is told.
type story struct {
	t     *testing.T
	relay *Relay
	key   Key
	keys  []Key
	eol   string
	ports map[string]string // our ports, by name
	names map[string]string // the names, by address and port
	state map[Key]string    // as last shown
}

func newStory(t *testing.T) *story {
	// No number of the range stands in a body, but 41998, which no session gets because it has no partner.
	r := newRelay(t, media.Options{Ports: media.PortRange{Lo: 41000, Hi: 41998}, Outside6: netip.MustParseAddr("::1")})
	return &story{t: t, relay: r, key: Key{"call", "1"}, keys: []Key{{"call", "1"}}, eol: "\r\n", ports: make(map[string]string), names: make(map[string]string), state: make(map[Key]string)}
}

func (s *story) tell(file string) string {
	var b strings.Builder
	lines := strings.SplitAfter(file, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "\t") {
			continue // what came of it the last time
		}
		b.WriteString(line)
		if !strings.HasPrefix(line, "> ") {
			continue
		}
		args := strings.Fields(line[2:])
		var body []string
		if stage(args) >= 0 {
			for i++; lines[i] != ".\n"; i++ {
				b.WriteString(lines[i])
				body = append(body, strings.TrimSuffix(lines[i], "\n")+s.eol)
			}
			b.WriteString(lines[i])
		}
		s.step(&b, args, strings.Join(body, ""))
		s.sessions(&b)
	}
	return b.String()
}

// stage is that of a description; negative for other steps.
func stage(args []string) int {
	if len(args) < 2 || args[0] != "outside" && args[0] != "inside" {
		return -1
	}
	return slices.Index([]string{"offer", "early", "final", "request", "reply"}, args[1])
}

func legOf(word string) media.Leg {
	if word == "inside" {
		return media.Inside
	}
	return media.Outside
}

func (s *story) step(b *strings.Builder, args []string, body string) {
	switch {
	case stage(args) >= 0:
		s.describe(b, args, body)
	case args[0] == "failed" && len(args) == 2:
		s.relay.FailedFrom(s.key, legOf(args[1]))
	case args[0] == "failed":
		s.relay.Failed(s.key)
	case args[0] == "end":
		_, ok := s.relay.End(s.key)
		fmt.Fprintf(b, "\tended: %v, %d dialogs, %d sessions left\n", ok, s.relay.Len(), s.relay.engine.Counters().Sessions)
	case args[0] == "lf":
		s.eol = "\n"
	case args[0] == "key":
		if s.key = (Key{"call", args[1]}); !slices.Contains(s.keys, s.key) {
			s.keys = append(s.keys, s.key)
		}
	default:
		s.t.Fatalf("what is %q?", args)
	}
}

func (s *story) describe(b *strings.Builder, args []string, body string) {
	d := Description{From: legOf(args[0]), Stage: Stage(stage(args))}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "tag":
			d.Tag = value
		case "from":
			d.Signalling = netip.MustParseAddr(value)
		case "type":
			d.ContentType = []byte(value)
		case "family":
			d.Family = map[string]media.Family{"ip4": media.IPv4, "ip6": media.IPv6}[value]
		case "ice":
			d.ICE = map[string]sdp.ICE{"remove": sdp.ICERemove, "replace": sdp.ICEReplace}[value]
		case "origin":
			d.Origin = true
		case "pass":
			d.PassRefused = true
		case "loose":
			d.Loose = true
		case "trusted":
			d.Trusted = true
		case "source":
			d.SourceAddress = true
		default:
			s.t.Fatalf("what is %q?", arg)
		}
	}
	// A body may name our ports, as another pass would.
	for name, port := range s.ports {
		body = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(body, port)
	}
	d.SDP = []byte(body)
	out, v := s.relay.Describe([]byte("before"), s.key, d)
	again, w := s.relay.Describe(nil, s.key, d)
	rest, ok := bytes.CutPrefix(out, []byte("before"))
	if !ok || !bytes.Equal(rest, again) || v != w {
		s.t.Errorf("%s: said twice: %v and %v\n%s\nand\n%s", args, v, w, out, again)
	}
	s.learn()
	if string(rest) == body && v.Outcome != Anchored {
		fmt.Fprintf(b, "\t%v%s: as it came\n", v.Outcome, strings.TrimRight(" "+v.Reason, " "))
		return
	}
	if v != (Verdict{}) {
		s.t.Errorf("%s: %v, and the body was changed", args, v)
	}
	for line := range strings.Lines(s.named(d.From^1, string(rest))) {
		text, cr := strings.CutSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if cr != (s.eol == "\r\n") {
			s.t.Errorf("%s: the end of %q is not the party's", args, line)
		}
		fmt.Fprintf(b, "\t%s\n", text)
	}
}

// learn names the ports of the sessions.
func (s *story) learn() {
	for _, k := range s.keys {
		g, ok := s.relay.find(k)
		if !ok {
			continue
		}
		for i, slot := range g.slots {
			if slot == nil {
				continue
			}
			for leg, side := range []string{"OUT", "IN"} {
				addr, rtp, rtcp := slot.session.Local(media.Leg(leg))
				name := side + strconv.Itoa(i)
				if k.Leg != "1" {
					name = k.Leg + name
				}
				s.ports[name] = strconv.Itoa(int(rtp))
				s.names[netip.AddrPortFrom(addr, rtp).String()], s.names[netip.AddrPortFrom(addr, rtcp).String()] = name, name+"rtcp"
			}
		}
	}
}

var number = regexp.MustCompile(`\b41\d\d\d\b`)

// named puts names in the place of the ports of a leg.
func (s *story) named(leg media.Leg, text string) string {
	return number.ReplaceAllStringFunc(text, func(n string) string {
		for at, name := range s.names {
			if strings.HasSuffix(at, ":"+n) && strings.Contains(name, []string{"OUT", "IN"}[leg]) {
				return name
			}
		}
		return n
	})
}

// sessions shows what the sessions of the dialog were told, if that has changed.
func (s *story) sessions(b *strings.Builder) {
	var now strings.Builder
	if g, ok := s.relay.find(s.key); ok {
		for i, slot := range g.slots {
			if slot == nil {
				continue
			}
			fmt.Fprintf(&now, "\t=%d", i)
			for leg := range slot.told {
				if r, told := slot.session.Remote(media.Leg(leg)); told {
					fmt.Fprintf(&now, "  %s", media.Leg(leg))
					showRemote(&now, &r)
				}
			}
			now.WriteString("\n")
		}
	}
	text := now.String()
	for at, name := range s.names {
		host, _, _ := strings.Cut(at, ":")
		text = strings.ReplaceAll(text, at, host+":"+name)
	}
	if text != s.state[s.key] {
		if text == "" {
			text = "\t=\n"
		}
		b.WriteString(text)
	}
	s.state[s.key] = strings.TrimPrefix(text, "\t=\n")
}

func showRemote(b *strings.Builder, r *media.Remote) {
	fmt.Fprintf(b, " %v", r.RTP)
	if r.RTCP.IsValid() && (r.RTCP.Addr() != r.RTP.Addr() || r.RTCP.Port() != r.RTP.Port()+1) {
		fmt.Fprintf(b, " rtcp %v", r.RTCP)
	}
	for _, f := range []struct {
		is   bool
		text string
	}{
		{r.Kind == media.UDPTL, "fax"}, {r.Mux, "mux"}, {r.Secure, "secure"}, {r.Loose, "loose"}, {r.Early, "early"},
		{r.Direction == media.SendOnly, "sendonly"}, {r.Direction == media.RecvOnly, "recvonly"}, {r.Direction == media.Inactive, "inactive"},
	} {
		if f.is {
			b.WriteString(" " + f.text)
		}
	}
	if r.Signalling.IsValid() {
		fmt.Fprintf(b, " or %v", r.Signalling)
	}
	for _, p := range r.Payloads {
		fmt.Fprintf(b, " %d:%s/%d", p.Type, p.Name, p.ClockRate)
	}
}
