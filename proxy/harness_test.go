package proxy

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
)

// The tests of a world wait for sockets and timers far more than they compute: several of them run at once on a machine of
// two cores.
func TestMain(m *testing.M) {
	flag.Parse()
	alone := flag.Lookup("test.parallel")
	if alone.Value.String() == alone.DefValue {
		flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what has to come, on a machine as busy as may be.
const patience = 30 * time.Second

// world is one edge on loopback with a phone, a legacy switch and a core, all of them plain sockets that say exactly
// what a test tells them to.
type world struct {
	t       *testing.T
	dir     string
	cfg     config.Config
	store   *filestore.Store
	edge    *Edge
	stop    func()
	done    chan struct{} // Run has ended
	log     *slog.Logger
	ask     func(*location.Table, location.ID, func(*location.Binding)) // the other edges' common memory; nil: there is none
	tap     Tap
	phone   *peer
	legacy  *peer
	core    *peer
	out     string // the edge's outside address
	in      string
	timed   bool      // nothing is overwritten to find faults
	servers []*server // that relay its media; none: it does itself, if at all
}

func newWorld(t *testing.T, tenants ...*policy.Tenant) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.phone, w.legacy, w.core = newPeer(t), newPeer(t), newPeer(t)
	store, err := filestore.Open(filepath.Join(w.dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	w.store = store
	t.Cleanup(func() { store.Close() })
	w.apply(policy.Change{Kind: policy.KindInit, Epoch: policy.MintEpoch()})
	for _, x := range tenants {
		w.change(policy.KindTenant, nil, x)
	}
	w.cfg = config.Defaults()
	w.cfg.Node = "edge-1"
	w.cfg.Store = "file://" + filepath.Join(w.dir, "store")
	w.cfg.State = filepath.Join(w.dir, "state")
	w.cfg.Admin = config.Admin{Socket: filepath.Join(w.dir, "a.sock")}
	w.cfg.Keys = config.MintKeyLine()
	w.cfg.Names = []string{"sip.provider.test"}
	w.cfg.Listen = []config.Listen{
		{Name: "out", Side: config.Outside, Transport: config.UDP, Address: home + ":" + freePort(t)},
		{Name: "in", Side: config.Inside, Transport: config.UDP, Address: home + ":" + freePort(t)},
	}
	w.cfg.Platforms.Legacy.Targets = []config.Target{{Name: "l1", URI: "sip:" + w.legacy.addr()}}
	w.cfg.Platforms.Core.Targets = []config.Target{{Name: "c1", URI: "sip:" + w.core.addr()}}
	w.cfg.Platforms.Legacy.Sources = []string{w.legacy.addr()}
	w.cfg.Platforms.Core.Sources = []string{w.core.addr()}
	w.cfg.Timers.Probe = 10 * time.Minute
	w.cfg.Timers.T1 = 4 * time.Second    // loopback loses nothing, and the edge need not repeat what a slow machine has yet to read
	w.cfg.Limits.Wait = 10 * time.Second // a machine as busy as may be is no overload
	w.out, w.in = w.cfg.Listen[0].Address, w.cfg.Listen[1].Address
	return w
}

// home is a loopback address of this process's own: test binaries run side by side, and none of them, nor a connection
// that leaves by a port of the kernel's choice, can take a port between our looking and our binding.
var home = fmt.Sprintf("127.%d.%d.1", 32+os.Getpid()>>8&127, os.Getpid()&255)

var nextPort atomic.Int32

// freePort is a port of home that no test which runs now has had, by UDP and TCP.
func freePort(t testing.TB) string { return freePortAt(t, home) }

func freePortAt(t testing.TB, ip string) string {
	for range 1000 {
		port := strconv.Itoa(anotherPort())
		u, err := net.ListenPacket("udp", net.JoinHostPort(ip, port))
		if err != nil {
			continue
		}
		u.Close()
		l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port at " + ip)
	return ""
}

// anotherPort is below those that the kernel chooses: nobody gets it by chance when who had it is gone.
func anotherPort() int { return 10000 + int(nextPort.Add(1)%20000) }

var nextMedia atomic.Int32

// mediaPorts are ports for one relay: tests run side by side, and none may take a pair that another's relay comes back to.
func mediaPorts() media.PortRange {
	lo := 20000 + uint16(nextMedia.Add(1)%200)*200
	return media.PortRange{Lo: lo, Hi: lo + 199}
}

// fewPorts are enough for two calls.
func fewPorts() media.PortRange {
	r := mediaPorts()
	r.Hi = r.Lo + 3
	return r
}

// asSet is how the configuration writes them.
func asSet(r media.PortRange) string { return fmt.Sprintf("%d-%d", r.Lo, r.Hi) }

func (w *world) apply(c policy.Change) policy.Head {
	w.t.Helper()
	c.Actor, c.Key = "test", policy.MintKey()
	if h, err := w.store.Head(w.t.Context()); err == nil {
		c.Epoch, c.Base = h.Epoch, h.Rev
	}
	h, _, err := w.store.Apply(w.t.Context(), c)
	if err != nil {
		w.t.Fatalf("%s: %v", c.Kind, err)
	}
	return h
}

func (w *world) change(k policy.Kind, before, after *policy.Tenant) policy.Head {
	id := ""
	if after != nil {
		id = after.ID
	} else {
		id = before.ID
	}
	return w.apply(policy.Change{Kind: k, Tenants: []policy.TenantChange{{ID: id, Before: before, After: after}}})
}

// move commits a change of one tenant and waits until the edge runs it.
func (w *world) move(id string, edit func(*policy.Tenant)) {
	w.t.Helper()
	s, err := w.store.LoadAt(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	before := *s.Tenant(id).Tenant
	after := before
	edit(&after)
	h := w.change(policy.KindFlip, &before, &after)
	w.await(func() bool { return w.edge.snapshot().Rev() == h.Rev }, "the edge to run rev %d", h.Rev)
}

func (w *world) await(ok func() bool, format string, args ...any) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for "+format, args...)
		}
		time.Sleep(5 * time.Millisecond) //nolint: polling a condition with a deadline
	}
}

func (w *world) start() *world {
	w.t.Helper()
	cfg := w.cfg
	var share func(string, *location.Table, *slog.Logger) (*Sharing, error)
	if w.ask != nil {
		cfg.Data = "redis://192.0.2.1:1"
		share = func(_ string, t *location.Table, _ *slog.Logger) (*Sharing, error) {
			return &Sharing{Run: func(ctx context.Context) error { <-ctx.Done(); return nil }, Ask: func(id location.ID, done func(*location.Binding)) { w.ask(t, id, done) }, State: func() ShareState { return ShareState{Live: true} }}, nil
		}
	}
	e, err := New(Options{Config: &cfg, Share: share, Store: w.store, Log: w.log, Tap: w.tap, Build: "test", PoisonBuffers: !w.timed,
		Reload: func() (*config.Config, error) { c := w.cfg; return &c, nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ended := make(chan struct{})
	w.done = ended
	go func() { done <- e.Run(ctx); close(ended) }()
	w.edge = e
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		if n := e.panics.Load(); n > 0 {
			w.t.Errorf("%d panics in shards", n)
		}
	}
	w.t.Cleanup(w.stop)
	w.await(func() bool { return e.Ready() == nil }, "the edge to be ready")
	return w
}

func tenant(id string, stage policy.Stage) *policy.Tenant {
	return &policy.Tenant{ID: id, Domains: []string{id + ".example"}, Stage: stage, Salt: policy.MintSalt(), HashVer: 1}
}

// peer is a UDP socket that speaks SIP by hand.
type peer struct {
	t    *testing.T
	conn *net.UDPConn
	got  chan message
	seen map[string]bool

	nudge func() // asks again, each second while an answer is waited for; nil: it is not asked again
}

type message struct {
	text string
	from *net.UDPAddr
}

func newPeer(t *testing.T) *peer { return newPeerAt(t, home) }

func newPeerAt(t *testing.T, ip string) *peer {
	var c *net.UDPConn
	for tries := 0; c == nil; tries++ {
		var err error
		if c, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip), Port: anotherPort()}); err != nil && tries == 100 {
			t.Fatal(err)
		}
	}
	p := &peer{t: t, conn: c, got: make(chan message, 1024), seen: map[string]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := c.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if text := string(buf[:n]); !strings.Contains(text, "Call-ID: probe-") {
				p.got <- message{text, from}
			}
		}
	}()
	t.Cleanup(func() {
		c.Close()
		for {
			select {
			case <-p.got: // the reader may stand before a full channel
			case <-done:
				return
			}
		}
	})
	return p
}

