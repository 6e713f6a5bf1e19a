package proxy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// The messages of RFC 4475 and RFC 5118 against a running edge, over UDP and TCP. What proxy/wire makes of them is
// tested there; here is what becomes of them: forwarded unchanged in meaning, refused with a code, or dropped.
//
// A message that would be refused for another reason than its own is adapted: the domains are a tenant's, a platform
// preloads the Route, a response has our Via on top of a pending transaction, what has a To-tag loses it.
var verdicts = map[string]string{
	"forward": "wsinv intmeth esc01 escnull esc02 lwsdisp longreq semiuri transports mpart01 unreason noreason baddate unksm2 invut regaut01 sdp01 " +
		"cparam01 cparam02 regescrt inv2543 dblreq badbranch " +
		"ipv6-good port-ambiguous port-unambiguous via-received-param-with-delim via-received-param-no-delim ipv6-in-sdp mult-ip-in-header " +
		"mult-ip-in-sdp ipv4-mapped-ipv6 ipv6-bug-abnf-3-colons ipv6-correct-abnf-2-colons",
	"400": "badinv01 ncl scalar02 quotbal ltgtruri lwsruri lwsstart trws escruri badaspec baddn regbadct mismatch01 mismatch02 insuf multi01 mcl01 clerr " +
		"ipv6-bad",
	"drop": "scalarlg bigcode bcast",
	"505":  "badvers",
	"416":  "unkscm novelsc",
	"420":  "bext01",
	"483":  "zeromf",
}

// preloaded are sent by a platform: nobody else may preload a Route that is not ours.
var preloaded = []string{"wsinv", "mpart01"}

// adapted takes away why a message would be refused before its own reason counts.
var adapted = map[string]*strings.Replacer{
	"wsinv":                         strings.NewReplacer(" ;   tag    = 1918181833n", ""),
	"via-received-param-with-delim": strings.NewReplacer(";tag=bd76ya", "", "BYE", "OPTIONS"), // a BYE lives in a dialog
	"via-received-param-no-delim":   strings.NewReplacer(";tag=bd76ya", "", "BYE", "OPTIONS"),
}

// unframed are those after which nobody knows where the next message of a stream begins.
var unframed = []string{"ncl", "mcl01", "clerr"}

type ordeal struct{ name, verdict, text string }

// ordeals are all messages, each with its verdict.
func ordeals(t *testing.T) (list []ordeal) {
	for verdict, names := range verdicts {
		for _, name := range strings.Fields(names) {
			files, _ := filepath.Glob(filepath.Join("wire", "testdata", "rfc*", name+".sip"))
			if len(files) != 1 {
				t.Fatalf("%d files of %s", len(files), name)
			}
			raw, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			x := ordeal{name, verdict, string(raw)}
			if r := adapted[name]; r != nil {
				x.text = r.Replace(x.text)
			}
			list = append(list, x)
		}
	}
	files, _ := filepath.Glob(filepath.Join("wire", "testdata", "rfc*", "*.sip"))
	if len(files) != len(list) {
		t.Errorf("%d files, %d verdicts", len(files), len(list))
	}
	slices.SortFunc(list, func(a, b ordeal) int { return strings.Compare(a.name, b.name) })
	return list
}

func (x ordeal) response() bool  { return strings.HasPrefix(x.text, "SIP/2.0 ") }
func (x ordeal) preloaded() bool { return slices.Contains(preloaded, x.name) }

// nearby is another address of this process's own: the legacy platform's over TCP, where a port tells nothing.
var nearby = strings.TrimSuffix(home, "1") + "2"

// torture is one edge with what the messages need: phones over UDP and TCP, a legacy platform over UDP, which may
// preload Routes to tenants of the core, and a core over TCP.
type torture struct {
	*world
	outTCP, inTCP string
	core          chan onStream
	fences        int
	passed        map[string]bool // Call-IDs of what targets were sent
}

type onStream struct {
	reading
	by *streamReader
}

