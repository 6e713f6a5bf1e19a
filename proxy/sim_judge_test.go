package proxy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// simJudge reads what goes into every edge and what comes out of it, and holds it against what must hold. It believes no
// log and no table of the edge.
type simJudge struct {
	w        *simWorld
	requests map[string]*judged
	branches map[string]*judgedBranch
	list     []*judged
	tags     map[string]bool // Call-ID and tag of every answer that came from somebody
	accounts map[netip.AddrPort]*account
	pending  []string // 2xx that this step must send on
	answers  []*simMsg
	scan     wire.Message
	rounds   map[string]int
	ended    map[string]bool // edge and Call-ID: a BYE has had its final response
}

// judged is one transaction from upstream, as the wire shows it.
type judged struct {
	key       string
	edge      int
	life      int // of the edge, when the first copy came
	at        int64
	m         *simMsg
	from      transport.Peer
	outside   bool
	asked     int             // life of the edge in which it was decided
	expect    policy.Platform // where the policy in force sends it; NoPlatform: not judged
	branches  []*judgedBranch
	finals    []string // distinct finals other than 2xx that went up
	accepted  bool
	acksIn    int
	acksOut   int
	cancelled bool
}

// judgedBranch is a request as it left.
type judgedBranch struct {
	r        *judged
	m        *simMsg
	to       transport.Peer
	platform policy.Platform
	life     int
	rang     int // highest provisional response
	final    int
}

// account is what an outside address that has not shown that it hears us has sent and got.
type account struct {
	in, out  int
	verified bool
}

func newSimJudge(w *simWorld) *simJudge {
	return &simJudge{w: w, requests: map[string]*judged{}, branches: map[string]*judgedBranch{}, tags: map[string]bool{}, accounts: map[netip.AddrPort]*account{},
		rounds: map[string]int{}, ended: map[string]bool{}}
}

// viaSource is where a Via says that its request came from.
func judgedSource(via string) string {
	sentBy, _, _ := strings.Cut(via, ";")
	_, sentBy, _ = strings.Cut(sentBy, " ")
	if port := simParam(via, "rport"); port != "" {
		host, _, _ := strings.Cut(sentBy, ":")
		if r := simParam(via, "received"); r != "" {
			host = r
		}
		return host + ":" + port
	}
	return sentBy
}

func outsideListener(l uint16) bool { return l == 0 || l == 2 }

func transactionKey(edge int, m *simMsg, method, branch, source string) string {
	return string(rune('0'+edge)) + m.callID + "|" + m.header("CSeq")[:strings.IndexByte(m.header("CSeq"), ' ')] + method + "|" + branch + "|" + source
}

// heard is told of every message that an edge gets.
func (j *simJudge) heard(i int, x *simEdge, from transport.Peer, raw []byte) {
	j.pending, j.answers = j.pending[:0], j.answers[:0]
	m := parseSim(raw)
	out := outsideListener(from.Listener)
	if out && from.Proto == transport.UDP {
		a := j.account(from.Addr)
		a.in += len(raw)
		if m != nil && m.toTag != "" {
			a.verified = true
		}
	}
	if m == nil || m.method == "" && m.status == 0 {
		return
	}
	if m.method == "" {
		j.heardResponse(i, x, from, m)
		return
	}
	source := from.Addr.String()
	if !out {
		source = judgedSource(m.via[0])
	}
	method := m.method
	if method == "ACK" || method == "CANCEL" {
		method = "INVITE"
	}
	key := transactionKey(i, m, method, m.branch, source)
	r := j.requests[key]
	switch m.method {
	case "CANCEL":
		if r != nil {
			r.cancelled = true
		}
		return
	case "ACK":
		if r == nil { // of a 2xx: a transaction of its own
			r = j.open(key+"ACK", i, x, from, m)
		}
		r.acksIn++
		return
	}
	if r == nil {
		r = j.open(key, i, x, from, m)
		id := m.callID + m.header("CSeq")
		if j.rounds[id]++; j.rounds[id] > 24 {
			j.w.n.fail("%s %s goes round: it came %d times", m.callID, m.header("CSeq"), j.rounds[id])
		}
	}
	if len(r.branches) == 0 && r.asked != x.life { // what a dead edge has not sent is decided anew
		r.asked, r.expect = x.life, j.expects(x, r)
	}
}

func (j *simJudge) open(key string, i int, x *simEdge, from transport.Peer, m *simMsg) *judged {
	if r := j.requests[key]; r != nil {
		return r
	}
	r := &judged{key: key, edge: i, life: x.life, at: j.w.n.now, m: m, from: from, outside: outsideListener(from.Listener)}
	j.requests[key] = r
	j.list = append(j.list, r)
	return r
}