func (p *peer) addr() string { return p.conn.LocalAddr().String() }

func (p *peer) send(to, text string) {
	p.t.Helper()
	a, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.WriteToUDP([]byte(strings.ReplaceAll(text, "\n", "\r\n")), a); err != nil {
		p.t.Fatal(err)
	}
}

// want returns the next new message, whose start line must begin so. Retransmissions are passed over: a machine under
// load is slower than Timer A. So is a 100 that is not asked for: it comes if the answer is slow.
func (p *peer) want(prefix string) message {
	p.t.Helper()
	for {
		if m := p.again(prefix); !p.seen[m.text] {
			if !strings.HasPrefix(m.text, prefix) {
				if strings.HasPrefix(m.text, "SIP/2.0 100 ") {
					continue
				}
				p.t.Fatalf("wanted %q, got\n%s", prefix, m.text)
			}
			p.seen[m.text] = true
			return m
		}
	}
}

// next returns the next message that begins so, new or not.
func (p *peer) next(prefix string) message {
	p.t.Helper()
	for {
		if m := p.again(prefix); strings.HasPrefix(m.text, prefix) {
			return m
		}
	}
}

// again returns the next message, new or not.
func (p *peer) again(prefix string) message {
	p.t.Helper()
	for end := time.After(patience); ; {
		select {
		case m := <-p.got:
			return m
		case <-time.After(time.Second):
			if p.nudge != nil {
				p.nudge()
			}
		case <-end:
			p.t.Fatalf("wanted %q, got nothing", prefix)
		}
	}
}

