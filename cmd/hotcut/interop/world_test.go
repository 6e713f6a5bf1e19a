//go:build interop

package interop

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// reach is how platforms of a test reach phones.
type reach struct {
	name    string
	defines []string
	how     string // keys of each target
}

var reaches = []reach{
	{"path", []string{"WITH_PATH"}, "keep: trust, reach_back: path, listsAll: true"},
	{"contact", nil, "keep: trust, reach_back: contact, listsAll: true"},
}

// world is two platforms and their edges.
type world struct {
	*rig
	legacy, core *kamailio
	own          []string
}

func newWorld(t *testing.T, edges int, by reach, defines ...string) *world {
	t.Helper()
	own := freeAddrs(t, edges)
	all := slices.Concat(by.defines, []string{trust(own)}, defines)
	w := &world{legacy: startPlatform(t, "legacy", all...), core: startPlatform(t, "core", all...), own: own}
	w.rig = newRigFor(t, site{legacy: []string{w.legacy.addr}, core: []string{w.core.addr}, edges: edges, own: own, legacyHow: by.how, coreHow: by.how})
	return w
}

// flip moves the tenant and waits until core knows as many contacts of the user.
func (w *world) flip(user string, contacts int) {
	w.t.Helper()
	w.must("flip", "acme", "--to", "core", "--yes")
	w.known(w.core, user, contacts)
}

func (w *world) known(on *kamailio, user string, contacts int) {
	w.t.Helper()
	await(w.t, 10*time.Second, fmt.Sprintf("%d contacts of %s", contacts, user), func() bool { return len(on.contacts(user)) == contacts })
}

// rings calls a user through an edge and says which of the devices get the call; each is told its own Contact, and rings
// once however many branches come to it. The caller gives up, and all is quiet again.
func (w *world) rings(e *edge, user string, devices ...*device) (who []string) {
	w.t.Helper()
	caller := newUA(w.t, "caller")
	l := caller.call(e.outside, "sip:caller@"+realm, "sip:"+user+"@"+realm)
	refused := func() bool {
		return caller.count(func(m *message) bool { return m.get("Call-ID") == l.callID && m.status() >= 300 }) > 0
	}
	for _, d := range devices {
		d.answerTo("CANCEL", l.callID)
	}
	// Who is called is called at once, each by a branch of one fork: the slowest has a moment more than the quickest.
	await(w.t, 10*time.Second, "the call of "+user+" to arrive, or to be refused", func() bool {
		return refused() || slices.ContainsFunc(devices, func(d *device) bool { return len(d.invites(l.callID)) > 0 })
	})
	pause(w.t, 300*time.Millisecond)
	for _, d := range devices {
		for i, in := range d.invites(l.callID) {
			if want := bare(d.here()); in.uri() != want {
				w.t.Errorf("%s is called as %s, it registered %s", d.name, in.uri(), want)
			}
			if i > 0 { // the same request by another way: RFC 3261 section 8.2.2.2
				d.answer(in, 482, "Loop Detected", "m"+d.addr, "")
				continue
			}
			who = append(who, d.addr)
			d.answer(in, 180, "Ringing", "d"+d.addr, "")
		}
	}
	if !refused() && len(who) > 0 {
		caller.expectStatus(180, "INVITE", l.callID)
		l.cancel()
		for _, d := range devices {
			if slices.Contains(who, d.addr) {
				d.expectRequest("CANCEL", l.callID)
				d.answer(d.invites(l.callID)[0], 487, "Request Terminated", "d"+d.addr, "")
			}
		}
	}
	// 487, or what a branch that led nowhere was answered with: Kamailio sends on the lowest.
	l.ackRefusal(caller.expect("a refusal", func(m *message) bool { return m.get("Call-ID") == l.callID && m.status() >= 400 }))
	return who
}

// invites are those of a call that came to the device, one of each branch.
func (d *device) invites(callID string) (list []*message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range d.heard {
		if m.method() == "INVITE" && m.get("Call-ID") == callID && !seen[m.get("Via")] {
			seen[m.get("Via")] = true
			list = append(list, m)
		}
	}
	return list
}

// reached fails the test unless a call for the user rings exactly these of its devices.
func (w *world) reached(e *edge, user string, all []*device, want ...*device) {
	w.t.Helper()
	var addrs []string
	for _, d := range want {
		addrs = append(addrs, d.addr)
	}
	who := w.rings(e, user, all...)
	slices.Sort(addrs)
	slices.Sort(who)
	if !slices.Equal(who, addrs) {
		w.t.Errorf("a call for %s rings %v, want %v", user, who, addrs)
	}
}

// uris are the URIs in the Contacts of a response.
func uris(m *message) (all []string) {
	for _, c := range m.list("Contact") {
		all = append(all, bare(c))
	}
	slices.Sort(all)
	return all
}
