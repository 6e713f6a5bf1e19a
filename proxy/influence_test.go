package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/proxy/tap"
)

// No influence: whatever weather and whatever calls a seed makes, every message between everybody, with its time and its bytes, tokens
// included, is the same without a tap, with tenants that are mirrored and no tap, with a tap, with one whose ring is full, and with one
// that makes a mess of the event that it was lent.
func TestTapChangesNothing(t *testing.T) {
	t.Parallel()
	seeds := 8
	if testing.Short() {
		seeds = 3
	}
	tapped, dropped, kinds := 0, uint64(0), map[string]int{}
	for seed := range uint64(seeds) {
		seed++
		saw := &witness{t: t, kinds: kinds, came: map[string]bool{}}
		var without simRun
		for _, c := range []struct {
			name     string
			policies []simPolicy
			tap      Tap
		}{
			{"no tap", simPolicies(), nil},
			{"mirrored, no tap", simMirrored(), nil},
			{"a tap, not mirrored", simPolicies(), &deaf{}},
			{"a tap", simMirrored(), saw},
			{"a full ring", simMirrored(), tap.NewRing(2, 1024)},
			{"slots that are too small", simMirrored(), tap.NewRing(2, 1)},
			{"an untidy tap", simMirrored(), untidy{}},
		} {
			b, err := newSimBench()
			if err != nil {
				t.Fatal(err)
			}
			b.policies, b.tap = c.policies, c.tap
			if c.tap == Tap(saw) {
				b.heard = saw.heard
			}
			with := b.simulate(seed)
			b.close()
			switch x := c.tap.(type) {
			case *deaf:
				if x.n > 0 {
					t.Errorf("seed %d: %d messages of a tenant that is not mirrored were tapped", seed, x.n)
				}
			case *tap.Ring:
				full, large := x.Dropped()
				dropped += full + large
			}
			if len(with.faults) > 0 {
				t.Fatalf("seed %d, %s: %s", seed, c.name, with.faults)
			}
			if without.trace == nil {
				without = with
				continue
			}
			for i := range min(len(without.trace), len(with.trace)) {
				a, b := &without.trace[i], &with.trace[i]
				if a.at != b.at || a.what != b.what || a.from != b.from || a.to != b.to || !bytes.Equal(a.msg, b.msg) {
					t.Fatalf("seed %d, %s, message %d:\n%s\n%s\nwithout\n%s\n%s", seed, c.name, i, b, b.msg, a, a.msg)
				}
			}
			if len(without.trace) != len(with.trace) || without.hash != with.hash || without.steps != with.steps {
				t.Fatalf("seed %d, %s: %d messages in %d steps, without %d in %d", seed, c.name, len(with.trace), with.steps, len(without.trace), without.steps)
			}
		}
		tapped += saw.n
	}
	t.Logf("%d messages were tapped: %v; %d dropped", tapped, kinds, dropped)
	for _, what := range []string{"near > INVITE", "near > ACK", "near > BYE", "near > REGISTER", "near > CANCEL", "near < 180", "near < 200", "far > INVITE", "far > ACK", "far < 200"} {
		if kinds[what] == 0 {
			t.Errorf("no %q was tapped", what)
		}
	}
	if tapped == 0 || dropped == 0 {
		t.Errorf("%d were tapped and %d dropped: nothing was tested", tapped, dropped)
	}
}

// witness holds each copy against what the edges have heard.
type witness struct {
	t     *testing.T
	came  map[string]bool // time and bytes
	n     int
	kinds map[string]int
}

func (w *witness) heard(now int64, msg []byte) { w.came[fmt.Sprint(now, string(msg))] = true }

func (w *witness) Put(ev *tap.Event, raw []byte) *tap.Cell {
	if ev.Kind == tap.Escape {
		w.t.Errorf("nobody sends copies here, and one escaped:\n%s", raw)
	}
	if !w.came[fmt.Sprint(ev.At, string(raw))] {
		w.t.Errorf("nothing like this copy came in at %d:\n%s", ev.At, raw)
	}
	if ev.Leg == 0 || ev.Tenant != "acme" || ev.Platform == 0 || ev.Party == 0 || ev.Rev == 0 || ev.Emergency && ev.Leg == tap.Near {
		w.t.Errorf("%+v", ev)
	}
	words := strings.Fields(string(raw[:40]))
	what, way := words[0], " > "
	if ev.Kind == tap.Response {
		what = words[1]
	}
	if ev.Upstream {
		way = " < "
	}
	w.kinds[ev.Leg.String()+way+what]++
	w.n++
	return nil
}

// deaf counts what it should not have been given.
type deaf struct{ n int }

func (d *deaf) Put(*tap.Event, []byte) *tap.Cell { d.n++; return nil }

// untidy leaves nothing of the event as it was.
type untidy struct{}

func (untidy) Put(ev *tap.Event, _ []byte) *tap.Cell {
	*ev = tap.Event{At: -1, Kind: 99, Leg: 99, Upstream: !ev.Upstream, Tenant: "x", Platform: 9, Rev: 1 << 60, Party: 9}
	return nil
}
