package proxy

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/node"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// relayedBy makes a world whose edge has media relayed, by one engine or the other.
type relayedBy func(t *testing.T, tenants ...*policy.Tenant) *world

// byEngines runs a test with the relay in the edge's process, and with one that the edge commands: what phones see is the same.
func byEngines(t *testing.T, f func(t *testing.T, relayed relayedBy)) {
	t.Run("embedded", func(t *testing.T) { f(t, relayed) })
	t.Run("ng", func(t *testing.T) { f(t, relayedByServer) })
}

// neighbour is an address of this process's own /24.
func neighbour(last string) netip.Addr { return netip.MustParseAddr(home[:len(home)-1] + last) }

// server is a `hotcut media` in this process.
type server struct {
	*node.Node
	stop func()
}

// newServer starts one. addr may have port 0.
func newServer(t *testing.T, addr, state string) *server {
	t.Helper()
	return newServerWith(t, addr, state, mediaPorts())
}

func newServerWith(t *testing.T, addr, state string, ports media.PortRange) *server {
	t.Helper()
	n, err := node.New(node.Config{
		Media:  media.Options{Outside: neighbour("2"), Inside: neighbour("3"), Ports: ports, State: state},
		Server: ng.ServerConfig{Listen: netip.MustParseAddrPort(addr)},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	s := &server{Node: n}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

// relayedByServer is a world whose edge drives one media server.
func relayedByServer(t *testing.T, tenants ...*policy.Tenant) *world {
	w := newWorld(t, tenants...)
	s := newServer(t, home+":"+freePort(t), "")
	w.servers = []*server{s}
	w.commands(s.Addr().String())
	return w
}

// commands makes the edge drive these servers. It waits for them as long as may be: a test machine is slow.
func (w *world) commands(servers ...string) {
	w.cfg.Media = config.Media{Engine: "ng", Servers: servers, Interfaces: []string{"outside", "inside"}, Ports: asSet(mediaPorts()), Wait: time.Second}
}

// sessions is how many dialogs are relayed.
func (w *world) sessions() (n int) {
	if w.edge.media.remote == nil {
		return w.edge.media.relay.Len()
	}
	for _, s := range w.servers {
		n += s.Relay().Len()
	}
	return n
}

// relayedLines is how many of their lines.
func (w *world) relayedLines() (n int) {
	if w.edge.media.remote == nil {
		return w.edge.media.engine.Counters().Sessions
	}
	for _, s := range w.servers {
		n += s.Engine().Counters().Sessions
	}
	return n
}

// A media server goes on while the edge that commands it is killed and restarted. The edge then finds its calls there.
func TestServerThroughARestart(t *testing.T) {
	t.Parallel()
	w := relayedByServer(t, tenant("acme", policy.StageLegacy)).start()
	a := w.speak("one", "acme.example", w.legacy)
	a.talk()
	w.stop()
	a.talk()
	w.start()
	a.talk()
	for range 2 {
		seen, answered := a.again("INVITE", a.phone.sdp("a=sendonly"), "200 OK", a.far.sdp("a=recvonly"))
		if seen.media(t) != a.toFarSide || answered.media(t) != a.toPhoneSide {
			t.Errorf("ports changed: %s and %s, were %s and %s", seen.media(t), answered.media(t), a.toFarSide, a.toPhoneSide)
		}
		w.phone.send(w.out, a.request("ACK", a.cseq, a.remote, ""))
		w.legacy.want("ACK ")
	}
	w.stop()
	w.start()
	a.hangUp() // the first that it hears of the call is its end
	w.idle()
}
