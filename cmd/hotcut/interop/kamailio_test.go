//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

// Kamailio as the legacy switch: a proxy that records its route, or a registrar that keeps our Path. Behind it SIPp, or
// a callee made by hand where a test stands between two messages of a call.

const (
	alice = "sip:alice@acme.example"
	bob   = "sip:bob@acme.example"
)

func isInvite(m *message) bool { return m.method() == "INVITE" }

// callee is the define by which proxy.cfg knows who is behind it.
func callee(addr string) string { return fmt.Sprintf("CALLEE=%q", "sip:"+addr) }

// Calls by both route sets, ours and Kamailio's; a flip while a call is up leaves it on Kamailio to its BYE, and the
// next call is on core; after a rollback on Kamailio again.
func TestKamailioFlip(t *testing.T) {
	dir := t.TempDir()
	behind := startSipp(t, dir, "behind", "uas.xml", patient...)
	core := startSipp(t, dir, "core", "uas.xml", patient...)
	k := startKamailio(t, "legacy", "proxy.cfg", callee(behind.addr))
	r := newRigFor(t, site{legacy: []string{k.addr}, core: []string{core.addr}, edges: 2})
	e := r.edges[0]

	const calls = 30
	load := startSipp(t, dir, "caller", "uac.xml", e.outside, "-s", "bob", "-key", "domain", "acme.example",
		"-r", "30", "-m", strconv.Itoa(calls), "-d", "300")
	if code := load.wait(t, 30*time.Second); code != 0 {
		t.Fatalf("calls through the edge and Kamailio failed: sipp says %d", code)
	}
	reached := behind.traces(t)
	for id := range load.traces(t) {
		if got := k.methods(id); got != "INVITE ACK BYE" {
			t.Errorf("%s: Kamailio served %q, want INVITE ACK BYE", id, got)
		}
		if x := reached[id]; x == nil || x.bye.IsZero() {
			t.Errorf("%s: the callee behind Kamailio did not see it to its end", id)
		}
		for _, x := range k.journal(id) {
			if x.from != "udp:"+e.inside {
				t.Errorf("%s: Kamailio got %s from %s, the edge's inside is %s", id, x.method, x.from, e.inside)
			}
		}
	}
	if len(reached) != calls {
		t.Errorf("%d calls reached the callee, %d were made", len(reached), calls)
	}

	phone := newUA(t, "alice")
	up := phone.call(e.outside, alice, bob)
	ok := phone.expectStatus(200, "INVITE", up.callID)
	up.answered(ok)
	// Nearest to the phone our two listeners, then Kamailio.
	var through []string
	for _, route := range up.routes {
		through = append(through, hostport(bare(route)))
	}
	if want := e.outside + " " + e.inside + " " + k.addr; strings.Join(through, " ") != want {
		t.Errorf("the phone's route set is %q, want %s", up.routes, want)
	}
	r.must("flip", "acme", "--to", "core", "--yes")
	var draining struct{ Data []admin.Draining }
	r.json(&draining, "draining", "acme")
	if len(draining.Data) != 1 || draining.Data[0].Count != 1 || draining.Data[0].Platform != "legacy" {
		t.Errorf("draining says %+v, want one call on legacy", draining.Data)
	}

	second := phone.call(e.outside, alice, bob)
	second.answered(phone.expectStatus(200, "INVITE", second.callID))
	up.bye() // the old call ends while the new one is up
	second.bye()
	r.must("rollback", "acme", "--yes")
	third := phone.call(e.outside, alice, bob)
	third.answered(phone.expectStatus(200, "INVITE", third.callID))
	third.bye()

	for _, x := range []struct {
		l     *leg
		on    map[string]*trace
		where string
		via   string
	}{{up, behind.traces(t), "legacy", "INVITE ACK BYE"}, {second, core.traces(t), "core", ""}, {third, behind.traces(t), "legacy", "INVITE ACK BYE"}} {
		if tr := x.on[x.l.callID]; tr == nil || tr.invite.IsZero() || tr.bye.IsZero() {
			t.Errorf("%s: no INVITE and BYE on %s", x.l.callID, x.where)
		}
		if got := k.methods(x.l.callID); got != x.via {
			t.Errorf("%s: Kamailio served %q, want %q", x.l.callID, got, x.via)
		}
		rec := e.ended(x.l.callID)
		if rec.Platform != x.where || rec.Code != 200 || rec.HungUp != "caller" {
			t.Errorf("%s: the record says %s, %d, hung up by %q; want %s, 200, caller", x.l.callID, rec.Platform, rec.Code, rec.HungUp, x.where)
		}
	}
}

