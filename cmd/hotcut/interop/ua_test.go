//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ua is a user agent made by hand on a UDP socket: a phone, or a callee behind a switch. It says what the test tells
// it to and nothing else, so that a test can stand between any two messages of a call. It keeps all it heard, and
// shows its wire when the test fails.
type ua struct {
	t    *testing.T
	name string
	addr string
	conn net.PacketConn
	in   chan *message
	// In place of conn: the one connection that it has. See newStreamDevice.
	stream net.Conn
	sdp    string // in its INVITEs and the 2xx to them; empty: none

	mu    sync.Mutex // guards what follows
	heard []*message
	wire  []string
	auto  map[string]bool // "METHOD Call-ID", or "METHOD " for any call: answered with 200 as soon as it comes
}

func newUA(t *testing.T, name string) *ua {
	t.Helper()
	conn, err := net.ListenPacket("udp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	u := &ua{t: t, name: name, addr: conn.LocalAddr().String(), conn: conn, in: make(chan *message, 256), auto: map[string]bool{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		u.listen()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
		if t.Failed() {
			t.Logf("wire of %s at %s:\n%s", name, u.addr, strings.Join(u.wire, "\n"))
		}
	})
	return u
}

func (u *ua) listen() {
	buf := make([]byte, 65536)
	for {
		n, from, err := u.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		u.hear(string(buf[:n]), from.String())
	}
}

// listenStream reads what has no body, and keepalives between messages.
func (u *ua) listenStream(c net.Conn) {
	in := bufio.NewReader(c)
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if b.Len() == 0 && line == "\r\n" {
			continue
		}
		b.WriteString(line)
		if line == "\r\n" {
			u.hear(b.String(), c.RemoteAddr().String())
			b.Reset()
		}
	}
}

// hear keeps a message, answers it if it was told to, and hands it to who waits for one.
func (u *ua) hear(raw, from string) {
	m := readMessage(raw, from)
	u.mu.Lock()
	u.heard = append(u.heard, m)
	u.wire = append(u.wire, fmt.Sprintf("%s <<< %s\n%s", time.Now().Format("05.000"), from, m.raw))
	answer := u.auto[m.method()+" "+m.get("Call-ID")] || u.auto[m.method()+" "]
	u.mu.Unlock()
	if answer {
		u.answer(m, 200, "OK", "", "")
	}
	select {
	case u.in <- m:
	default: // the test has long stopped to listen
	}
}

func (u *ua) send(to, raw string) {
	u.t.Helper()
	if u.stream != nil {
		u.mu.Lock()
		u.wire = append(u.wire, fmt.Sprintf("%s >>> %s\n%s", time.Now().Format("05.000"), u.stream.RemoteAddr(), raw))
		u.mu.Unlock()
		if _, err := u.stream.Write([]byte(raw)); err != nil {
			u.t.Errorf("%s sends: %v", u.name, err)
		}
		return
	}
	addr, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		u.t.Errorf("%s sends: %v", u.name, err)
		return
	}
	u.mu.Lock()
	u.wire = append(u.wire, fmt.Sprintf("%s >>> %s\n%s", time.Now().Format("05.000"), to, raw))
	u.mu.Unlock()
	if _, err := u.conn.WriteTo([]byte(raw), addr); err != nil {
		u.t.Errorf("%s sends: %v", u.name, err)
	}
}

// answerTo makes the ua answer 200 to every request of that method and call (any call with "") by itself, while the test
// goes on.
func (u *ua) answerTo(method, callID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.auto[method+" "+callID] = true
}

// expect waits for a message that fits and passes over all others (repetitions, 100, provisional responses).
func (u *ua) expect(what string, fits func(*message) bool) *message {
	u.t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for {
		select {
		case m := <-u.in:
			if fits(m) {
				return m
			}
		case <-limit.C:
			u.t.Fatalf("%s waited in vain for %s", u.name, what)
		}
	}
}

func (u *ua) expectRequest(method, callID string) *message {
	u.t.Helper()
	return u.expect(method, func(m *message) bool { return m.method() == method && m.get("Call-ID") == callID })
}

// expectStatus waits for a response to the method of that call; 1xx other than the wanted one are passed over, another
// final response fails the test.
func (u *ua) expectStatus(status int, method, callID string) *message {
	u.t.Helper()
	m := u.expect(fmt.Sprintf("%d to %s", status, method), func(m *message) bool {
		_, of, _ := strings.Cut(m.get("CSeq"), " ")
		return m.get("Call-ID") == callID && of == method && (m.status() == status || m.status() >= 200)
	})
	if m.status() != status {
		u.t.Fatalf("%s got %q to %s, want %d", u.name, m.start, method, status)
	}
	return m
}

// count counts what was heard so far.
func (u *ua) count(fits func(*message) bool) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, m := range u.heard {
		if fits(m) {
			n++
		}
	}
	return n
}

// answer responds to a request; tag is added to To if it has none. Extra lines end with CRLF.
func (u *ua) answer(m *message, status int, phrase, tag, extra string) {
	u.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", status, phrase)
	for _, h := range m.headers {
		switch {
		case h.is("Via"), h.is("From"), h.is("Call-ID"), h.is("CSeq"), h.is("Record-Route") && status > 100 && status < 300:
			fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
		case h.is("To"):
			to := h.value
			if tag != "" && !strings.Contains(to, ";tag=") {
				to += ";tag=" + tag
			}
			fmt.Fprintf(&b, "To: %s\r\n", to)
		}
	}
	if status > 100 && status < 300 && m.method() == "INVITE" {
		fmt.Fprintf(&b, "Contact: <sip:%s@%s>\r\n", u.name, u.addr)
	}
	body := ""
	if status/100 == 2 && m.method() == "INVITE" {
		body = u.sdp
	}
	b.WriteString(extra + content(body))
	u.send(m.from, b.String())
}

