//go:build interop

package interop

import (
	"encoding/json"
	"net"
	"strconv"
	"testing"
	"time"
)

// A load through two edges that mirror everything, to dark cores that do everything wrong: no call fails, the platform gets each call
// once and nothing else, the mirror's memory stays in its bounds, what it lets go is counted by reason, and it stops when it is told to.
func TestShadowInfluencesNothing(t *testing.T) {
	const rate, seconds, memory = 50, 4, 64 << 20 // calls per second and edge; bytes that a mirror may keep
	none := func(*testing.T, *rig, *darkUA) {}
	for _, c := range []struct {
		name    string
		listens bool
		does    func(d *darkUA, from net.Addr, raw string)
		more    func(t *testing.T, r *rig, d *darkUA)
		stopped bool     // it ends in an escape
		drops   []string // reasons that have to be counted
	}{
		{"dead", false, nil, none, false, nil},
		{"slow", true, slowly, none, false, nil},
		{"lying", true, lying, none, false, []string{"malformed", "unmatched"}},
		{"looping", true, looping, loop, true, []string{"stopped"}},
		{"flooding", true, nil, flooded, false, []string{"forged", "source"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			legacy := startSipp(t, dir, "legacy", "uas.xml", patient...)
			dark := freeAddrOf(t, sideAddr(40))
			var d *darkUA
			if c.listens {
				d = startDark(t, dark, c.does)
			}
			r := newRigFor(t, site{legacy: []string{legacy.addr}, core: []string{freeAddr(t)}, edges: 2, dark: darkCore(dark, "1"),
				sinks: []string{freeAddrOf(t, sideAddr(41)), freeAddrOf(t, sideAddr(42))}})
			r.must("shadow", "start", "acme", "--wait", "30s")
			c.more(t, r, d)
			var callers []*sipp
			for _, e := range r.edges {
				callers = append(callers, startSipp(t, dir, "caller-"+e.name, "uac.xml", e.outside, "-s", "bob", "-key", "domain", realm,
					"-r", strconv.Itoa(rate), "-m", strconv.Itoa(seconds*rate), "-d", "500", "-l", "5000"))
			}
			most := int64(0)
			for end := time.Now().Add(seconds * time.Second); time.Now().Before(end); pause(t, 200*time.Millisecond) {
				for _, e := range r.edges {
					most = max(most, e.mirrored().Mirror.Bytes)
				}
			}
			for i, s := range callers {
				if code := s.wait(t, time.Minute); code != 0 {
					t.Errorf("calls through %s failed: sipp says %d", r.edges[i].name, code)
				}
			}
			if n := len(legacy.traces(t)); n != 2*seconds*rate {
				t.Errorf("legacy got %d calls, %d were made", n, 2*seconds*rate)
			}
			if most > memory {
				t.Errorf("a mirror kept %d bytes, it may %d", most, memory)
			}
			for _, e := range r.edges {
				await(t, 20*time.Second, e.name+" to have mirrored, and to count what it let go", func() bool {
					m := e.mirrored().Mirror
					ok := (m.Mirrored > 0 || c.stopped) && (m.Stopped != "") == c.stopped // what came back from one edge's call stops both
					for _, reason := range c.drops {
						ok = ok && m.Dropped[reason] > 0
					}
					return ok
				})
			}
			stop := r.stopShadow(t)
			for _, e := range r.edges {
				m := e.mirrored().Mirror
				t.Logf("%s: %d mirrored, at most %d bytes, dropped %v, escaped %d, stopped %q; every edge stopped in %s", e.name, m.Mirrored, most, m.Dropped, m.Escaped, m.Stopped, stop)
				await(t, 40*time.Second, e.name+" to have no shadow call", func() bool { return e.mirrored().Mirror.Calls == 0 })
			}
		})
	}
}

// stopShadow is the kill switch: it returns when every edge has said that it stopped, and how long that took.
func (r *rig) stopShadow(t *testing.T) time.Duration {
	t.Helper()
	var x struct {
		Data struct {
			Edges struct{ Listed, Applied, TookMs int }
		}
	}
	if err := json.Unmarshal([]byte(r.must("shadow", "stop", "acme", "--wait", "30s", "-o", "json")), &x); err != nil {
		t.Fatal(err)
	}
	if e := x.Data.Edges; e.Listed != len(r.edges) || e.Applied != e.Listed {
		t.Errorf("stopped on %d of %d edges, there are %d", e.Applied, e.Listed, len(r.edges))
	}
	return time.Duration(x.Data.Edges.TookMs) * time.Millisecond
}

// loop tells the dark core where the edges' own listeners are.
func loop(t *testing.T, r *rig, d *darkUA) {
	t.Helper()
	var to []net.Addr
	for _, e := range r.edges {
		for _, at := range []string{e.outside, e.inside} {
			a, err := net.ResolveUDPAddr("udp", at)
			if err != nil {
				t.Fatal(err)
			}
			to = append(to, a)
		}
	}
	d.back.Store(&to)
}

// flooded is thousands of datagrams a second from the dark core to the sinks, and from a stranger to every listener, with a mark.
func flooded(t *testing.T, r *rig, d *darkUA) {
	sinks, dark := r.sinks, d.conn.LocalAddr().String()
	flood(t, d.conn, 3000, func(n int) (to, raw string) {
		return sinks[n%len(sinks)], nuisance(n, "sip:+1202555"+strconv.Itoa(1000+n%9000)+"@"+realm, dark, "")
	})
	stranger := newUA(t, "stranger")
	flood(t, stranger.conn, 2000, func(n int) (to, raw string) {
		e := r.edges[n%len(r.edges)]
		switch n % 3 {
		case 0:
			to = sinks[n%len(sinks)]
		case 1:
			to = e.inside
		default:
			to = e.outside
		}
		return to, nuisance(n, "sip:bob@"+realm, stranger.addr, "X-Hotcut-Shadow: "+strconv.Itoa(n)+";0123456789abcdef\r\n")
	})
}