// expects asks the policy where a request of a phone belongs.
func (j *simJudge) expects(x *simEdge, r *judged) policy.Platform {
	m := r.m
	if !r.outside || m.toTag != "" || len(m.route) > 0 || m.header("Replaces") != "" || m.header("Authorization") != "" || x.policy == nil {
		return policy.NoPlatform
	}
	uri := m.uri
	if m.method == "REGISTER" {
		uri = simURI(m.to)
	}
	split := func(uri string) (string, string) {
		host, _ := simHost(uri)
		return simUser(uri), host
	}
	q := policy.Question{Method: m.method, Source: r.from.Addr, Transport: r.from.Proto.String(), Now: j.w.n.now / 1e9}
	q.ToUser, q.ToHost = split(uri)
	q.FromUser, q.FromHost = split(simURI(m.from))
	var tr policy.Trace
	return x.policy.Decide(x.policy.Resolve(&q, &tr)).Platform
}

func (j *simJudge) account(a netip.AddrPort) *account {
	x := j.accounts[a]
	if x == nil {
		x = &account{}
		j.accounts[a] = x
	}
	return x
}

func (j *simJudge) heardResponse(i int, x *simEdge, from transport.Peer, m *simMsg) {
	j.tags[m.callID+"|"+m.toTag] = true
	b := j.branches[branchKey(i, m.branch, m.cmethod)]
	if b == nil {
		return
	}
	j.answers = append(j.answers, m)
	sameLife := b.life == x.life
	if b.to.Addr.Addr() != from.Addr.Addr() && (!sameLife || platformAt(from.Addr) == policy.NoPlatform || platformAt(from.Addr) != b.platform) {
		return // it need not be believed
	}
	if m.status < 200 {
		b.rang = max(b.rang, m.status)
		return
	}
	if m.cmethod == "INVITE" && m.status < 300 {
		up := b.r
		if up.from.Proto == transport.TCP && (up.life != x.life || j.w.n.now-up.at > int64(30*time.Second)) {
			return // nobody is there any more
		}
		if (!sameLife || j.w.n.now-b.r.at > int64(30*time.Second)) && from.Addr != b.to.Addr || from.Proto != b.to.Proto {
			return // the branch proves nothing for that address
		}
		if from.Proto == transport.TCP && (x.life != b.life || b.final >= 200 || j.w.n.now-b.r.at > int64(30*time.Second)) {
			return
		}
		j.pending = append(j.pending, m.callID+"|"+m.toTag)
	}
	if b.final == 0 {
		b.final = m.status
	}
}

func platformAt(a netip.AddrPort) policy.Platform {
	if ip := a.Addr().As4(); ip[0] == 10 && (ip[1] == 1 || ip[1] == 2) {
		return policy.Platform(ip[1])
	}
	return policy.NoPlatform
}

func branchKey(i int, branch, method string) string {
	if method == "ACK" {
		method = "INVITE"
	}
	return string(rune('0'+i)) + branch + method
}

// said is told of every message that an edge sends.
func (j *simJudge) said(i int, x *simEdge, to transport.Peer, raw []byte) {
	n := j.w.n
	limits := &x.edge.limits
	if f := j.scan.Scan(raw, limits); f != wire.FaultNone {
		n.fail("an edge sends what it would not accept (%s):\n%s", f, raw)
		return
	}
	if f := j.scan.Check(); f != wire.FaultNone {
		n.fail("an edge sends what it would not accept (%s):\n%s", f, raw)
	}
	m := parseSim(raw)
	if m == nil {
		n.fail("an edge sends what nobody can read:\n%s", raw)
		return
	}
	if m.method == "" {
		j.saidResponse(i, x, to, m, len(raw))
		return
	}
	if len(m.via) == 1 {
		j.saidOwn(i, x, to, m)
		return
	}
	method := m.method
	if method == "ACK" || method == "CANCEL" {
		method = "INVITE"
	}
	key := transactionKey(i, m, method, simParam(m.via[1], "branch"), judgedSource(m.via[1]))
	r := j.requests[key]
	if m.method == "ACK" && r == nil {
		r = j.requests[key+"ACK"]
	}
	if r == nil {
		n.fail("an edge sends %s that nobody sent it (%s):\n%s", m.method, key, m.text)
		return
	}
	if m.method == "ACK" || m.method == "CANCEL" { // without a transaction: one copy for every copy
		if m.method == "ACK" {
			if r.acksOut++; r.acksOut > r.acksIn {
				n.fail("%d ACKs out for %d in: %s", r.acksOut, r.acksIn, m.text)
			}
		}
		return
	}
	j.unchanged(r.m, m, r)
	j.branched(i, x, to, r, m)
}

