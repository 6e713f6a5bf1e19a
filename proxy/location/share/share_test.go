package share

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/hotcut/hotcut/proxy/location"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const prefix = "{hotcut:test:bindings}:"

func urlOf(m *miniredis.Miniredis) string { return "redis://" + m.Addr() + "/0?ns=test" }

// edge is a table that is shared.
type edge struct {
	t     *testing.T
	table *location.Table
	share *Share
	news  chan struct{} // something changed
	end   func()
}

// newEdge returns one that is not running yet.
func newEdge(t *testing.T, name, url string) *edge {
	t.Helper()
	e := &edge{t: t, news: make(chan struct{}, 1)}
	var err error
	if e.table, err = location.Open(location.Options{Node: name, Limit: 40_000}); err != nil {
		t.Fatal(err)
	}
	e.table.OnChange(func(*location.Binding) { e.wake() })
	if e.share, err = Open(url, e.table, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	e.share.changed = func(State) { e.wake() }
	e.share.pace = pace{block: 5 * time.Millisecond, retryMin: 2 * time.Millisecond, retryMax: 20 * time.Millisecond, refused: 5 * time.Millisecond, budget: usual.budget}
	return e
}

func (e *edge) wake() {
	select {
	case e.news <- struct{}{}:
	default:
	}
}

func (e *edge) run() *edge {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.share.Run(ctx) }()
	e.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			e.t.Error(err)
		}
	})
	e.t.Cleanup(e.end)
	return e
}

func start(t *testing.T, name, url string) *edge { return newEdge(t, name, url).run() }

// until waits for something to become true: it looks whenever the edge has news, and now and then for what Redis does.
func (e *edge) until(what string, is func() bool) {
	e.t.Helper()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-e.news:
		case <-time.After(2 * time.Millisecond):
		case <-deadline:
			e.t.Fatalf("%s: not within 20 s; %+v", what, e.share.State())
		}
	}
}

func (e *edge) live() { e.t.Helper(); e.until("live", func() bool { return e.share.State().Live }) }

func (e *edge) has(want *location.Binding) bool {
	b := e.table.Get(want.ID)
	return b != nil && *b == *want
}

// phone is a binding whose flow an edge owns.
func phone(owner string, i int) *location.Binding {
	now := time.Now()
	aor := fmt.Sprintf("phone%d@acme.example", i)
	b := &location.Binding{
		ID: location.NewNamer([]byte("key")).ID("acme", aor, nil, nil, nil), Tenant: "acme", AoR: aor, To: "sip:" + aor, Contact: "<sip:a@192.0.2.1>",
		URI: "sip:a@192.0.2.1", CallID: "call", CSeq: 1, Told: now.Unix() + 3600,
		Flow:  location.Flow{Edge: owner, Listener: "out-udp", Proto: "udp", Addr: netip.MustParseAddrPort("192.0.2.1:5060")},
		Stamp: now.UnixMicro(),
	}
	b.Holds[0] = location.Hold{Until: b.Told, Stamp: b.Stamp}
	return b
}

func TestTwoEdgesConverge(t *testing.T) {
	m := miniredis.RunT(t)
	a, b := start(t, "edge-a", urlOf(m)), start(t, "edge-b", urlOf(m))
	a.live()
	b.live()
	const n = 200
	var want [n]*location.Binding
	var wg sync.WaitGroup
	var each [2][n]*location.Binding
	for k, e := range []*edge{a, b} {
		for i := range n {
			p := phone(e.table.Node(), i)
			p.Holds[k].Stamp, p.Holds[k].Target = p.Stamp+int64(k)+1, e.table.Node()
			if i%3 == 0 { // of the same moment
				p.Stamp, p.Told = 1_700_000_000_000_000, 2_000_000_000
			}
			each[k][i] = p
			want[i] = location.Merge(want[i], p)
		}
	}
	for k, e := range []*edge{a, b} {
		wg.Go(func() {
			for _, p := range each[k] {
				e.table.Put(p)
			}
		})
	}
	wg.Wait()
	all := func(e *edge) func() bool {
		return func() bool {
			for _, w := range want {
				if !e.has(w) {
					return false
				}
			}
			return true
		}
	}
	a.until("a knows everything", all(a))
	b.until("b knows everything", all(b))
	// Who comes later reads it, and nobody else has to write for that.
	late := start(t, "edge-c", urlOf(m))
	late.until("a late edge knows everything", all(late))
	if s := late.share.State(); s.Published != 0 || s.Foreign != 0 || s.Learned < n {
		t.Errorf("%+v", s)
	}
	a.end()
	if a.share.State().Live {
		t.Error("live after its end")
	}
}

