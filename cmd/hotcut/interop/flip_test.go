//go:build interop

package interop

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// move is one flip or rollback: when it was asked for, when the CLI said that every edge runs it.
type move struct {
	platform    string
	asked, done time.Time
}

// 200 calls per second through two edges; a flip or a rollback every two seconds for a minute. No call fails, no BYE
// goes elsewhere than its INVITE, and no INVITE that an edge first saw after "done" goes to the old platform.
func TestFlipUnderLoad(t *testing.T) {
	seconds, rate := 60, 100 // per edge
	if s := os.Getenv("HOTCUT_LOAD_SECONDS"); s != "" {
		seconds, _ = strconv.Atoi(s)
	}
	dir := t.TempDir()
	legacy := startSipp(t, dir, "legacy", "uas.xml", patient...)
	core := startSipp(t, dir, "core", "uas.xml", patient...)
	r := newRig(t, legacy.addr, core.addr)

	var callers []*sipp
	for _, e := range r.edges {
		callers = append(callers, startSipp(t, dir, "caller-"+e.name, "uac.xml", e.outside, "-s", "bob", "-key", "domain", "acme.example",
			"-r", strconv.Itoa(rate), "-m", strconv.Itoa(seconds*rate), "-d", "3000", "-l", "5000"))
	}
	var moves []move
	start := time.Now()
	for i := 0; time.Since(start) < time.Duration(seconds-3)*time.Second; i++ {
		m := move{platform: "core", asked: time.Now()}
		if i%2 == 0 {
			r.must("flip", "acme", "--to", "core", "--yes")
		} else {
			m.platform = "legacy"
			r.must("rollback", "acme", "--yes")
		}
		m.done = time.Now()
		moves = append(moves, m)
		<-time.After(2*time.Second - time.Since(m.asked))
	}
	for i, c := range callers {
		if code := c.wait(t, time.Minute); code != 0 {
			t.Errorf("calls through %s failed: sipp says %d", r.edges[i].name, code)
		}
	}
	on := platformsOf(t, legacy, core)
	if len(on) != 2*seconds*rate {
		t.Errorf("%d calls reached a platform, %d were made", len(on), 2*seconds*rate)
	}
	late, seen := 0, map[string]int{}
	for _, e := range r.edges {
		for id, rec := range e.records() {
			seen[rec.Platform]++
			at := time.UnixMilli(rec.Start)
			for i, m := range moves {
				end := time.Now()
				if i+1 < len(moves) {
					end = moves[i+1].asked
				}
				// Start has milliseconds: a call of the same millisecond as "done" may have come before it.
				if at.After(m.done) && at.Before(end.Add(-time.Millisecond)) && rec.Platform != m.platform {
					late++
					t.Errorf("%s was first seen by %s %s after every edge ran %s, and went to %s (rev %d)", id, e.name, at.Sub(m.done), m.platform, rec.Platform, rec.Rev)
				}
			}
			if on[id] != "" && on[id] != rec.Platform {
				t.Errorf("%s: the record says %s, %s got it", id, rec.Platform, on[id])
			}
		}
	}
	if seen["legacy"] < 1000 || seen["core"] < 1000 {
		t.Errorf("the load did not meet both platforms: %v", seen)
	}
	var slowest time.Duration
	for _, m := range moves {
		slowest = max(slowest, m.done.Sub(m.asked))
	}
	t.Logf("%d calls, %d moves, slowest move %s (with the CLI's own start), by platform %v, %d late", len(on), len(moves), slowest, seen, late)
}

// platformsOf says which platform got each call, and fails for a call that reached both, or of which the BYE went
// elsewhere than the INVITE.
func platformsOf(t *testing.T, legacy, core *sipp) map[string]string {
	t.Helper()
	on := map[string]string{}
	l, c := legacy.traces(t), core.traces(t)
	for id, x := range l {
		on[id] = "legacy"
		if y := c[id]; y != nil {
			t.Errorf("%s reached both platforms: legacy %s, core %s", id, brief(x), brief(y))
		}
		if x.invite.IsZero() {
			t.Errorf("%s: BYE on legacy, but no INVITE", id)
		}
	}
	for id, x := range c {
		if on[id] == "" {
			on[id] = "core"
		}
		if x.invite.IsZero() {
			t.Errorf("%s: BYE on core, but no INVITE", id)
		}
	}
	return on
}

func brief(x *trace) string {
	return fmt.Sprintf("INVITE %t BYE %t", !x.invite.IsZero(), !x.bye.IsZero())
}