// The callee behind Kamailio rings and is given up; it is busy; it hangs up itself.
func TestKamailioRefusals(t *testing.T) {
	behind := newUA(t, "bob")
	k := startKamailio(t, "legacy", "proxy.cfg", callee(behind.addr))
	r := newRigFor(t, site{legacy: []string{k.addr}, core: []string{freeAddr(t)}, edges: 1})
	e := r.edges[0]
	phone := newUA(t, "alice")

	gone := phone.call(e.outside, alice, bob)
	in := behind.expectRequest("INVITE", gone.callID)
	behind.answer(in, 180, "Ringing", "b1", "")
	phone.expectStatus(180, "INVITE", gone.callID)
	gone.cancel()
	phone.expectStatus(200, "CANCEL", gone.callID)
	cancel := behind.expectRequest("CANCEL", gone.callID)
	behind.answer(cancel, 200, "OK", "b1", "")
	behind.answer(in, 487, "Request Terminated", "b1", "")
	gone.ackRefusal(phone.expectStatus(487, "INVITE", gone.callID))
	behind.expectRequest("ACK", gone.callID)

	busy := phone.call(e.outside, alice, bob)
	in = behind.expectRequest("INVITE", busy.callID)
	behind.answer(in, 486, "Busy Here", "b2", "")
	busy.ackRefusal(phone.expectStatus(486, "INVITE", busy.callID))
	behind.expectRequest("ACK", busy.callID)

	up := phone.call(e.outside, alice, bob)
	in = behind.expectRequest("INVITE", up.callID)
	theirs := behind.took(in, "b3")
	behind.answer(in, 200, "OK", "b3", "")
	up.answered(phone.expectStatus(200, "INVITE", up.callID))
	behind.expectRequest("ACK", up.callID)
	phone.answerTo("BYE", up.callID)
	theirs.bye()

	for id, want := range map[string]int{gone.callID: 487, busy.callID: 486, up.callID: 200} {
		if rec := e.ended(id); rec.Code != want || rec.Platform != "legacy" {
			t.Errorf("%s: the record says %d on %s, want %d on legacy", id, rec.Code, rec.Platform, want)
		}
	}
	if rec := e.ended(up.callID); rec.HungUp != "callee" {
		t.Errorf("the callee hung up, the record says %q", rec.HungUp)
	}
	for l, want := range map[*leg]string{gone: "INVITE CANCEL ACK", busy: "INVITE ACK", up: "INVITE ACK BYE"} {
		await(t, 5*time.Second, "Kamailio to have served "+want, func() bool { return k.methods(l.callID) == want })
	}
	for _, x := range []*leg{gone, busy, up} {
		if n := phone.count(func(m *message) bool {
			return m.get("Call-ID") == x.callID && m.status() >= 200 && strings.HasSuffix(m.get("CSeq"), "INVITE")
		}); n != 1 {
			t.Errorf("%s: the phone got %d final responses to one INVITE", x.callID, n)
		}
	}
}

// An edge that is killed in mid-call and started again: whoever hangs up, the BYE goes through Kamailio to the other
// end, though the policy has moved on meanwhile. By UDP, and by TCP, whose connections died with the edge.
func TestKamailioEdgeKilledInCall(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			behind := newUA(t, "bob")
			k := startKamailio(t, "legacy", "proxy.cfg", callee(behind.addr))
			r := newRigFor(t, site{legacy: []string{k.addr + ";transport=" + proto}, core: []string{freeAddr(t)}, edges: 1})
			e := r.edges[0]
			phone := newUA(t, "alice")

			var mine, theirs [2]*leg
			for i := range mine {
				mine[i] = phone.call(e.outside, alice, bob)
				in := behind.expectRequest("INVITE", mine[i].callID)
				theirs[i] = behind.took(in, fmt.Sprintf("b%d", i))
				behind.answer(in, 180, "Ringing", fmt.Sprintf("b%d", i), "")
				behind.answer(in, 200, "OK", fmt.Sprintf("b%d", i), "")
				mine[i].answered(phone.expectStatus(200, "INVITE", mine[i].callID))
				behind.expectRequest("ACK", mine[i].callID)
			}
			r.must("flip", "acme", "--to", "core", "--yes")
			e.kill()
			e.start()

			behind.answerTo("BYE", mine[0].callID)
			mine[0].bye()
			phone.answerTo("BYE", mine[1].callID)
			theirs[1].bye()
			for _, l := range mine {
				if got := k.methods(l.callID); got != "INVITE ACK BYE" {
					t.Errorf("%s: Kamailio served %q, want INVITE ACK BYE", l.callID, got)
				}
				for _, x := range k.journal(l.callID) {
					if l == mine[0] && !strings.HasPrefix(x.from, proto+":") {
						t.Errorf("%s: Kamailio got %s from %s, want it by %s", l.callID, x.method, x.from, proto)
					}
				}
			}
			await(t, 5*time.Second, "no call to be left", func() bool { return e.stateNow().Dialogs == 0 })
		})
	}
}