func TestRedisDownAtStart(t *testing.T) {
	m := miniredis.RunT(t)
	g := newGate(t, m)
	url := g.url()
	g.shut()
	a := start(t, "edge-a", url)
	p := phone("edge-a", 1)
	a.table.Put(p)
	a.until("it says why", func() bool { s := a.share.State(); return !s.Live && s.LastError != "" })
	g.open()
	b := start(t, "edge-b", url)
	b.until("news of before", func() bool { return b.has(p) })
	a.live()
	if s := a.share.State(); s.LastError != "" {
		t.Errorf("%+v", s)
	}
}

// Redis loses everything: each edge gives back what is its own, also news that others made of it.
func TestRedisComesBackEmpty(t *testing.T) {
	for _, cut := range []bool{true, false} {
		t.Run(fmt.Sprint("connections lost: ", cut), func(t *testing.T) {
			m := miniredis.RunT(t)
			g := newGate(t, m)
			a, b := start(t, "edge-a", g.url()), start(t, "edge-b", g.url())
			const n = 150
			for i := range n {
				a.table.Put(phone("edge-a", i))
				b.table.Put(phone("edge-b", n+i))
			}
			a.until("all", func() bool { return a.table.Len() == 2*n })
			b.until("all", func() bool { return b.table.Len() == 2*n })
			if cut {
				g.shut()
			}
			m.FlushAll()
			if cut {
				g.open()
			}
			late := start(t, "edge-c", urlOf(m))
			late.until("all is back", func() bool { return late.table.Len() == 2*n })
			p := phone("edge-a", 1)
			a.table.Put(p)
			b.until("news go on", func() bool { return b.has(p) })
			late.until("news go on", func() bool { return late.has(p) })
			if s := a.share.State(); s.Scans < 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What an edge has on disk and Redis never saw is given to the others when it meets Redis.
func TestKnownBeforeRun(t *testing.T) {
	m := miniredis.RunT(t)
	a := newEdge(t, "edge-a", urlOf(m))
	own, others := phone("edge-a", 1), phone("edge-b", 2)
	a.table.Learn(own) // as Open does: nothing is owed
	a.table.Learn(others)
	a.run()
	b := start(t, "edge-b", urlOf(m))
	b.until("its own flows", func() bool { return b.has(own) })
	if b.table.Get(others.ID) != nil {
		t.Error("an edge gives away flows of another, which may have ended there")
	}
}

// A hole in the stream, as after trimming, and a stream that went back.
func TestStreamHole(t *testing.T) {
	m := miniredis.RunT(t)
	a, b := start(t, "edge-a", urlOf(m)), start(t, "edge-b", urlOf(m))
	first := phone("edge-a", 1)
	a.table.Put(first)
	b.until("first", func() bool { return b.has(first) })
	// Written by somebody whose news is no longer there.
	missed := phone("edge-x", 2)
	put := func(p *location.Binding) {
		raw, err := location.AppendRecord(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		m.Set(prefix+p.ID.String(), string(raw))
		m.ZAdd(prefix+"ids", float64(time.Now().Add(time.Hour).UnixMilli()), p.ID.String())
	}
	put(missed)
	entries, err := m.Stream(prefix + "news")
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	birth, _, _ := strings.Cut(entries[0].ID, "-")
	m.XAdd(prefix+"news", birth+"-500", []string{"w", "x", "b", "no record"})
	b.until("read anew", func() bool { return b.has(missed) })
	a.until("read anew", func() bool { return a.has(missed) })
	// Back to an earlier state, as a replica that had not heard of the last writes: the same stream, shorter.
	missed = phone("edge-x", 3)
	put(missed)
	m.Del(prefix + "news")
	m.XAdd(prefix+"news", birth+"-3", []string{"w", "x", "b", "no record"})
	b.until("read anew again", func() bool { return b.has(missed) })
	// And news go on.
	last := phone("edge-a", 4)
	a.table.Put(last)
	b.until("news go on", func() bool { return b.has(last) })
}

// Whatever others write into Redis: counted, ignored, overwritten where it is in the way.
func TestForeignValues(t *testing.T) {
	m := miniredis.RunT(t)
	good := phone("edge-x", 0)
	raw, err := location.AppendRecord(nil, good)
	if err != nil {
		t.Fatal(err)
	}
	tomorrow := phone("edge-x", 3)
	tomorrow.Stamp += 2 * ahead
	ahead, err := location.AppendRecord(nil, tomorrow)
	if err != nil {
		t.Fatal(err)
	}
	var ids []location.ID
	for i := range 7 {
		ids = append(ids, phone("edge-a", i).ID)
		m.ZAdd(prefix+"ids", 1e15, ids[i].String())
	}
	m.ZAdd(prefix+"ids", 1e15, "not an id")
	m.Set(prefix+ids[0].String(), string(raw))
	m.Set(prefix+ids[1].String(), string(raw))                    // of another id
	m.Set(prefix+ids[2].String(), "{")                            // no JSON
	m.Set(prefix+ids[3].String(), string(ahead))                  // would win for ever
	m.Set(prefix+ids[4].String(), strings.Repeat("x", 1<<20))     // too long
	m.HSet(prefix+ids[5].String(), "a", "b")                      // another type
	m.Set(prefix+ids[6].String(), `{"stamp":8e15,"holds":[1,2]}`) // newer than everything
	m.XAdd(prefix+"news", "7-1", []string{"nothing", "here"})
	a := start(t, "edge-a", urlOf(m))
	a.live()
	if s := a.share.State(); s.Foreign != 7 || s.Learned != 1 || a.table.Len() != 1 {
		t.Errorf("%+v, %d bindings", s, a.table.Len())
	}
	m.XAdd(prefix+"news", "7-2", []string{"w", "x", "b", string(ahead)})
	m.XAdd(prefix+"news", "7-3", []string{"w", "x", "b", strings.Repeat("x", 1<<20)})
	m.XAdd(prefix+"news", "7-4", []string{"w", "x"})
	a.until("heard", func() bool { return a.share.State().Foreign == 10 })
	b := start(t, "edge-b", urlOf(m))
	b.live()
	for i := range ids {
		p := phone("edge-a", i)
		a.table.Put(p)
		b.until(fmt.Sprint("phone ", i), func() bool { return b.has(p) })
		stored, err := m.Get(prefix + ids[i].String())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := location.ParseRecord([]byte(stored)); err != nil || *got != *p {
			t.Errorf("phone %d: Redis keeps %.200q", i, stored)
		}
	}
	if s := a.share.State(); !s.Live || s.Scans != 1 {
		t.Errorf("%+v", s)
	}
}

// Somebody who has not heard of the newer registration writes what it knows: nothing is lost.
func TestOlderDoesNotOverwrite(t *testing.T) {
	m := miniredis.RunT(t)
	newer, older := phone("edge-a", 1), phone("edge-b", 1)
	newer.Stamp += 1000
	older.Holds[1] = location.Hold{Until: older.Told, Own: true, CSeq: 9, Stamp: older.Stamp + 5000}
	for i, p := range []*location.Binding{newer, older} {
		e := newEdge(t, fmt.Sprint("edge-", i), urlOf(m)) // neither follows
		e.table.Put(p)
		e.table.Feed()
		e.share.feed.Owe(p.ID)
		conn, err := e.share.client.Conn(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := writeScript.Load(t.Context(), conn).Err(); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := e.share.write(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		conn.Close()
		e.share.client.Close()
	}
	raw, err := m.Get(prefix + newer.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := location.ParseRecord([]byte(raw)); err != nil || *got != *location.Merge(newer, older) {
		t.Errorf("%s", raw)
	}
}

func TestExpiry(t *testing.T) {
	m := miniredis.RunT(t)
	a := start(t, "edge-a", urlOf(m))
	p, off := phone("edge-a", 1), phone("edge-a", 2)
	off.Told, off.Holds = 0, [2]location.Hold{}
	a.table.Put(p)
	a.table.Put(off)
	a.until("published", func() bool { return a.share.State().Published == 2 })
	for _, c := range []struct {
		b    *location.Binding
		want time.Duration
	}{{p, time.Hour + location.Grace}, {off, location.Grace}} {
		if ttl := m.TTL(prefix + c.b.ID.String()); ttl < c.want-20*time.Second || ttl > c.want {
			t.Errorf("%s lives %v, want %v", c.b.AoR, ttl, c.want)
		}
	}
	// A tombstone that is gone leaves the set with the next write.
	m.SetTime(time.Now().Add(location.Grace + time.Second))
	m.FastForward(location.Grace + time.Second)
	a.table.Put(phone("edge-a", 3))
	a.until("published", func() bool { return a.share.State().Published == 3 })
	if members, err := m.ZMembers(prefix + "ids"); err != nil || len(members) != 2 {
		t.Errorf("%v, %v", members, err)
	}
}

// The script was flushed (a restart, SCRIPT FLUSH): it is loaded again.
func TestScriptFlushed(t *testing.T) {
	m := miniredis.RunT(t)
	a := start(t, "edge-a", urlOf(m))
	a.live()
	c, err := net.Dial("tcp", m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "*2\r\n$6\r\nSCRIPT\r\n$5\r\nFLUSH\r\n")
	if _, err := c.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	a.table.Put(phone("edge-a", 1))
	a.until("published", func() bool { return a.share.State().Published == 1 })
	if s := a.share.State(); s.Scans != 1 {
		t.Errorf("%+v", s)
	}
}

// While Redis is away everything registers, twice: the memory of that is fixed, and all of it arrives.
func TestFlood(t *testing.T) {
	m := miniredis.RunT(t)
	g := newGate(t, m)
	a := start(t, "edge-a", g.url())
	a.live()
	g.shut()
	const n = 1000
	for range 2 {
		for i := range n {
			p := phone("edge-a", i)
			if i%2 == 0 {
				p.Flow.Edge = "edge-x" // what we did to the phones of another edge is news too
			}
			a.table.Put(p)
		}
	}
	if w := a.table.Stats().ShareWaiting; w > 8192 {
		t.Errorf("%d wait", w)
	}
	g.open()
	b := start(t, "edge-b", urlOf(m))
	b.until("all of it", func() bool { return b.table.Len() == n })
	for p := range a.table.All() {
		b.until(p.AoR, func() bool { return b.has(p) })
	}
}

func TestOpenRefuses(t *testing.T) {
	table, err := location.Open(location.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"127.0.0.1:6379", "http://127.0.0.1", "redis://u:s3cr3t@h?ns=a}b", "redis://u:s3%ZZcr3t@h", "redis+sentinel://h?password=s3cr3t"} {
		if _, err := Open(url, table, nil); err == nil || strings.Contains(err.Error(), "cr3t") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
