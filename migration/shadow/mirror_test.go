package shadow

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// answering is a dark core on a real socket that answers every call by itself, and sends the canary's to the sink.
type answering struct {
	conn *net.UDPConn

	mu    sync.Mutex
	seen  map[string]int // requests by method
	alive map[string]bool
}

func newAnswering(t *testing.T) *answering {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	a := &answering{conn: conn, seen: map[string]int{}, alive: map[string]bool{}}
	var wg sync.WaitGroup
	wg.Go(a.run)
	t.Cleanup(func() { conn.Close(); wg.Wait() })
	return a
}

func (a *answering) addr() netip.AddrPort { return a.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (a *answering) run() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := a.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var r wire.Message
		if r.Scan(buf[:n], nil) != wire.FaultNone || !r.Request {
			continue
		}
		method := string(r.Method.Of(r.Raw))
		callID := string(r.CallID.Of(r.Raw))
		a.mu.Lock()
		a.seen[method]++
		reply := func(code int, extra string) {
			a.conn.WriteToUDPAddrPort(r.AppendResponse(nil, code, "Dark", []byte("dark"), []byte(extra)), from)
		}
		contact := "Contact: <sip:core@" + a.addr().String() + ">\r\n"
		switch method {
		case "INVITE":
			a.alive[callID] = true
			reply(180, contact)
			reply(200, contact)
		case "ACK":
		case "REGISTER":
			reply(200, "Contact: "+value(&r, wire.HContact)+"\r\n")
		case "BYE":
			delete(a.alive, callID)
			reply(200, "")
		default:
			reply(200, "")
		}
		a.mu.Unlock()
	}
}

func (a *answering) count(method string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[method]
}

func (a *answering) living() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.alive)
}

// until waits for something to become true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline.C:
			t.Fatalf("in 30 s it never came to this: %s", what)
		case <-tick.C:
		}
	}
}

func realOptions(t *testing.T, dark netip.AddrPort) Options {
	snap := snapshotOf(t, policy.StageShadow, policy.FullShare)
	return Options{Edge: "edge1", Boot: "b", Sockets: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Dark: []Dark{{Name: "dark", Addr: dark, Build: "core-1"}},
		Policy: func() *policy.Snapshot { return snap }, Secret: []byte("0123456789abcdef"),
		Bindings: func(string) []tap.Binding {
			return []tap.Binding{{ID: "id1", AoR: "sip:1002@acme.example", User: "1002", Here: true}}
		}}
}

// script is the messages of a live call as the tap sees them.
func script(t *testing.T, id string) []cue {
	w := &world{t: t, now: begin, m: &machine{}}
	k := w.talk(id, "1001", "1002")
	var list []cue
	k.tapped = func(ev tap.Event, raw string) { list = append(list, cue{ev: ev, raw: []byte(raw)}) }
	k.invite()
	f := k.farLeg("1002")
	f.tapped = k.tapped
	f.invite()
	f.ring()
	k.ring()
	f.answer()
	k.answer()
	f.ack()
	k.ack()
	f.bye(false)
	k.bye(false)
	return list
}

func TestAMirrorOnRealSockets(t *testing.T) {
	dark := newAnswering(t)
	o := realOptions(t, dark.addr())
	type outcome struct {
		v            *compare.Verdict
		live, shadow *record.Exchange
	}
	verdicts := make(chan outcome, 16)
	o.Verdict = func(v *compare.Verdict, live, shadow *record.Exchange) { verdicts <- outcome{v, live, shadow} }
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	until(t, "the phone is registered", func() bool { return m.Stats().Bindings == 1 })

	play := func(list []cue) {
		for _, c := range list {
			c.ev.At = time.Now().UnixNano()
			cell := m.Put(&c.ev, c.raw)
			cell.Done()
			if cell == nil {
				t.Error("the ring is full")
			}
		}
	}
	list := script(t, "real1")
	play(list[:4])
	until(t, "the dark core has the call", func() bool { return dark.count("ACK") > 0 })
	play(list[4:])
	x := <-verdicts
	if x.v.Tenant != "acme" || x.v.Build != "core-1" || x.v.Edge != "edge1" || x.live.CallID == "" {
		t.Errorf("the verdict is %+v", x.v)
	}
	if got := ladder(x.shadow.Near.Messages); !strings.Contains(got, "<200 ACK BYE") {
		t.Errorf("shadow: %s", got)
	}

	// The end hangs up what lives.
	play(script(t, "real2")[:4])
	until(t, "the second call is answered", func() bool { return dark.living() > 0 && dark.count("ACK") > 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	until(t, "no dialog is left at the dark core", func() bool { return dark.living() == 0 })
}

func TestRecordAndReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	dark := newAnswering(t)
	o := realOptions(t, dark.addr())
	r, err := NewRecorder(o, RecorderOptions{Path: path, Retention: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for _, id := range []string{"rec1", "rec2", "rec3"} {
		for _, c := range script(t, id) {
			c.ev.At = time.Now().UnixNano()
			r.Put(&c.ev, c.raw).Done()
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	said := string(script(t, "rec1")[0].raw)
	for _, secret := range []string{"INVITE sip:", "sip:1001@", "SIP/2.0", "203.0.113.77", "Call-ID"} { // base64 does not make them by chance
		if !strings.Contains(said, secret) {
			t.Errorf("%q was not said: what does it test?", secret)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("%q stands in the file", secret)
		}
	}

	var mu sync.Mutex
	var shadows []string
	o.Verdict = func(_ *compare.Verdict, live, shadow *record.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		shadows = append(shadows, ladder(shadow.Near.Messages))
	}
	told := 0
	if err := Replay(t.Context(), path, o, func(done, total int) {
		if told++; done != told || total != 3 {
			t.Errorf("progress %d of %d", done, total)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(shadows) != 3 || told != 3 {
		t.Fatalf("%d verdicts, told %d times", len(shadows), told)
	}
	for _, s := range shadows {
		if !strings.Contains(s, "<200 ACK BYE") {
			t.Errorf("shadow: %s", s)
		}
	}

	o.Secret = []byte("another secret of 16")
	if err := Replay(t.Context(), path, o, nil); err == nil || !strings.Contains(err.Error(), ErrSeal.Error()) {
		t.Errorf("with another secret: %v", err)
	}
	n, err := Prune(path, func(tenant string, _ int64) bool { return tenant != "acme" })
	if text, _ := os.ReadFile(path); err != nil || n != 3 || len(text) != 0 {
		t.Errorf("pruned %d, %v, %d bytes are left", n, err, len(text))
	}
}

// A purge under a running recorder: it goes on in the new file.
func TestARecorderGoesOnAfterAPurge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	o := realOptions(t, darkAddr)
	start := time.Now()
	o.Now = func() int64 { return start.UnixNano() + 50*int64(time.Since(start)) } // the seconds that a far leg has for its end are short
	r, err := NewRecorder(o, RecorderOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	put := func(id string) {
		for _, c := range script(t, id) {
			c.ev.At = o.Now()
			r.Put(&c.ev, c.raw).Done()
		}
	}
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			return -1
		}
		return info.Size()
	}
	put("p1")
	until(t, "the first call is written", func() bool { return size() > 0 })
	if n, err := Prune(path, func(string, int64) bool { return false }); n != 1 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	for i := 0; size() <= 0; i++ { // one that is written before the recorder looks is lost
		put("p2" + itoa(i))
		before := r.Stats().Finished
		until(t, "the next call is finished", func() bool { return r.Stats().Finished > before })
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