// The edge dies after it has sent the INVITE on and before anything came back, and the policy moves the tenant. The
// phone repeats its INVITE to the edge that is started in its place: Kamailio meets a repetition of the transaction
// that it has, the callee one INVITE, and core nothing.
func TestKamailioEdgeKilledBeforeRinging(t *testing.T) {
	behind, core := newUA(t, "bob"), newUA(t, "core")
	k := startKamailio(t, "legacy", "proxy.cfg", callee(behind.addr))
	r := newRigFor(t, site{legacy: []string{k.addr}, core: []string{core.addr}, edges: 1})
	e := r.edges[0]
	phone := newUA(t, "alice")

	up := phone.call(e.outside, alice, bob)
	in := behind.expectRequest("INVITE", up.callID)
	e.kill()
	behind.answer(in, 100, "Trying", "", "") // or Kamailio repeats it
	if code, _, errs := r.run("flip", "acme", "--to", "core", "--yes", "--wait", "1s"); code != 6 {
		t.Errorf("flip with the only edge dead: exit %d, want 6\n%s", code, errs)
	}
	e.start()
	await(t, 10*time.Second, "the edge to have the flip", func() bool { return e.stateNow().State == policy.Live })
	phone.send(e.outside, up.invite)
	await(t, 10*time.Second, "the repetition to reach Kamailio", func() bool {
		for _, x := range k.journal(up.callID) {
			if x.again {
				return true
			}
		}
		return false
	})
	phone.send(e.outside, up.invite)
	behind.answer(in, 180, "Ringing", "b", "")
	phone.expectStatus(180, "INVITE", up.callID)
	behind.answer(in, 200, "OK", "b", "")
	up.answered(phone.expectStatus(200, "INVITE", up.callID))
	behind.expectRequest("ACK", up.callID)
	behind.answerTo("BYE", up.callID)
	up.bye()

	if got := k.methods(up.callID); got != "INVITE ACK BYE" {
		t.Errorf("Kamailio served %q, want one INVITE, ACK, BYE", got)
	}
	if n := behind.count(isInvite); n != 1 {
		t.Errorf("the callee got %d INVITEs, want 1", n)
	}
	if n := core.count(isInvite); n != 0 {
		t.Errorf("core got %d INVITEs of a call that was legacy's", n)
	}
	if n := phone.count(func(m *message) bool { return m.status() >= 200 && strings.HasSuffix(m.get("CSeq"), "INVITE") }); n != 1 {
		t.Errorf("the phone got %d final responses to one INVITE", n)
	}
}

// The edge dies while three calls ring, and another is started in its place: one is given up, one answered, one refused.
// The new edge has no transaction of any; Kamailio must know each CANCEL and ACK for that of its INVITE.
func TestKamailioEdgeKilledWhileRinging(t *testing.T) {
	behind := newUA(t, "bob")
	k := startKamailio(t, "legacy", "proxy.cfg", callee(behind.addr))
	r := newRigFor(t, site{legacy: []string{k.addr}, core: []string{freeAddr(t)}, edges: 1})
	e := r.edges[0]
	phone := newUA(t, "alice")

	var mine [3]*leg
	var in [3]*message
	for i := range mine {
		mine[i] = phone.call(e.outside, alice, bob)
		in[i] = behind.expectRequest("INVITE", mine[i].callID)
		behind.answer(in[i], 180, "Ringing", "b", "")
		phone.expectStatus(180, "INVITE", mine[i].callID)
	}
	e.kill()
	e.start()

	gone, taken, busy := mine[0], mine[1], mine[2]
	gone.cancel()
	phone.expectStatus(200, "CANCEL", gone.callID)
	behind.answer(behind.expectRequest("CANCEL", gone.callID), 200, "OK", "b", "")
	behind.answer(in[0], 487, "Request Terminated", "b", "")
	gone.ackRefusal(phone.expectStatus(487, "INVITE", gone.callID))

	behind.answer(in[1], 200, "OK", "b", "")
	taken.answered(phone.expectStatus(200, "INVITE", taken.callID))
	behind.expectRequest("ACK", taken.callID)
	behind.answerTo("BYE", taken.callID)
	taken.bye()

	behind.answer(in[2], 486, "Busy Here", "b", "")
	busy.ackRefusal(phone.expectStatus(486, "INVITE", busy.callID))

	for l, want := range map[*leg]string{gone: "INVITE CANCEL ACK", taken: "INVITE ACK BYE", busy: "INVITE ACK"} {
		await(t, 5*time.Second, "Kamailio to have served "+want, func() bool { return k.methods(l.callID) == want })
	}
	if n := behind.count(isInvite); n != 3 {
		t.Errorf("the callee got %d INVITEs, want 3", n)
	}
}