// branched judges where a request goes.
func (j *simJudge) branched(i int, x *simEdge, to transport.Peer, r *judged, m *simMsg) {
	n := j.w.n
	key := branchKey(i, m.branch, m.method)
	if b := j.branches[key]; b != nil {
		return
	}
	b := &judgedBranch{r: r, m: m, to: to, platform: platformAt(to.Addr), life: x.life}
	j.branches[key] = b
	for _, old := range r.branches {
		j.mayFollow(old, b)
	}
	r.branches = append(r.branches, b)
	if len(r.branches) == 1 && r.expect != policy.NoPlatform && b.platform != policy.NoPlatform && b.platform != r.expect {
		n.fail("%s %s goes to %s, the policy says %s", m.callID, m.method, b.platform, r.expect)
	}
	if r.m.toTag != "" && len(r.branches) == 1 && len(r.m.route) == 0 && r.outside {
		n.fail("%s without a token finds a way:\n%s", m.method, m.text)
	}
}

// mayFollow: a second try is allowed where nobody can have been reached by the first, or said no.
func (j *simJudge) mayFollow(old, b *judgedBranch) {
	n, r := j.w.n, b.r
	sos := simUser(r.m.uri) == "911"
	switch {
	case r.cancelled && !sos && r.m.method == "INVITE" && b.life == old.life:
		n.fail("%s: another target after CANCEL", r.m.callID)
	case old.life != b.life: // what the first try came to is forgotten, not where it went
		if r.m.method == "INVITE" && old == r.branches[len(r.branches)-1] && old.final == 0 && !sos && r.m.toTag == "" &&
			old.platform != b.platform && old.platform != policy.NoPlatform && b.platform != policy.NoPlatform {
			n.fail("%s: after a restart the INVITE goes to %s, before it went to %s", r.m.callID, b.platform, old.platform)
		}
	case r.accepted:
		n.fail("%s: another target after a 2xx", r.m.callID)
	case sos || r.m.method == "REGISTER":
	case r.m.method == "INVITE" && old.rang > 100 && b.platform != policy.NoPlatform && old.platform != policy.NoPlatform:
		n.fail("%s: another target after %d", r.m.callID, old.rang)
	case old.platform != b.platform && b.platform != policy.NoPlatform && old.final == 0 && old == r.branches[len(r.branches)-1]:
		n.fail("%s: silence crosses to the other platform", r.m.callID)
	case r.m.toTag != "":
		n.fail("%s: %s in a dialog goes to another target", r.m.callID, r.m.method)
	}
	if r.m.method == "MESSAGE" && old.final == 0 && old.life == b.life && old.to.Proto == transport.UDP {
		n.fail("%s: MESSAGE goes to another target by silence", r.m.callID)
	}
}

// owned are the headers that are ours to write.
func ownedHeader(name string) bool {
	switch name {
	case "Via", "Record-Route", "Route", "Path", "Max-Forwards", "Content-Length", "Authorization", "Proxy-Authorization", "Supported", "P-Asserted-Identity",
		"X-Hotcut-Forged", "Subscription-State":
		return true
	}
	return false
}

// unchanged holds that what left is what came, but for what is ours.
func (j *simJudge) unchanged(in, out *simMsg, r *judged) {
	n := j.w.n
	if want := min(in.hops-1, 70); out.hops != want && in.hops >= 0 {
		n.fail("%s %s: Max-Forwards %d of %d", in.callID, in.method, out.hops, in.hops)
	}
	if len(out.via) != len(in.via)+1 {
		n.fail("%s %s: Vias %q of %q", in.callID, in.method, out.via, in.via)
	}
	if in.body != out.body {
		n.fail("%s %s: the body has changed", in.callID, in.method)
	}
	k := 0
	register := in.method == "REGISTER"
	for i := range in.lines {
		l := &in.lines[i]
		if ownedHeader(l.name) || register && (l.name == "Contact" || l.name == "Expires") {
			continue
		}
		for k < len(out.lines) && (ownedHeader(out.lines[k].name) || register && (out.lines[k].name == "Contact" || out.lines[k].name == "Expires")) {
			k++
		}
		if k == len(out.lines) || out.lines[k] != *l {
			n.fail("%s %s: %s has changed:\n%s\n%s", in.callID, in.method, l.name, in.text, out.text)
			return
		}
		k++
	}
	if v := "\r\nX-Foreign:  " + in.callID + "  as  it is \r\n"; strings.Contains(in.text, v) && !strings.Contains(out.text, v) {
		n.fail("%s %s: foreign bytes have changed", in.callID, in.method)
	}
	if r.outside && (strings.Contains(out.text, "forged@") || strings.Contains(out.text, "X-Hotcut-Forged")) {
		n.fail("%s %s: a trust header passes", in.callID, in.method)
	}
}

