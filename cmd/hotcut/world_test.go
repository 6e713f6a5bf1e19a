package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/lab"
)

type worldKey struct{}

// world is what a script has around it besides the commands: switches, phones with calls up, a Redis.
type world struct {
	life    context.Context
	legacy  *lab.Switch
	core    *lab.Switch
	edges   map[string]*lab.Edge // their configurations; the script starts them with exec hotcut edge
	calls   map[string]*lab.Call
	redis   *lab.Redis
	running sync.WaitGroup
}

func newWorld(env *testscript.Env) *world {
	life, end := context.WithCancel(context.Background())
	w := &world{life: life, edges: make(map[string]*lab.Edge), calls: make(map[string]*lab.Call)}
	env.Defer(func() {
		end()
		w.running.Wait()
		if w.redis != nil {
			w.redis.Stop()
		}
	})
	return w
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// Loopback addresses of the scripts' world.
var (
	legacyIP = netip.MustParseAddr("127.77.0.1")
	coreIP   = netip.MustParseAddr("127.77.0.2")
)

// makeWorld starts two switches and writes the configurations of N edges: world N
func makeWorld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: world N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	w := worldOf(ts)
	w.legacy, err = lab.NewSwitch(lab.SwitchOptions{Platform: "legacy", IP: legacyIP})
	ts.Check(err)
	w.core, err = lab.NewSwitch(lab.SwitchOptions{Platform: "core", IP: coreIP})
	ts.Check(err)
	for _, s := range []*lab.Switch{w.legacy, w.core} {
		w.running.Go(func() { _ = s.Run(w.life) }) // ends with the script; what it could not do the script sees
	}
	keys := ts.MkAbs("keys")
	ts.Check(os.WriteFile(keys, []byte(config.MintKeyLine()+"\n"), 0o600))
	for i := range n {
		name := fmt.Sprintf("edge-%d", i+1)
		e, err := lab.NewEdge("", lab.EdgeOptions{Name: name, IP: netip.MustParseAddr(fmt.Sprintf("127.77.0.%d", 11+i)), Dir: ts.MkAbs(name),
			Store: ts.Getenv("HOTCUT_STORE"), Keys: keys, Legacy: w.legacy.Addr(), Core: w.core.Addr()})
		ts.Check(err)
		w.edges[name] = e
	}
}

// ready waits until edges serve: ready edge-1 edge-2
func ready(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(worldOf(ts).life, 30*time.Second)
	defer cancel()
	for _, name := range args {
		c, err := admin.Dial("unix://" + ts.MkAbs(filepath.Join(name, "edge.sock")))
		ts.Check(err)
		for {
			if err = c.Ready(ctx); (err == nil) != neg {
				break
			}
			select {
			case <-ctx.Done():
				ts.Fatalf("%s is not ready: %v", name, err)
			case <-time.After(10 * time.Millisecond):
			}
		}
		c.Close()
	}
}

// dial places a call that stays up, with audio, and puts its Call-ID into a variable: dial VAR EDGE FROM TO PLATFORM
func dial(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: dial VAR EDGE FROM TO PLATFORM")
	}
	w := worldOf(ts)
	p, err := lab.NewPhone(lab.PhoneOptions{AOR: args[2], Proxy: w.edges[args[1]].Outside})
	ts.Check(err)
	w.running.Go(func() { _ = p.Run(w.life) })
	ctx, cancel := context.WithTimeout(w.life, 20*time.Second)
	defer cancel()
	call, answer, err := p.Call(ctx, w.life, args[3])
	ts.Check(err)
	if answer.Code != 200 || answer.Platform != args[4] {
		ts.Fatalf("%s -> %s: %s, want 200 of %s", args[2], args[3], answer, args[4])
	}
	// The platform talks when it is talked to: who hears it has been heard.
	ts.Check(call.Voice().Await(ctx, "audio", func(h lab.Audio) bool { return h.Packets > 0 }))
	w.calls[args[0]] = call
	ts.Setenv(args[0], call.ID)
}

// hangup ends a call: hangup VAR
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(worldOf(ts).life, 20*time.Second)
	defer cancel()
	ts.Check(worldOf(ts).calls[args[0]].Hangup(ctx))
}

// redisServer runs an embedded Redis and makes it the store: redis start|stop|back|empty
func redisServer(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	switch args[0] {
	case "start":
		var err error
		w.redis, err = lab.StartRedis()
		ts.Check(err)
		ts.Setenv("HOTCUT_STORE", w.redis.URL())
	case "stop":
		w.redis.Stop()
	case "back", "empty":
		ts.Check(w.redis.Restart(args[0] == "empty"))
	default:
		ts.Fatalf("usage: redis start|stop|back|empty")
	}
}

// report puts an edge that is not there on the roster, as if it had reported once: report EDGE REV [OVERRIDDEN-TENANT]
func report(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: report EDGE REV [TENANT]")
	}
	rev, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	store, err := openStore(ts.Getenv("HOTCUT_STORE"))
	ts.Check(err)
	defer store.Close()
	n := policy.NodeState{Edge: args[0], Boot: "b", Build: "test", Schemas: []int{policy.Schema}, Rev: rev, State: policy.Live}
	if head, err := store.Head(worldOf(ts).life); err == nil {
		n.Epoch, n.Chain = head.Epoch, head.Chain
	}
	if len(args) > 2 {
		n.Overrides = &policy.Overrides{Tenants: map[string]policy.Override{args[2]: {By: "night@test", At: 1700000000, Reason: "store gone"}}}
	}
	ts.Check(store.Report(worldOf(ts).life, n))
}