// Two Kamailios are the legacy pool. One dies: the edge and the CLI say which one is down, explain still answers, and
// calls go to the other. Both die: half a pool is never taken out, but what is wrong is said. They come back.
func TestKamailioDown(t *testing.T) {
	behind, core := startSipp(t, t.TempDir(), "behind", "uas.xml", patient...), newUA(t, "core")
	core.answerTo("OPTIONS", "")
	pool := newPool(t, behind.addr)
	r := newRigFor(t, site{legacy: pool.addrs(), core: []string{core.addr}, edges: 1, probe: 200 * time.Millisecond})
	e := r.edges[0]
	health := func(name string) admin.TargetState {
		for _, x := range e.stateNow().Targets {
			if x.Name == name {
				return x
			}
		}
		t.Fatalf("the edge does not know target %s", name)
		return admin.TargetState{}
	}
	explained := func() admin.ExplainResponse {
		t.Helper()
		var x struct{ Data admin.ExplainResponse }
		r.json(&x, "explain", "--from", "alice@acme.example", "--to", "bob@acme.example")
		if x.Data.Decision.Platform != "legacy" || len(x.Data.Targets) != 2 {
			t.Errorf("explain says %+v, want legacy and its two targets", x.Data)
		}
		return x.Data
	}
	pool.bothServe(e)

	pool[0].kill()
	await(t, 15*time.Second, "l1 to be down", func() bool { return !health("l1").Up })
	if x := health("l1"); x.Reason == "" || x.Since == 0 {
		t.Errorf("l1 is down, without why or since when: %+v", x)
	}
	if x := health("l2"); !x.Up || x.Reason != "" {
		t.Errorf("l2 is well, the edge says %+v", x)
	}
	var list struct {
		Data []struct{ Targets []admin.TargetState }
	}
	r.json(&list, "edges")
	told := map[string]bool{}
	for _, row := range list.Data {
		for _, x := range row.Targets {
			told[x.Name] = x.Up
		}
	}
	if len(told) != 3 || told["l1"] || !told["l2"] || !told["c1"] {
		t.Errorf("hotcut edges -o json says up: %v; want l1 down, l2 and c1 up", told)
	}
	if out := r.must("edges"); !strings.Contains(out, " 2/3 up, down: l1 ") {
		t.Errorf("hotcut edges says\n%s", out)
	}
	for _, x := range explained().Targets {
		if x.Up == (x.Name == "l1") {
			t.Errorf("explain says %+v", x)
		}
	}
	if on := pool.serve(e, 6); on != [2]int{0, 6} {
		t.Errorf("6 calls with the first known to be dead: %v by each", on)
	}

	pool[1].kill()
	await(t, 15*time.Second, "the edge to say that l2 fails too", func() bool { return health("l2").Reason != "" })
	if out := r.must("edges"); !strings.Contains(out, " 2/3 up, down: l1, failing: l2 ") {
		t.Errorf("hotcut edges says\n%s", out)
	}
	explained()

	pool[0].start()
	pool[1].start()
	await(t, 15*time.Second, "both to be up", func() bool {
		a, b := health("l1"), health("l2")
		return a.Up && b.Up && a.Reason == "" && b.Reason == ""
	})
	if out := r.must("edges"); !strings.Contains(out, " 3/3 up ") {
		t.Errorf("hotcut edges says\n%s", out)
	}
	pool.bothServe(e)
}

// pool is two Kamailios in front of one callee.
type pool [2]*kamailio

func newPool(t *testing.T, behind string) pool {
	return pool{startKamailio(t, "first", "proxy.cfg", callee(behind)), startKamailio(t, "second", "proxy.cfg", callee(behind))}
}

func (p pool) addrs() []string { return []string{p[0].addr, p[1].addr} }

// serve makes n calls, one after the other, and says how many each Kamailio took from INVITE to BYE.
func (p pool) serve(e *edge, n int) (on [2]int) {
	e.r.t.Helper()
	phone := newUA(e.r.t, "alice")
	for range n {
		l := phone.call(e.outside, alice, bob)
		l.answered(phone.expectStatus(200, "INVITE", l.callID))
		l.bye()
		for i, k := range p {
			if k.methods(l.callID) == "INVITE ACK BYE" {
				on[i]++
			}
		}
	}
	return on
}

// bothServe makes so many calls that none on one of the two would be a fault, not chance.
func (p pool) bothServe(e *edge) {
	e.r.t.Helper()
	if on := p.serve(e, 24); on[0] == 0 || on[1] == 0 || on[0]+on[1] != 24 {
		e.r.t.Errorf("24 calls over a pool of two that are well: %v by each", on)
	}
}

// json runs a command that has to succeed and reads its JSON.
func (r *rig) json(to any, args ...string) {
	r.t.Helper()
	out := r.must(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), to); err != nil {
		r.t.Fatalf("hotcut %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