// saidOwn judges what an edge sends of its own accord.
func (j *simJudge) saidOwn(i int, x *simEdge, to transport.Peer, m *simMsg) {
	n := j.w.n
	switch m.method {
	case "CANCEL":
		b := j.branches[branchKey(i, m.branch, "INVITE")]
		switch {
		case b == nil:
			n.fail("a CANCEL of nothing:\n%s", m.text)
		case b.rang == 0 && b.life == x.life && len(b.r.branches) == 1:
			n.fail("%s: CANCEL before any provisional response", m.callID)
		}
	case "ACK":
		b := j.branches[branchKey(i, m.branch, "INVITE")]
		if b == nil || b.final < 300 {
			n.fail("an ACK of nothing:\n%s", m.text)
		}
	case "OPTIONS", "REGISTER", "NOTIFY":
	default:
		n.fail("an edge has a wish of its own:\n%s", m.text)
	}
}

func (j *simJudge) saidResponse(i int, x *simEdge, to transport.Peer, m *simMsg, size int) {
	n := j.w.n
	relayed := j.tags[m.callID+"|"+m.toTag] && m.status != 100
	if outsideListener(to.Listener) && to.Proto == transport.UDP {
		a := j.account(to.Addr)
		if m.cmethod == "REGISTER" && m.status/100 == 2 {
			a.verified = true
		}
		if !relayed && !a.verified {
			if a.out += size; a.out > a.in {
				n.fail("%s got %d bytes of ours for %d:\n%s", to.Addr, a.out, a.in, m.text)
			}
		}
	}
	if !relayed && m.cmethod != "INVITE" && (m.status == 100 || m.status == 408) {
		n.fail("%d to %s (RFC 4320):\n%s", m.status, m.cmethod, m.text)
	}
	if m.cmethod == "CANCEL" {
		return
	}
	source := to.Addr.String()
	if !outsideListener(to.Listener) {
		source = judgedSource(m.via[0])
	}
	r := j.requests[transactionKey(i, m, m.cmethod, m.branch, source)]
	if r == nil {
		if !j.w.spoiled[m.callID] {
			n.fail("a response to nobody:\n%s", m.text)
		}
		return
	}
	if m.toTag != "" || m.status == 100 {
		j.relays(m)
	}
	if m.status < 200 {
		return
	}
	if m.cmethod == "BYE" && m.status != 401 && m.status != 407 && len(r.branches) > 0 {
		j.ended[x.name+m.callID] = true
	}
	if m.status < 300 {
		if m.cmethod == "INVITE" {
			r.accepted = true
		}
		j.pending = slices.DeleteFunc(j.pending, func(k string) bool { return k == m.callID+"|"+m.toTag })
		return
	}
	if len(r.branches) == 0 { // it was refused, perhaps without a state: its repetition is another request
		r.asked = 0
		return
	}
	final := m.start + m.to
	if !slices.Contains(r.finals, final) {
		r.finals = append(r.finals, final)
		if len(r.finals) > 1 && m.cmethod == "INVITE" && !j.w.kills && !strings.HasPrefix(m.callID, "spiral") { // whose refusals rest on no state
			n.fail("%s: several finals went up: %q", m.callID, r.finals)
		}
	}
	if r.accepted && m.cmethod == "INVITE" && r.life == x.life {
		n.fail("%s: %d went up after a 2xx", m.callID, m.status)
	}
}

// relays holds a relayed response against the one that came.
func (j *simJudge) relays(m *simMsg) {
	for _, in := range j.answers {
		if in.toTag != m.toTag || in.status != m.status || in.cmethod != m.cmethod {
			continue
		}
		if len(in.via) != len(m.via)+1 || !slices.Equal(in.via[1:], m.via) {
			j.w.n.fail("%s: Vias %q of %q", m.callID, m.via, in.via)
		}
		if !slices.Equal(in.rr, m.rr) {
			j.w.n.fail("%s: Record-Routes %q of %q", m.callID, m.rr, in.rr)
		}
	}
}

// stepped ends a step of an edge.
func (j *simJudge) stepped(i int, x *simEdge) {
	for _, k := range j.pending {
		j.w.n.fail("a 2xx was not sent on: %s at %s", k, x.name)
	}
	j.pending, j.answers = j.pending[:0], j.answers[:0]
}

// close judges what must have happened by the end.
func (j *simJudge) close() {
	for _, r := range j.list {
		x := j.w.edges[r.edge]
		if r.m.method != "INVITE" || r.life != x.life || j.w.spoiled[r.m.callID] && !r.outside {
			continue
		}
		if len(r.branches) > 0 && len(r.finals) == 0 && !r.accepted {
			j.w.n.fail("%s at %s: the INVITE never ended: it went to %s and got %d", r.m.callID, x.name, r.branches[0].to, r.branches[0].final)
		}
	}
}