// silent fails if anything came: it is asked after an event that would have come later.
func (p *peer) silent() {
	p.t.Helper()
	select {
	case m := <-p.got:
		p.t.Fatalf("wanted silence, got\n%s", m.text)
	default:
	}
}

// headers returns all values of a header, in order.
func (m message) headers(name string) []string {
	var list []string
	for _, l := range strings.Split(m.text, "\r\n") {
		k, v, ok := strings.Cut(l, ":")
		if ok && strings.EqualFold(strings.TrimSpace(k), name) {
			list = append(list, strings.TrimSpace(v))
		}
		if l == "" {
			break
		}
	}
	return list
}

// reply answers m with a status line, as a user agent would.
func (p *peer) reply(m message, status, extra string) {
	p.t.Helper()
	p.send(m.from.String(), answerTo(m, status, extra, p.addr()))
}

// answerTo is a response to m by a user agent at contact.
func answerTo(m message, status, extra, contact string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\n", status)
	for _, n := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		for _, v := range m.headers(n) {
			if n == "To" && !strings.Contains(v, "tag=") && !strings.HasPrefix(status, "100") {
				v += fmt.Sprintf(";tag=callee%d", hash32(contact))
			}
			fmt.Fprintf(&b, "%s: %s\n", n, v)
		}
	}
	fmt.Fprintf(&b, "Contact: <sip:callee@%s>\n%sContent-Length: 0\n\n", contact, extra)
	return b.String()
}

// wantFinal is want, past a 100 if one came.
func (p *peer) wantFinal(prefix string) message {
	p.t.Helper()
	p.after100()
	return p.want(prefix)
}

// call is one dialog as its caller sees it.
type call struct {
	w      *world
	by     *peer
	id     string
	domain string
	routes []string // of the 2xx, reversed
	to     string
	remote string
}