// content ends a message's headers and adds its body.
func content(sdp string) string {
	if sdp == "" {
		return "Content-Length: 0\r\n\r\n"
	}
	return fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
}

// leg is a ua's end of a call: what a dialog is made of (RFC 3261 section 12.1).
type leg struct {
	u             *ua
	callID        string
	local, remote string // From and To of its own requests, with tags
	target        string // remote Contact
	routes        []string
	cseq          int
	peer          string // where the INVITE goes
	invite        string // the INVITE as sent, to repeat it
	branch        string
}

// call sends an INVITE for a URI to the address of a proxy.
func (u *ua) call(proxy, from, to string) *leg {
	u.t.Helper()
	id := strconv.FormatInt(time.Now().UnixNano(), 36)
	l := &leg{u: u, callID: id + "@" + u.name, local: "<" + from + ">;tag=" + u.name + id, remote: "<" + to + ">", target: to, cseq: 1, peer: proxy}
	l.branch = "z9hG4bKi" + id
	l.invite = l.request("INVITE", l.branch, l.cseq, "")
	u.send(proxy, l.invite)
	return l
}

// took is the callee's end of a call, made of the INVITE that it got.
func (u *ua) took(invite *message, tag string) *leg {
	l := &leg{u: u, callID: invite.get("Call-ID"), local: invite.get("To") + ";tag=" + tag, remote: invite.get("From"), cseq: 100}
	l.target = bare(invite.get("Contact"))
	l.routes = invite.list("Record-Route")
	return l
}

// request writes one along the dialog's route set.
func (l *leg) request(method, branch string, cseq int, extra string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\n", method, l.target, l.u.addr, branch)
	for _, r := range l.routes {
		fmt.Fprintf(&b, "Route: %s\r\n", r)
	}
	body := ""
	if method == "INVITE" {
		body = l.u.sdp
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:%s@%s>\r\n%s%s",
		l.local, l.remote, l.callID, cseq, method, l.u.name, l.u.addr, extra, content(body))
	return b.String()
}

// next is where a request of the dialog goes: the first Route, else the remote target.
func (l *leg) next() string {
	uri := l.target
	if len(l.routes) > 0 {
		uri = bare(l.routes[0])
	}
	return hostport(uri)
}

// answered takes the 2xx and acknowledges it along its route set.
func (l *leg) answered(m *message) {
	l.u.t.Helper()
	l.remote = m.get("To")
	l.target = bare(m.get("Contact"))
	l.routes = nil
	for _, r := range m.list("Record-Route") { // the caller's route set is the reverse
		l.routes = append([]string{r}, l.routes...)
	}
	l.u.send(l.next(), l.request("ACK", l.branch+"a", l.cseq, ""))
}

// bye hangs up and waits for the 200.
func (l *leg) bye() {
	l.u.t.Helper()
	l.cseq++
	l.u.send(l.next(), l.request("BYE", fmt.Sprintf("%sb%d", branchOf(l), l.cseq), l.cseq, ""))
	l.u.expectStatus(200, "BYE", l.callID)
}

func branchOf(l *leg) string {
	if l.branch != "" {
		return l.branch
	}
	return "z9hG4bKt" + strings.ReplaceAll(l.callID, "@", "")
}

// ackRefusal is the ACK of a final response that is no 2xx: the INVITE's own branch, hop by hop.
func (l *leg) ackRefusal(m *message) {
	l.u.t.Helper()
	remote := l.remote
	l.remote = m.get("To")
	l.u.send(l.peer, l.request("ACK", l.branch, l.cseq, ""))
	l.remote = remote
}

func (l *leg) cancel() {
	l.u.t.Helper()
	l.u.send(l.peer, l.request("CANCEL", l.branch, l.cseq, ""))
}

// message is what a ua heard: as much of it as these tests look at.
type message struct {
	raw     string
	from    string
	start   string
	headers []header
}

type header struct{ name, value string }

func (h header) is(name string) bool { return strings.EqualFold(h.name, name) }

func readMessage(raw, from string) *message {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	m := &message{raw: raw, from: from, start: lines[0]}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		m.headers = append(m.headers, header{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return m
}

func (m *message) get(name string) string {
	for _, h := range m.headers {
		if h.is(name) {
			return h.value
		}
	}
	return ""
}

// list is the elements of a header over all its lines. None of those here has a comma inside an element.
func (m *message) list(name string) (all []string) {
	for _, h := range m.headers {
		if h.is(name) {
			for part := range strings.SplitSeq(h.value, ",") {
				all = append(all, strings.TrimSpace(part))
			}
		}
	}
	return all
}

// method is that of a request; "" for a response.
func (m *message) method() string {
	method, _, _ := strings.Cut(m.start, " ")
	if strings.HasPrefix(method, "SIP/") {
		return ""
	}
	return method
}

// status is 0 for a request.
func (m *message) status() int {
	if m.method() != "" || len(m.start) < 11 {
		return 0
	}
	n, _ := strconv.Atoi(m.start[8:11])
	return n
}

// bare is the URI in a name-addr.
func bare(nameAddr string) string {
	if _, rest, ok := strings.Cut(nameAddr, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(nameAddr, ";")
	return uri
}

// hostport is the host:port of a SIP URI.
func hostport(uri string) string {
	rest := strings.TrimPrefix(uri, "sip:")
	if _, after, ok := strings.Cut(rest, "@"); ok {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, ";")
	return rest
}
