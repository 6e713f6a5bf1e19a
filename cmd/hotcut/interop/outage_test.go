//go:build interop

package interop

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Redis is killed for 30 s under 200 calls per second, and meanwhile both edges are killed and started again, one after
// the other. No call is lost but INVITEs without a final response when their edge died; routing stays as it was; flip
// says exit 8, rollback --direct works; when Redis is back empty, resync seeds it from an edge, and no edge goes
// backwards or forks; a silent edge is named and makes exit 6.
func TestRedisGoneEdgesKilled(t *testing.T) {
	seconds, rate := 60, 100
	if s := os.Getenv("HOTCUT_LOAD_SECONDS"); s != "" {
		seconds, _ = strconv.Atoi(s)
	}
	gone := time.Duration(seconds/2) * time.Second
	dir := t.TempDir()
	legacy := startSipp(t, dir, "legacy", "uas.xml", patient...)
	core := startSipp(t, dir, "core", "uas.xml", patient...)
	r := newRig(t, legacy.addr, core.addr)
	r.must("flip", "acme", "--to", "core", "--yes")
	before := r.edges[0].stateNow()

	var callers []*sipp
	for _, e := range r.edges {
		callers = append(callers, startSipp(t, dir, "caller-"+e.name, "uac.xml", e.outside, "-s", "bob", "-key", "domain", "acme.example",
			"-r", strconv.Itoa(rate), "-m", strconv.Itoa(seconds*rate), "-d", "3000", "-l", "6000"))
	}
	pause(t, 4*time.Second) // a load to kill things under

	r.redis.Kill()
	down := time.Now()
	if code, _, errs := r.run("flip", "acme", "--to", "legacy", "--yes"); code != 8 {
		t.Errorf("flip without a store: exit %d, want 8\n%s", code, errs)
	}
	var kills []time.Time
	for _, e := range r.edges {
		kills = append(kills, time.Now())
		e.kill()
		e.start()
		if s := e.stateNow(); s.Rev != before.Rev || s.Chain != before.Chain || s.State != policy.Disk {
			t.Errorf("%s came back with rev %d state %s, want rev %d from disk", e.name, s.Rev, s.State, before.Rev)
		}
	}
	pause(t, 3*time.Second) // routing as before, on what the edges have on disk
	routed := time.Now()
	r.must("rollback", "acme", "--direct", "--yes")
	rolled := time.Now()
	pause(t, gone-time.Since(down))

	r.redis.Restart() // it kept nothing
	if code, _, errs := r.run("flip", "acme", "--to", "canary", "--share", "50%", "--yes"); code == 0 || !strings.Contains(errs, "resync") {
		t.Errorf("flip into an empty store: exit %d, and resync is not named:\n%s", code, errs)
	}
	r.must("policy", "resync", "--yes")
	for _, e := range r.edges {
		await(t, 15*time.Second, e.name+" to follow the resynced store", func() bool {
			s := e.stateNow()
			return s.Rev > before.Rev && s.State == policy.Live && len(s.Alarms) == 0 && s.Epoch == before.Epoch
		})
	}
	r.must("rollback", "acme", "--yes")
	// The order by hand still stands: nothing moves acme towards core past it. Then it is taken back.
	if code, out, errs := r.run("flip", "acme", "--to", "core", "--yes"); code == 0 {
		t.Errorf("flip of a tenant that edges override: exit 0\n%s%s", out, errs)
	}
	resumed := time.Now()
	r.must("resume", "acme", "--direct", "--yes")
	for _, e := range r.edges {
		if s := e.stateNow(); s.Overrides != nil {
			t.Errorf("%s still overrides after resume: %+v", e.name, s.Overrides)
		}
	}
	r.must("flip", "acme", "--to", "core", "--yes")

	// A silent edge is named, never left out of the count.
	r.edges[1].cmd.Process.Signal(syscall.SIGSTOP)
	code, out, errs := r.run("rollback", "acme", "--yes", "--wait", "2s")
	r.edges[1].cmd.Process.Signal(syscall.SIGCONT)
	if code != 6 || !strings.Contains(out+errs, "edge-2") || !strings.Contains(out+errs, "1/2") {
		t.Errorf("rollback with a silent edge: exit %d, want 6, 1/2 and its name\n%s%s", code, out, errs)
	}
	await(t, 15*time.Second, "edge-2 to catch up", func() bool { return r.edges[1].stateNow().Rev == r.edges[0].stateNow().Rev })

	for _, c := range callers {
		c.wait(t, 2*time.Minute)
	}
	on := platformsOf(t, legacy, core)
	excused, lost := 0, 0
	for i, c := range callers {
		for id, x := range c.traces(t) {
			if x.byeOK {
				continue
			}
			if x.invite.Before(kills[i]) && (x.final.IsZero() || x.final.After(kills[i])) {
				excused++
				t.Logf("lost with %s: %s, INVITE %s before the kill, no final response by then", r.edges[i].name, id, kills[i].Sub(x.invite))
				continue
			}
			lost++
			t.Errorf("%s: lost, INVITE %s after the kill of %s, final %t, BYE sent %t, answered otherwise %v, on %q",
				id, x.invite.Sub(kills[i]), r.edges[i].name, !x.final.IsZero(), !x.bye.IsZero(), x.other, on[id])
		}
	}
	// Routing while Redis was gone: core, as the policy said; legacy while the order by hand stood.
	wrong, checked := 0, map[string]int{}
	for _, c := range callers {
		for id, x := range c.traces(t) {
			want := ""
			switch margin := 50 * time.Millisecond; {
			case x.invite.After(down) && !x.final.IsZero() && x.final.Before(routed): // a killed edge hears the repetition later
				want = "core"
			case x.invite.After(rolled) && x.invite.Before(resumed.Add(-margin)):
				want = "legacy"
			}
			if want != "" {
				checked[want]++
			}
			if want != "" && on[id] != want && on[id] != "" {
				wrong++
				t.Errorf("%s went to %s, want %s", id, on[id], want)
			}
		}
	}
	if checked["core"] < 200 || checked["legacy"] < 200 {
		t.Errorf("too few calls while Redis was gone to judge routing by: %v", checked)
	}
	t.Logf("%d calls on platforms, %d lost with a killed edge as allowed, %d lost otherwise, %d of %v routed wrongly while Redis was gone",
		len(on), excused, lost, wrong, checked)
}

// pause lets the load run: the only waits here that wait for nothing else.
func pause(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
