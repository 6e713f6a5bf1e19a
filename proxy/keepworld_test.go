package proxy

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
)

// keepWorld is one edge in virtual time that does nothing but keep registrations, and two registrars.
type keepWorld struct {
	t      *testing.T
	now    int64
	edge   *Edge
	policy *policy.Snapshot
	rev    uint64
	regs   map[netip.AddrPort]*simRegistrar
	legacy *simRegistrar
	core   *simRegistrar
	mail   []letter // on its way to the edge

	mu      sync.Mutex // guards outbox: a doctor sends from goroutines of his own
	outbox  []sentMail
	doctors bool // requests of ours may leave by the inside listener
}

type letter struct {
	from netip.AddrPort
	by   uint16
	text string
}

type sentMail struct {
	to   transport.Peer
	text string
}

// simRegistrar is RFC 3261 section 10.3, with the habits that registrars have.
type simRegistrar struct {
	w        *keepWorld
	addr     netip.AddrPort
	dead     bool
	codes    []string // answered first, one by one: "503 x\nRetry-After: 9"
	most     int64    // seconds granted at most
	min      int64    // 423 below
	secret   string   // password: challenges
	nonce    int      // number of the nonce in force
	guard    bool     // challenges whatever is not asserted from the own listener
	hole     bool     // the guard trusts every listener
	realm    string   // "": r
	noPath   bool     // 420
	mute     bool     // repeats no Path
	names    []string // takes no other Request-URI
	twice    bool     // tells contacts apart by Call-ID
	last     bool     // lists the last contact only
	mangles  bool     // rewrites the Contact's host
	contacts map[string]*simContact
	got      []message
	at       []int64
}

type simContact struct {
	aor    string
	callID string
	cseq   int
	until  int64
	path   string
}

func newKeepWorld(t *testing.T, edit func(*target)) *keepWorld {
	w := &keepWorld{t: t, now: 1_700_000_000e9, regs: map[netip.AddrPort]*simRegistrar{}}
	w.legacy, w.core = w.registrar("10.1.0.1:5060"), w.registrar("10.2.0.1:5060")
	cfg := config.Defaults()
	cfg.Node = "edge-1"
	e := &Edge{cfg: &cfg, log: slog.New(slog.DiscardHandler), inForce: func() *policy.Snapshot { return w.policy }}
	e.setLimits()
	e.count = simCounters()
	e.readers.New = func() any { return new(reader) }
	e.probes.init(e)
	e.own.init(e)
	var err error
	if e.location, err = location.Open(location.Options{Node: cfg.Node, Limit: 4096, Now: func() time.Time { return time.Unix(0, w.now) }}); err != nil {
		t.Fatal(err)
	}
	e.lines.queue = make(chan func(), 64)
	if err := e.openKeeper(simKey()); err != nil {
		t.Fatal(err)
	}
	topo := &topology{node: hash32(cfg.Node), pools: map[poolKey][]int{}, names: map[string]struct{}{}, addresses: map[string]struct{}{}}
	for i, a := range []string{"203.0.113.1:5060", "10.9.0.1:5070", "10.9.0.1:5080"} {
		l := listener{index: uint16(i), name: []string{"out", "in", "own"}[i], side: side(i), proto: transport.UDP, addr: netip.MustParseAddrPort(a), sentBy: a, host: a, wait: new(pressure)}
		l.hash = hash16(l.name)
		topo.listeners = append(topo.listeners, l)
	}
	var hs []health.Target
	for i, r := range []*simRegistrar{w.legacy, w.core} {
		p := policy.Platform(i + 1)
		x := target{name: p.String() + "1", hash: hash32(p.String() + "1"), platform: p, pool: "main", addr: r.addr, proto: transport.UDP, listener: 1,
			timers: e.timers, keep: keepTrust, keepRate: 200}
		edit(&x)
		topo.first[p] = "main"
		topo.pools[poolKey{p, "main"}] = []int{i}
		topo.targets = append(topo.targets, x)
		hs = append(hs, health.Target{Pool: p.String(), Name: x.name})
	}
	topo.health = health.New(hs, health.Config{Seed: 1})
	e.topo.Store(topo)
	e.current.Store(&cfg)
	e.now = func() int64 { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	e.newOut = w.capture
	w.edge = e
	return w
}

func (w *keepWorld) registrar(addr string) *simRegistrar {
	r := &simRegistrar{w: w, addr: netip.MustParseAddrPort(addr), most: 86400, contacts: map[string]*simContact{}}
	w.regs[r.addr] = r
	return r
}

// set puts a policy into force.
func (w *keepWorld) set(edit func(*policy.Tenant)) {
	w.rev++
	x := &policy.Tenant{ID: "acme", Domains: []string{"acme.example"}, Salt: "00112233445566778899aabbccddeeff", HashVer: 1}
	edit(x)
	s, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: w.rev}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, []*policy.Tenant{x})
	if err != nil {
		w.t.Fatal(err)
	}
	w.policy = s
}