func newTorture(t *testing.T) *torture {
	old, moved := tenant("old", policy.StageLegacy), tenant("moved", policy.StageCore)
	old.Domains = []string{"example.com", "example.net", "example.edu", "registrar.example.com", "company.com"}
	moved.Domains = []string{"plants.example.com", "example.org", "core.example.com"}
	w := &torture{world: newWorld(t, old, moved), core: make(chan onStream, 1024), passed: map[string]bool{}}
	w.outTCP, w.inTCP = w.tcpListen()
	w.cfg.Limits.SourceRate, w.cfg.Limits.SourceBurst = 1_000_000, 1_000_000
	w.cfg.Limits.KnownRate, w.cfg.Limits.KnownBurst = 1_000_000, 1_000_000
	l, err := net.Listen("tcp", home+":"+freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.Platforms.Core.Targets = []config.Target{{Name: "c1", URI: "sip:" + l.Addr().String() + ";transport=tcp"}}
	w.cfg.Platforms.Legacy.Sources = append(w.cfg.Platforms.Legacy.Sources, nearby)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s := newStreamReader(t, c)
			go func() {
				for r := range s.got {
					w.core <- onStream{r, s}
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-closed })
	w.start()
	return w
}

// fence sends a request that passes, by the way that the messages before it came, and waits for its answer: all before
// it has been served then. What reached a target meanwhile is what the edge made of it.
func (w *torture) fence(from *peer, listener string) {
	w.t.Helper()
	w.fences++
	c := &call{w: w.world, by: from, id: fmt.Sprintf("fence%d", w.fences), to: "<sip:bob@core.example.com>", domain: "core.example.com"}
	ask := func() {
		from.send(listener, strings.Replace(c.request("OPTIONS", 1, "sip:bob@core.example.com", ""), ";branch", ";rport;branch", 1))
	}
	ask()
	from.nudge = ask // on a busy machine the phone's own socket loses an answer among a hundred refusals
	defer func() { from.nudge = nil }()
	m := w.atCore(c.id + "@phone")
	m.by.send([]byte(m.answer("200 OK")))
	if from == w.phone {
		w.heard(c.id+"@phone", "SIP/2.0 200")
	}
	for len(w.legacy.got) > 0 {
		w.allow(read((<-w.legacy.got).text))
	}
}

// allow fails if a target got what must not pass. ACKs and repetitions of what it was sent and has answered may come late,
// and refusals of what it asked itself.
func (w *torture) allow(r reading) {
	w.t.Helper()
	if !w.passed[r.get("call-id")] && !strings.HasPrefix(r.start, "SIP/2.0 4") {
		w.t.Errorf("forwarded:\n%s", r.text)
	}
}

// atCore is the request of that call at the core, before which nothing may come.
func (w *torture) atCore(callID string) onStream {
	w.t.Helper()
	w.passed[callID] = true
	for {
		select {
		case m := <-w.core:
			if m.get("call-id") == callID && !strings.HasPrefix(m.start, "ACK ") {
				return m
			}
			w.allow(m.reading)
		case <-time.After(patience):
			for len(w.phone.got) > 0 {
				if m := <-w.phone.got; m.headers("Call-ID")[0] == callID {
					w.t.Errorf("the phone got\n%s", m.text)
				}
			}
			w.t.Fatalf("%s did not reach the core", callID)
		}
	}
}

// atLegacy is the same at the legacy platform.
func (w *torture) atLegacy(callID string) (reading, string) {
	w.t.Helper()
	w.passed[callID] = true
	for {
		m := w.legacy.again("the request of " + callID)
		r := read(m.text)
		if r.get("call-id") == callID && !strings.HasPrefix(r.start, "ACK ") {
			return r, m.from.String()
		}
		w.allow(r)
	}
}

// heard is the final response that the phone gets to a request of that call, or the 180.
func (w *torture) heard(callID, prefix string) reading {
	w.t.Helper()
	for {
		m := w.phone.again(prefix)
		r := read(m.text)
		if r.get("call-id") != callID || strings.HasPrefix(r.start, "SIP/2.0 100") || w.phone.seen[m.text] {
			continue
		}
		w.phone.seen[m.text] = true
		if !strings.HasPrefix(r.start, prefix) {
			w.t.Fatalf("wanted %q, got\n%s", prefix, r.text)
		}
		return r
	}
}

// forwarded is what the target got of an ordeal; refuse answers it.
func (w *torture) forwarded(x ordeal) (got reading, refuse func()) {
	w.t.Helper()
	id := read(x.text).get("call-id")
	if x.preloaded() {
		m := w.atCore(id)
		return m.reading, func() { m.by.send([]byte(m.answer("404 Not Found"))) }
	}
	got, from := w.atLegacy(id)
	return got, func() { w.legacy.raw(from, got.answer("404 Not Found")) }
}

// raw sends bytes as they are.
func (p *peer) raw(to, text string) {
	p.t.Helper()
	a, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.WriteToUDP([]byte(text), a); err != nil {
		p.t.Fatal(err)
	}
}

var (
	stampedReceived = regexp.MustCompile(`;\s*received=[^;,]*`)
	stampedPort     = regexp.MustCompile(`;\s*rport(=[0-9]*)?`)
)

// unchanged fails unless got is sent with nothing more than a proxy's own work done: a Via of ours on top, the source in
// the one below, Max-Forwards down by one (at most 70), Record-Route or Path.
func (w *torture) unchanged(sent, got reading, source net.Addr, phone bool) {
	t := w.t
	t.Helper()
	if got.start != sent.start {
		t.Errorf("start line %q, sent %q", got.start, sent.start)
	}
	if got.body != sent.body[:sent.whole()-(len(sent.text)-len(sent.body))] && sent.get("content-length") != "" || sent.get("content-length") == "" && got.body != sent.body {
		t.Errorf("body %q, sent %q", got.body, sent.body)
	}
	ours := func(f field) bool {
		return strings.Contains(f.value, "@"+home+":") || f.name == "supported" && f.value == "path"
	}
	var rest []field
	vias := 0
	for _, f := range got.fields {
		switch {
		case f.name == "via" && vias == 0:
			vias++
			if !strings.Contains(f.value, " "+w.in+";") && !strings.Contains(f.value, " "+w.inTCP+";") {
				t.Errorf("the topmost Via is not ours: %s", f.value)
			}
		case (f.name == "record-route" || f.name == "path" || f.name == "supported") && ours(f) && len(rest) == 0:
		case f.name == "max-forwards" && sent.get("max-forwards") == "":
			if f.value != "70" {
				t.Errorf("Max-Forwards %s", f.value)
			}
		case f.name == "content-length" && sent.get("content-length") == "": // a stream needs one
		default:
			rest = append(rest, f)
		}
	}
	if len(rest) != len(sent.fields) {
		t.Fatalf("%d headers of %d arrived:\n%s\nsent\n%s", len(rest), len(sent.fields), got.text, sent.text)
	}
	ip, port, _ := net.SplitHostPort(source.String())
	vias = 0
	for i, f := range sent.fields {
		want, g := f.value, rest[i].value
		switch {
		case f.name == "via" && vias == 0:
			vias++
			if !strings.Contains(g, ";received="+ip) || phone && !strings.Contains(g, ";rport="+port) {
				t.Errorf("the sender's Via does not say where it came from: %s", g)
			}
			for _, stamp := range []*regexp.Regexp{stampedReceived, stampedPort} {
				want, g = stamp.ReplaceAllString(want, ""), stamp.ReplaceAllString(g, "")
			}
		case f.name == "max-forwards":
			n, _ := strconv.Atoi(want)
			want = strconv.Itoa(min(n-1, 70))
		}
		if rest[i].spelled != f.spelled || g != want {
			t.Errorf("header %d is %s: %q, sent was %s: %q", i, rest[i].spelled, g, f.spelled, f.value)
		}
	}
}

// echoes fails unless the refusal goes by the request's Vias, and says what a 420 has to say.
func (w *torture) echoes(sent, got reading) {
	t := w.t
	t.Helper()
	a, b := sent.all("via"), got.all("via")
	if len(a) != len(b) {
		t.Errorf("%d Vias of %d in\n%s", len(b), len(a), got.text)
	}
	if strings.HasPrefix(got.start, "SIP/2.0 420") && got.get("unsupported") != sent.get("proxy-require") {
		t.Errorf("Unsupported: %q, asked for was %q", got.get("unsupported"), sent.get("proxy-require"))
	}
	if got.get("cseq") != sent.get("cseq") {
		t.Errorf("CSeq %q", got.get("cseq"))
	}
}

func TestTortureOverUDP(t *testing.T) {
	t.Parallel()
	w := newTorture(t)
	for _, x := range ordeals(t) {
		t.Run(x.name, func(t *testing.T) {
			w.as(t)
			from, listener := w.phone, w.out
			if x.preloaded() {
				from, listener = w.legacy, w.in
			}
			sent := read(x.text)
			switch {
			case x.response():
				w.answered(x)
				return
			case x.verdict == "forward":
				from.raw(listener, x.text)
				got, refuse := w.forwarded(x)
				w.unchanged(sent, got, from.conn.LocalAddr(), !x.preloaded())
				refuse()
				if !x.preloaded() {
					w.echoes(sent, w.heard(sent.get("call-id"), "SIP/2.0 404"))
				}
			case x.verdict != "drop":
				from.raw(listener, lengthened(x.text))
				w.echoes(sent, w.heard(sent.get("call-id"), "SIP/2.0 "+x.verdict))
			}
			w.fence(w.phone, w.out)
		})
	}
	if n := w.edge.count.causes.Value(int(causeTrailing)); n != 1 {
		t.Errorf("bytes after a body were counted %d times, want dblreq's", n)
	}
}

// lengthened adds what phones say besides. Some of the messages are so short that their refusal would be longer, and so long
// an answer is not given to an address that anybody may have written into a datagram.
func lengthened(text string) string {
	return strings.Replace(text, "\r\n", "\r\nUser-Agent: one that says of itself as much as phones do\r\n", 1)
}

// as lets the world speak for a subtest.
func (w *torture) as(t *testing.T) {
	w.t, w.phone.t, w.legacy.t = t, t, t
}

// under is a response as the target would send it that got inv: our Via on top, below it the phone's, or what x has.
func (x ordeal) under(inv reading) string {
	below := inv.all("via")[1]
	if vias := read(x.text).all("via"); len(vias) > 1 {
		below = vias[1]
	}
	head, body, _ := strings.Cut(x.text, "\r\n\r\n")
	lines := slices.DeleteFunc(strings.Split(head, "\r\n"), func(l string) bool { return strings.HasPrefix(l, "Via:") })
	lines = slices.Insert(lines, 1, "Via: "+inv.all("via")[0], "Via: "+below)
	response := strings.Join(lines, "\r\n") + "\r\n\r\n" + body
	if x.name == "noreason" { // a 100 goes no further than one hop: see TestTorture100
		response = strings.Replace(response, "SIP/2.0 100 ", "SIP/2.0 180 ", 1)
	}
	return response
}

// pending makes the edge wait for an answer from the legacy platform to what x answers.
func (w *torture) pending(x ordeal) (c *call, inv reading) {
	w.t.Helper()
	r := read(x.text)
	_, method, _ := strings.Cut(r.get("cseq"), " ")
	c = &call{w: w.world, by: w.phone, id: x.name + strconv.Itoa(w.fences), to: "<sip:user@example.com>", domain: "example.com"}
	w.phone.send(w.out, strings.Replace(c.request(method, 1, "sip:user@example.com", ""), c.id+"@phone", r.get("call-id"), 1))
	inv, _ = w.atLegacy(r.get("call-id"))
	return c, inv
}

// passedUp fails unless got is what was sent without its topmost Via.
func (w *torture) passedUp(sent, got reading) {
	w.t.Helper()
	if got.start != sent.start || !slices.Equal(got.fields, sent.fields[1:]) || got.body != sent.body {
		w.t.Errorf("got\n%s\nsent\n%s", got.text, sent.text)
	}
}

// answered sends an ordeal that is a response.
func (w *torture) answered(x ordeal) {
	w.t.Helper()
	_, inv := w.pending(x)
	sent := read(x.under(inv))
	w.legacy.raw(w.in, sent.text)
	if x.verdict == "forward" {
		w.passedUp(sent, w.heard(sent.get("call-id"), sent.start[:11]))
	}
	if x.verdict != "forward" || sent.start[8] == '1' {
		w.legacy.raw(w.in, inv.answer("486 Busy Here")) // the next that the phone hears
		w.heard(sent.get("call-id"), "SIP/2.0 486")
	}
}

// A 100 without a phrase is a 100: it stops the repetitions and lets a CANCEL go, and no hop hands it on.
func TestTorture100(t *testing.T) {
	t.Parallel()
	w := newTorture(t)
	for _, x := range ordeals(t) {
		if x.name != "noreason" {
			continue
		}
		c, inv := w.pending(x)
		id := inv.get("call-id")
		w.phone.send(w.out, strings.Replace(c.request("CANCEL", 1, "sip:user@example.com", ""), c.id+"@phone", id, 1))
		w.heard(id, "SIP/2.0 200")
		w.legacy.raw(w.in, strings.Replace(x.under(inv), "SIP/2.0 180 ", "SIP/2.0 100 ", 1))
		cancel, from := w.atLegacy(id)
		if !strings.HasPrefix(cancel.start, "CANCEL ") {
			t.Fatalf("wanted CANCEL, got\n%s", cancel.text)
		}
		w.legacy.raw(from, cancel.answer("200 OK"))
		w.legacy.raw(from, inv.answer("487 Request Terminated"))
		w.heard(id, "SIP/2.0 487")
	}
}

// TestTortureOverTCP sends the same over a connection of its own each. A message that could not be framed ends it; any
// other leaves it fit for use.
func TestTortureOverTCP(t *testing.T) {
	t.Parallel()
	w := newTorture(t)
	for _, x := range ordeals(t) {
		t.Run(x.name, func(t *testing.T) {
			w.as(t)
			c, err := net.Dial("tcp", w.outTCP)
			if x.preloaded() {
				c, err = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(nearby)}}).Dial("tcp", w.inTCP)
			}
			if err != nil {
				t.Fatal(err)
			}
			phone := newStreamReader(t, c)
			sent := read(x.text)
			if sent.get("content-length") == "" { // a stream can not do without
				sent = read(strings.Replace(x.text, "\r\n\r\n", fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(sent.body)), 1))
			}
			switch {
			case x.response():
				w.answeredOverTCP(x, phone)
			case x.verdict == "forward":
				phone.send([]byte(sent.text))
				got, refuse := w.forwarded(x)
				w.unchanged(sent, got, c.LocalAddr(), !x.preloaded())
				refuse()
				w.echoes(sent, phone.final("SIP/2.0 404"))
				if x.name == "dblreq" { // two messages, of which a stream has no reason to drop one
					second := read(sent.body)
					got, from := w.atLegacy(second.get("call-id"))
					w.unchanged(second, got, c.LocalAddr(), true)
					w.legacy.raw(from, got.answer("404 Not Found"))
					phone.final("SIP/2.0 404")
				}
			case x.name == "clerr":
				phone.send([]byte(x.text))
				phone.conn.CloseWrite() // without it the edge waits for the rest, for as long as its limit says: see transport
			default:
				phone.send([]byte(x.text))
				w.echoes(sent, phone.final("SIP/2.0 "+x.verdict))
			}
			if slices.Contains(unframed, x.name) {
				if m, ok := phone.next(); ok {
					t.Errorf("the stream goes on:\n%s", m.text)
				}
				w.fence(w.phone, w.out)
				return
			}
			w.fenceOver(phone)
		})
	}
}

