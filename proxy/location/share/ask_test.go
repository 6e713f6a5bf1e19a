package share

import (
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/hotcut/hotcut/proxy/location"
)

// put writes a binding into Redis that no stream tells of.
func put(t *testing.T, m *miniredis.Miniredis, b *location.Binding) {
	t.Helper()
	raw, err := location.AppendRecord(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	m.Set(prefix+b.ID.String(), string(raw))
}

func (e *edge) ask(id location.ID) *location.Binding {
	e.t.Helper()
	got := make(chan *location.Binding, 2)
	e.share.Ask(id, func(b *location.Binding) { got <- b })
	select {
	case b := <-got:
		return b
	case <-time.After(20 * time.Second):
		e.t.Fatal("never answered")
		return nil
	}
}

func TestAsk(t *testing.T) {
	m := miniredis.RunT(t)
	g := newGate(t, m)
	a := newEdge(t, "edge-a", g.url())
	a.share.pace.budget = 10 * time.Second // the machine may be slow
	hit, miss, damaged := phone("edge-x", 1), phone("edge-x", 2), phone("edge-x", 3)
	if b := a.ask(hit.ID); b != nil {
		t.Error("answered before it runs")
	}
	a.run()
	a.live()
	put(t, m, hit)
	m.Set(prefix+damaged.ID.String(), "hello")
	if b := a.ask(hit.ID); b == nil || *b != *hit || a.table.Get(hit.ID) != b {
		t.Errorf("%+v", b)
	}
	if b := a.ask(miss.ID); b != nil {
		t.Errorf("%+v", b)
	}
	if b := a.ask(damaged.ID); b != nil {
		t.Errorf("%+v", b)
	}
	if s := a.share.State(); s.Asked != 4 || s.AskShed != 1 || s.AskLate != 0 || s.Foreign != 1 {
		t.Errorf("%+v", s)
	}
	g.shut()
	a.until("away", func() bool { return !a.share.State().Live })
	if b := a.ask(miss.ID); b != nil {
		t.Errorf("%+v", b)
	}
	a.end()
	if b := a.ask(hit.ID); b == nil {
		t.Error("the table knows it")
	}
}

// Whoever asks holds the lock that done takes. With every worker stuck and the queue full, Ask returns all the same, and
// each question is answered once.
func TestAskOverload(t *testing.T) {
	m := miniredis.RunT(t)
	a := start(t, "edge-a", urlOf(m))
	a.live()
	stuck := make(chan struct{})
	answered := make(chan struct{}, 10*askRoom)
	const n = askWorkers + 3*askRoom
	for range n {
		a.share.Ask(location.ID{1}, func(*location.Binding) {
			<-stuck
			answered <- struct{}{}
		})
	}
	if s := a.share.State(); s.AskShed < askRoom {
		t.Errorf("%+v", s)
	}
	close(stuck)
	for range n {
		<-answered
	}
	// At the end too.
	for range 10 {
		a.share.Ask(location.ID{1}, func(*location.Binding) { answered <- struct{}{} })
	}
	a.end()
	for range 10 {
		<-answered
	}
	select {
	case <-answered:
		t.Error("answered twice")
	default:
	}
}

// A Redis that takes the question and says nothing costs the budget and no more.
func TestAskLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range open {
					c.Close()
				}
				return
			}
			open = append(open, c)
		}
	}()
	a := newEdge(t, "edge-a", "redis://"+l.Addr().String())
	defer a.share.client.Close()
	a.share.mu.Lock()
	a.share.live = true
	a.share.mu.Unlock()
	begin := time.Now()
	a.share.look(t.Context(), ask{id: location.ID{1}, by: begin.Add(usual.budget)})
	if s := a.share.State(); s.AskLate != 1 {
		t.Errorf("%+v", s)
	}
	if took := time.Since(begin); took < usual.budget || took > time.Minute {
		t.Errorf("took %v", took)
	}
	a.share.look(t.Context(), ask{id: location.ID{1}, by: begin}) // its time was over before its turn
	if s := a.share.State(); s.AskLate != 2 {
		t.Errorf("%+v", s)
	}
}