func (w *world) invite(id, domain, extra string) *call {
	c := &call{w: w, by: w.phone, id: id, domain: domain, to: "<sip:bob@" + domain + ">"}
	w.phone.send(w.out, c.request("INVITE", 1, "sip:bob@"+domain, extra))
	return c
}

// verbose is what phones say besides: their INVITEs are long enough to pay for a 100 and a refusal of ours.
var verbose = map[string]string{"INVITE": "User-Agent: " + strings.Repeat("a phone that tells all its features, ", 10) + "\n"}

func (c *call) request(method string, cseq int, uri, extra string) string {
	var b strings.Builder
	n := cseq
	if method == "ACK" || method == "CANCEL" {
		n = 1
	}
	branch := fmt.Sprintf("z9hG4bK%s-%d", c.id, cseq)
	if method == "ACK" {
		branch += "a"
	}
	fmt.Fprintf(&b, "%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=%s\n", method, uri, c.by.addr(), branch)
	for _, r := range c.routes {
		fmt.Fprintf(&b, "Route: %s\n", r)
	}
	fmt.Fprintf(&b, "Max-Forwards: 70\nFrom: <sip:anna@%s>;tag=from%s\nTo: %s\nCall-ID: %s@phone\nCSeq: %d %s\nContact: <sip:anna@%s>\n%s%sContent-Length: 0\n\n",
		c.domain, c.id, c.to, c.id, n, method, c.by.addr(), verbose[method], extra)
	return b.String()
}

// answered learns the route set from a 2xx.
func (c *call) answered(m message) {
	rr := m.headers("Record-Route")
	c.routes = nil
	for i := len(rr) - 1; i >= 0; i-- {
		c.routes = append(c.routes, rr[i])
	}
	c.to = m.headers("To")[0]
	c.remote = strings.Trim(m.headers("Contact")[0], "<>")
}

// establish runs INVITE to ACK against the platform that is expected to serve.
func (w *world) establish(id, domain string, on *peer) *call {
	w.t.Helper()
	c := w.invite(id, domain, "")
	inv := on.want("INVITE ")
	w.phone.want("SIP/2.0 100")
	on.reply(inv, "200 OK", "")
	c.answered(w.phone.want("SIP/2.0 200"))
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	on.want("ACK ")
	return c
}

func (w *world) hangUp(c *call, on *peer) {
	w.t.Helper()
	w.phone.send(w.out, c.request("BYE", 2, c.remote, ""))
	bye := on.want("BYE ")
	on.reply(bye, "200 OK", "")
	w.phone.want("SIP/2.0 200")
}

// move2 commits without waiting: no edge runs.
func (w *world) move2(id string, stage policy.Stage) {
	w.t.Helper()
	s, err := w.store.LoadAt(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	before := *s.Tenant(id).Tenant
	after := before
	after.Stage = stage
	w.change(policy.KindFlip, &before, &after)
}

// hopAckOf makes an ACK one for a final response other than 2xx: it has the branch of its INVITE.
func hopAckOf(ack string) string { return strings.Replace(ack, "-1a", "-1", 1) }

func crlf(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n")) }

// feed hands messages to the edge as if p had sent them to the outside listener, without a socket between: each has
// been served when it returns, and what it made the edge send has left.
func (w *world) feed(p *peer) func(raw []byte) {
	out := w.edge.transport.NewOut()
	from := transport.Peer{Proto: transport.UDP, Addr: netip.MustParseAddrPort(p.addr())}
	return func(raw []byte) {
		out.Step()
		w.edge.message(time.Now().UnixNano(), from, raw, out)
		out.Flush()
	}
}

// silentBut fails if anything but repetitions of what begins so came.
func (p *peer) silentBut(prefix string) {
	p.t.Helper()
	for len(p.got) > 0 {
		if m := <-p.got; !strings.HasPrefix(m.text, prefix) {
			p.t.Fatalf("got\n%s", m.text)
		}
	}
}
