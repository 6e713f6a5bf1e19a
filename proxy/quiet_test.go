package proxy

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/transport"
)

// quiet is an edge that does not run: no socket is read, no timer fires by itself, nothing that it sends leaves. A test
// hands it messages and the time; the same bytes make it do the same again.
type quiet struct {
	*Edge
	at   int64 // unix ns
	sent []outgoing
	out  *transport.Out
}

type outgoing struct {
	to  transport.Peer
	msg []byte
}

// The world of a quiet edge.
var (
	quietPhone  = netip.MustParseAddrPort("192.0.2.99:5060")
	quietLegacy = netip.MustParseAddrPort("10.1.0.1:5060")
	quietCore   = netip.MustParseAddrPort("10.2.0.1:5060")
)

// The listeners of a quiet edge.
const (
	quietOut = iota
	quietIn
)

func newQuiet(tb testing.TB, edit func(*config.Config), tenants ...*policy.Tenant) *quiet {
	tb.Helper()
	dir := tb.TempDir()
	store, err := filestore.Open(filepath.Join(dir, "store"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	cfg := config.Defaults()
	cfg.Node, cfg.Store, cfg.State, cfg.Keys = "edge-1", "file://"+filepath.Join(dir, "store"), filepath.Join(dir, "state"), config.MintKeyLine()
	cfg.Admin = config.Admin{Socket: filepath.Join(dir, "a.sock")}
	cfg.Names = []string{"sip.provider.test"}
	cfg.Listen = []config.Listen{
		quietOut: {Name: "out", Side: config.Outside, Transport: config.UDP, Address: home + ":" + freePort(tb)},
		quietIn:  {Name: "in", Side: config.Inside, Transport: config.UDP, Address: home + ":" + freePort(tb)},
	}
	cfg.Platforms.Legacy.Targets = []config.Target{{Name: "l1", URI: "sip:" + quietLegacy.String()}}
	cfg.Platforms.Core.Targets = []config.Target{{Name: "c1", URI: "sip:" + quietCore.String()}}
	cfg.Platforms.Legacy.Sources = []string{quietLegacy.String()}
	cfg.Platforms.Core.Sources = []string{quietCore.String()}
	if edit != nil {
		edit(&cfg)
	}
	e, err := New(Options{Config: &cfg, Store: store, Build: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := e.Run(ended); err != nil {
			tb.Error(err)
		}
	})
	s, err := policy.NewSnapshot(policy.Head{Epoch: "e", Rev: 1}, policy.Globals{Default: "legacy", Halt: policy.HaltNone}, tenants)
	if err != nil {
		tb.Fatal(err)
	}
	q := &quiet{Edge: e, at: 1_700_000_000e9}
	q.out = transport.Capture(func(to transport.Peer, msg []byte, _ uint64) {
		q.sent = append(q.sent, outgoing{to, append([]byte(nil), msg...)})
	})
	e.inForce = func() *policy.Snapshot { return s }
	e.now = func() int64 { return q.at }
	e.newOut = func() *transport.Out { return q.out }
	return q
}

// hear hands the edge one datagram and returns what it sends because of it.
func (q *quiet) hear(listener int, from netip.AddrPort, raw []byte) []outgoing {
	q.sent = q.sent[:0]
	q.message(q.at, transport.Peer{Listener: uint16(listener), Proto: transport.UDP, Addr: from}, raw, q.out)
	return q.sent
}

// pass lets time go by in steps of the timer goroutine, coarse ones, and returns what the edge sends meanwhile.
func (q *quiet) pass(d time.Duration) []outgoing {
	q.sent = q.sent[:0]
	for end := q.at + int64(d); q.at < end; {
		q.at = min(end, q.at+int64(100*time.Millisecond))
		q.tick(q.at, q.out)
	}
	return q.sent
}

// forget drops all state of calls, so that one input of a fuzzer leaves nothing to the next.
func (q *quiet) forget() {
	for i := range q.shards {
		s := &q.shards[i]
		if s.size.Load() == 0 && s.live.Load() == 0 && len(s.branches) == 0 && len(s.subs) == 0 {
			continue
		}
		s.mu.Lock()
		hashes := map[uint32]bool{}
		for _, r := range s.requests {
			hashes[r.callHash] = true
		}
		for _, b := range s.branches {
			hashes[b.callHash] = true
		}
		for _, d := range s.dialogs {
			hashes[d.callHash] = true
		}
		for _, x := range s.subs {
			hashes[x.callHash] = true
		}
		for h := range hashes {
			s.forgetCall(h)
		}
		s.unlock(0)
	}
	q.location.Sweep(time.Unix(0, q.at).Add(150 * 366 * 24 * time.Hour)) // longer than any Expires
}
