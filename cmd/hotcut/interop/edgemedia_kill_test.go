//go:build interop

package interop

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/lab"
)

// talkers are a lab's switch for each platform and a phone, whose calls have audio that both ends check.
type talkers struct {
	t            *testing.T
	legacy, core *lab.Switch
	phone        *lab.Phone
	life         context.Context
}

// newSwitches makes the platforms; newTalker gives them a phone.
func newSwitches(t *testing.T) *talkers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	w := &talkers{t: t, life: ctx}
	for i, s := range []**lab.Switch{&w.legacy, &w.core} {
		name := []string{"legacy", "core"}[i]
		at, err := lab.NewSwitch(lab.SwitchOptions{Platform: name, IP: netip.MustParseAddr(sideAddr(20 + i))})
		if err != nil {
			t.Fatal(err)
		}
		*s = at
		running.Go(func() {
			if err := at.Run(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	return w
}

func (w *talkers) newPhone(e *edge) {
	w.t.Helper()
	p, err := lab.NewPhone(lab.PhoneOptions{AOR: "alice@" + realm, Proxy: netip.MustParseAddrPort(e.outside), IP: netip.MustParseAddr(home)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.phone = p
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(w.life)
	go func() { ended <- p.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the phone: %v", err)
		}
	})
}

// soon is how long something may take that takes milliseconds.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// talk is a call that is up: both ends of its audio.
type talk struct {
	*lab.Call
	near, far *lab.Voice
}

func (w *talkers) call(on *lab.Switch) talk {
	w.t.Helper()
	ctx := soon(w.t)
	c, a, err := w.phone.Call(ctx, w.life, "answer@"+realm)
	if err != nil || a.Code != 200 || a.Platform != on.Platform() {
		w.t.Fatalf("answered by %v (%v), want 200 of %s", a, err, on.Platform())
	}
	if err := on.Received.AwaitACK(ctx, c.ID); err != nil {
		w.t.Fatal(err)
	}
	return talk{c, c.Voice(), on.Voice(c.ID)}
}

// goesOn waits until both ends have heard so many packets more.
func (k talk) goesOn(t *testing.T, packets int) {
	t.Helper()
	for who, v := range map[string]*lab.Voice{"the phone": k.near, "the platform": k.far} {
		goal := v.Heard().Packets + packets
		if err := v.Await(soon(t), "audio", func(h lab.Audio) bool { return h.Packets >= goal }); err != nil {
			t.Fatalf("%s of %s: %v", who, k.ID, err)
		}
	}
}

// Edges are killed in mid-call and started again, twice: each call has the ports that it had. Both ends hear each other again
// at the same address, what was lost is one gap, a hold and a resume find the session, and its end gives the ports back.
func TestEdgeDiesInMidCallWithAudio(t *testing.T) {
	w := newSwitches(t)
	r := newRigFor(t, site{legacy: []string{w.legacy.Addr().String()}, core: []string{w.core.Addr().String()}, edges: 1, relays: true})
	e := r.edges[0]
	w.newPhone(e)
	calls := make([]talk, 10)
	for i := range calls {
		calls[i] = w.call(w.legacy)
	}
	for kill := range 2 {
		for _, c := range calls {
			c.goesOn(t, 5)
		}
		e.kill()
		e.start()
		for _, c := range calls {
			c.goesOn(t, 5)
		}
		if live, err := e.client.Calls(t.Context(), "acme", 100); err != nil || len(live) != len(calls) || live[0].Media == nil {
			t.Fatalf("after kill %d the edge knows %d calls (%v)", kill+1, len(live), err)
		}
	}
	for _, c := range calls {
		if err := c.Hold(soon(t)); err != nil {
			t.Fatal(err)
		}
		if err := c.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		c.goesOn(t, 5)
		for who, v := range map[string]*lab.Voice{"the phone": c.near, "the platform": c.far} {
			h := v.Heard()
			if at := v.Remotes(); len(at) != 1 {
				t.Errorf("%s of %s was sent to %v", who, c.ID, at)
			}
			// One gap for each time that the edge was dead. Where it died between receiving and sending a packet, none is missing
			// of that moment, and where it took no time to come back none need be at all.
			if len(h.Missing) > 2 || h.Faults() != "" {
				t.Errorf("%s of %s heard %+v", who, c.ID, h)
			}
		}
		if err := c.Hangup(soon(t)); err != nil {
			t.Error(err)
		}
	}
	for _, c := range calls {
		rec := e.ended(c.ID)
		if m := rec.Media; m == nil || m.Outside.Packets == 0 || m.Inside.Packets == 0 || m.Outside.Dropped > 0 {
			t.Errorf("record of %s: %+v", c.ID, m)
		}
	}
	if live, err := e.client.Calls(t.Context(), "", 100); err != nil || len(live) > 0 {
		t.Errorf("%d calls are left (%v)", len(live), err)
	}
	if n := fmt.Sprint(w.legacy.Tally().Calls, w.phone.Tally().Calls); n != "10 10" {
		t.Errorf("calls with audio: %s", n)
	}
}