func (w *keepWorld) stage(s policy.Stage) { w.set(func(t *policy.Tenant) { t.Stage = s }) }

// phone is what the edge learns when a phone's REGISTER has been confirmed by a platform: told for, held for.
func (w *keepWorld) phone(user string, on policy.Platform, told, held int64) *location.Binding {
	var id location.ID
	copy(id[:], user)
	old := w.edge.location.Get(id)
	b := &location.Binding{ID: id, Tenant: "acme", AoR: user + "@acme.example", Unit: user, To: "sip:" + user + "@acme.example",
		Contact: `"Desk" <sip:` + user + `@192.0.2.9:5062;transport=udp;x=y>;q=0.7;+sip.instance="<urn:uuid:1>"`,
		URI:     "sip:" + user + "@192.0.2.9:5062;transport=udp;x=y", CallID: user + "@phone", CSeq: 1, Asked: told,
		Flow: location.Flow{Edge: "edge-1", Listener: "out", Proto: "udp", Addr: netip.MustParseAddrPort("192.0.2.9:5062")}, Stamp: w.now / 1e3}
	if old != nil {
		b.Holds, b.CSeq = old.Holds, old.CSeq+1
	}
	h := b.Of(location.Platform(on))
	*h = location.Hold{CSeq: h.CSeq, Stamp: w.now / 1e3}
	if told > 0 {
		b.Told = w.now/1e9 + told
		h.Until, h.Lasts = w.now/1e9+held, held
	}
	w.edge.location.Put(b)
	return b
}

// pass lets time go by, 10 ms at a time.
func (w *keepWorld) pass(d time.Duration) {
	w.t.Helper()
	out := w.capture()
	for end := w.now + int64(d); w.now < end; {
		w.mu.Lock()
		w.now += 10e6
		outbox := w.outbox
		w.outbox = nil
		w.mu.Unlock()
		for _, m := range outbox {
			w.regs[m.to.Addr].receive(message{text: m.text}, m.to.Listener)
		}
		mail := w.mail
		w.mail = nil
		for _, l := range mail {
			w.edge.message(w.now, transport.Peer{Listener: l.by, Proto: transport.UDP, Addr: l.from}, []byte(l.text), out)
		}
		w.edge.own.tick(w.now, out)
		w.edge.keeper.tick(w.now, out)
	}
	if n := w.edge.panics.Load(); n > 0 {
		(<-w.edge.lines.queue)()
		w.t.Fatalf("%d panics", n)
	}
}

func (w *keepWorld) capture() *transport.Out {
	return transport.Capture(func(to transport.Peer, msg []byte, _ uint64) {
		if to.Listener != 2 && !w.doctors {
			w.t.Errorf("a request of ours left by listener %d:\n%s", to.Listener, msg)
		}
		w.mu.Lock()
		w.outbox = append(w.outbox, sentMail{to, string(msg)})
		w.mu.Unlock()
	})
}

func (r *simRegistrar) receive(m message, by uint16) {
	w := r.w
	r.got, r.at = append(r.got, m), append(r.at, w.now)
	if r.dead {
		return
	}
	answer := func(status, extra string) {
		text := answerTo(m, status, extra, "xxxxxxxxxx-name-xxxxx")
		text = strings.Replace(text, "Contact: <sip:callee@xxxxxxxxxx-name-xxxxx>\n", "", 1)
		w.mail = append(w.mail, letter{r.addr, by, string(crlf(text))})
	}
	if len(r.codes) > 0 {
		status, extra, _ := strings.Cut(r.codes[0], "\n")
		r.codes = r.codes[1:]
		if extra != "" {
			extra += "\n"
		}
		answer(status, extra)
		return
	}
	if r.secret != "" && !r.authorized(m) {
		answer("401 Unauthorized", fmt.Sprintf("WWW-Authenticate: Digest realm=\"r\", nonce=\"n%d\", qop=\"auth\", algorithm=SHA-256\n", r.nonce))
		return
	}
	if said := r.habits(m, by); said != "" {
		status, extra, _ := strings.Cut(said, "\n")
		answer(status, extra)
		return
	}
	if len(m.headers("Contact")) == 0 {
		answer("200 OK", r.list(m))
		return
	}
	expires, _ := strconv.ParseInt(m.headers("Expires")[0], 10, 64)
	if expires > 0 && expires < r.min {
		answer("423 Interval Too Brief", fmt.Sprintf("Min-Expires: %d\n", r.min))
		return
	}
	contact := m.headers("Contact")[0]
	_, uri, _ := strings.Cut(contact, "<")
	uri, _, _ = strings.Cut(uri, ">")
	if r.twice {
		uri += " " + m.headers("Call-ID")[0]
	}
	number, _, _ := strings.Cut(m.headers("CSeq")[0], " ")
	cseq, _ := strconv.Atoi(number)
	old := r.contacts[uri]
	if old != nil && old.until > w.now/1e9 && old.callID == m.headers("Call-ID")[0] && cseq <= old.cseq {
		answer("500 Out of Order", "")
		return
	}
	x := &simContact{aor: m.headers("To")[0], callID: m.headers("Call-ID")[0], cseq: cseq, until: w.now/1e9 + min(expires, r.most)}
	if p := m.headers("Path"); len(p) > 0 {
		x.path = p[0]
	}
	r.contacts[uri] = x
	if expires == 0 {
		delete(r.contacts, uri)
	}
	extra := r.list(m)
	if x.path != "" && !r.mute {
		extra += "Path: " + x.path + "\n"
	}
	answer("200 OK", extra)
}