// final is the next message but 100.
func (s *streamReader) final(prefix string) reading {
	s.t.Helper()
	r, ok := s.next()
	if !ok || !strings.HasPrefix(r.start, prefix) {
		s.t.Fatalf("wanted %q, got\n%s", prefix, r.text)
	}
	return r
}

// fenceOver is fence by a stream.
func (w *torture) fenceOver(s *streamReader) {
	w.t.Helper()
	w.fences++
	c := &call{w: w.world, by: w.phone, id: fmt.Sprintf("fence%d", w.fences), to: "<sip:bob@core.example.com>", domain: "core.example.com"}
	s.send(crlf(strings.Replace(c.request("OPTIONS", 1, "sip:bob@core.example.com", ""), "/UDP ", "/TCP ", 1)))
	m := w.atCore(c.id + "@phone")
	m.by.send([]byte(m.answer("200 OK")))
	s.final("SIP/2.0 200")
	for len(w.legacy.got) > 0 {
		w.allow(read((<-w.legacy.got).text))
	}
}

// answeredOverTCP sends an ordeal that is a response by the core's stream, to a phone that called over another.
func (w *torture) answeredOverTCP(x ordeal, phone *streamReader) {
	w.t.Helper()
	r := read(x.text)
	_, method, _ := strings.Cut(r.get("cseq"), " ")
	c := &call{w: w.world, by: w.phone, id: x.name, to: "<sip:bob@core.example.com>", domain: "core.example.com"}
	text := strings.Replace(c.request(method, 1, "sip:bob@core.example.com", ""), c.id+"@phone", r.get("call-id"), 1)
	phone.send(crlf(strings.Replace(text, "/UDP ", "/TCP ", 1)))
	inv := w.atCore(r.get("call-id"))
	response := x.under(inv.reading)
	sent := read(response)
	inv.by.send([]byte(response))
	if x.verdict == "forward" {
		w.passedUp(sent, phone.final(sent.start[:11]))
	}
	if x.verdict != "forward" || sent.start[8] == '1' {
		inv.by.send([]byte(inv.answer("486 Busy Here")))
		phone.final("SIP/2.0 486")
	}
}