func (r *simRegistrar) list(m message) (text string) {
	for _, u := range slices.Sorted(keysOf(r.contacts)) {
		if r.contacts[u].aor != m.headers("To")[0] {
			continue
		}
		uri, _, _ := strings.Cut(u, " ")
		if r.mangles {
			uri = strings.Replace(uri, "@", "@192.0.2.", 1)
		}
		line := fmt.Sprintf("Contact: <%s>;expires=%d\n", uri, r.contacts[u].until-r.w.now/1e9)
		if r.last {
			text = ""
		}
		text += line
	}
	return text
}

// habits are what is wrong with a registrar, or right: its answer, "" to go on.
func (r *simRegistrar) habits(m message, by uint16) string {
	asserted := len(m.headers("P-Asserted-Identity")) > 0
	_, rest, _ := strings.Cut(m.text, "sip:")
	host, _, _ := strings.Cut(rest, " ")
	switch {
	case r.names != nil && !slices.Contains(r.names, host):
		return "404 Not Here\n"
	case r.guard && !(asserted && (by == 2 || r.hole)):
		realm := r.realm
		if realm == "" {
			realm = "r"
		}
		return "401 Unauthorized\nWWW-Authenticate: Digest realm=\"" + realm + "\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\nWWW-Authenticate: Digest realm=\"" + realm + "\", nonce=\"n\"\n"
	case r.noPath && len(m.headers("Path")) > 0:
		return "420 Bad Extension\nUnsupported: path\n"
	}
	return ""
}

func (r *simRegistrar) authorized(m message) bool {
	list := m.headers("Authorization")
	if len(list) == 0 {
		return false
	}
	value := []byte(list[0])
	var p, q digest.Params
	challenge := []byte(fmt.Sprintf("Digest realm=\"r\", nonce=\"n%d\", qop=\"auth\", algorithm=SHA-256", r.nonce))
	if !digest.ParseCredentials(&p, value) || !digest.ParseChallenge(&q, challenge) || string(p.Nonce.In(value)) != fmt.Sprintf("n%d", r.nonce) {
		return false
	}
	nc, _ := strconv.ParseUint(string(p.NC.In(value)), 16, 32)
	want, err := digest.AppendAuthorization(nil, &q, challenge, digest.Secret{Username: "anna", Password: r.secret}, "REGISTER",
		string(p.URI.In(value)), uint32(nc), string(p.CNonce.In(value)))
	return err == nil && string(want) == string(value)
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// hold is what the table says that a platform holds of a binding, in words.
func (w *keepWorld) hold(b *location.Binding, p policy.Platform) string {
	h := w.edge.location.Get(b.ID).Of(location.Platform(p))
	switch left := h.Until - w.now/1e9; {
	case left <= 0:
		return "none"
	case h.Own:
		return fmt.Sprintf("own %d", h.Lasts)
	default:
		return fmt.Sprintf("phone %d", h.Lasts)
	}
}

func (w *keepWorld) wantHold(b *location.Binding, p policy.Platform, want string) {
	w.t.Helper()
	if got := w.hold(b, p); got != want {
		w.t.Fatalf("%s holds %q, want %q", p, got, want)
	}
}

func (w *keepWorld) wantHeard(r *simRegistrar, n int) message {
	w.t.Helper()
	if len(r.got) != n {
		var lines []string
		for _, m := range r.got {
			lines = append(lines, m.text)
		}
		w.t.Fatalf("%s heard %d requests, want %d:\n%s", r.addr, len(r.got), n, strings.Join(lines, "\n"))
	}
	if n == 0 {
		return message{}
	}
	return r.got[n-1]
}
