//go:build interop

package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// shadowed is a legacy platform with phones behind one edge, and a dark core of the same make.
type shadowed struct {
	*rig
	legacy, dark *kamailio
	sink         string
	edge         *edge
	caller       *ua
	bob          *device // answers
	carol        *device // is busy
	dave         *device // rings and is not there
}

// newShadowed registers the phones and mirrors everything. The dark core has the same configuration as legacy, and what
// else its defines say; its trunk is the sink.
func newShadowed(t *testing.T, defines ...string) *shadowed {
	t.Helper()
	w := newHoled(t, func(w *shadowed) string { return w.sink }, defines...)
	w.ready()
	return w
}

// ready waits until copies can begin.
func (w *shadowed) ready() {
	w.t.Helper()
	await(w.t, 30*time.Second, "the dark core to know the phones, and its canary to arrive", func() bool {
		m := w.edge.mirrored().Mirror
		return m.Bindings == 3 && len(m.Dark) == 1 && m.Dark[0].Canary == "ok"
	})
}

// newHoled is the same with a trunk to anywhere.
func newHoled(t *testing.T, trunk func(w *shadowed) string, defines ...string) *shadowed {
	t.Helper()
	dark, sink := darkAddrs(t)
	return newDark(t, dark, sink, trunk, "", append([]string{trust([]string{sink})}, defines...)...)
}

// newDark is the same at given addresses: it trusts nobody but by its defines, and the edge has a file of secrets.
func newDark(t *testing.T, dark, sink string, trunk func(w *shadowed) string, secrets string, defines ...string) *shadowed {
	t.Helper()
	own := freeAddrs(t, 1)
	by := reaches[0]
	w := &shadowed{sink: sink}
	w.legacy = startPlatform(t, "legacy", slices.Concat(by.defines, []string{trust(own)})...)
	w.rig = newRigFor(t, site{legacy: []string{w.legacy.addr}, core: []string{freeAddr(t)}, edges: 1, own: own, legacyHow: by.how, coreHow: by.how,
		sinks: []string{sink}, dark: darkCore(dark, "2.4.1"), secrets: secrets})
	w.edge = w.edges[0]
	same := slices.Concat([]string{fmt.Sprintf("REALM=%q", realm), `SECRET="dark"`, fmt.Sprintf("TRUNK=%q", "sip:"+trunk(w))}, by.defines)
	w.dark = startKamailioAt(t, dark, "dark", "platform.cfg", append(same, defines...)...)
	w.caller = newUA(t, "alice")
	w.caller.sdp = darkSpeech
	for _, d := range []struct {
		user string
		to   **device
	}{{"bob", &w.bob}, {"carol", &w.carol}, {"dave", &w.dave}} {
		*d.to = newDevice(t, w.edge.outside, d.user)
		(*d.to).sdp = darkSpeech
		(*d.to).bound((*d.to).here(), 300)
	}
	w.must("shadow", "start", "acme", "--wait", "30s")
	return w
}

// copies are the calls that the dark core has got, each with whether its answer was acknowledged.
func (w *shadowed) copies() map[string]bool {
	w.t.Helper()
	all := map[string]bool{}
	for _, e := range w.dark.journal("") {
		switch e.method {
		case "INVITE":
			if _, known := all[e.callID]; !known {
				all[e.callID] = false
			}
		case "ACK":
			all[e.callID] = true
		}
	}
	return all
}

// copied waits until the copy of a call that began after before has come to an answer: a person talks for longer than two platforms
// are apart.
func (w *shadowed) copied(before map[string]bool) {
	w.t.Helper()
	await(w.t, 20*time.Second, "the copy to be answered", func() bool {
		for id, done := range w.copies() {
			if _, old := before[id]; !old && done {
				return true
			}
		}
		return false
	})
}

// answered is a call that is taken, and hung up by its caller when the copy has come as far.
func (w *shadowed) answered(to string, d *device) {
	w.t.Helper()
	before := w.copies()
	l := w.caller.call(w.edge.outside, "sip:alice@"+realm, "sip:"+to+"@"+realm)
	in := d.expectRequest("INVITE", l.callID)
	d.answerTo("BYE", l.callID)
	d.answer(in, 180, "Ringing", d.user, "")
	w.caller.expectStatus(180, "INVITE", l.callID)
	d.answer(in, 200, "OK", d.user, "")
	l.answered(w.caller.expectStatus(200, "INVITE", l.callID))
	d.expectRequest("ACK", l.callID)
	w.copied(before)
	l.bye()
}

// busy is a call to a phone that is busy.
func (w *shadowed) busy() {
	w.t.Helper()
	before := w.copies()
	w.busyAlone()
	w.copied(before)
}

// busyAlone is the same, of which nothing is copied.
func (w *shadowed) busyAlone() {
	w.t.Helper()
	l := w.caller.call(w.edge.outside, "sip:alice@"+realm, "sip:carol@"+realm)
	w.carol.answer(w.carol.expectRequest("INVITE", l.callID), 486, "Busy Here", "carol", "")
	l.ackRefusal(w.caller.expectStatus(486, "INVITE", l.callID))
}

// gaveUp is a call that rings until its caller gives up.
func (w *shadowed) gaveUp() {
	w.t.Helper()
	before := w.copies()
	l := w.caller.call(w.edge.outside, "sip:alice@"+realm, "sip:dave@"+realm)
	in := w.dave.expectRequest("INVITE", l.callID)
	w.dave.answerTo("CANCEL", l.callID)
	w.dave.answer(in, 180, "Ringing", "dave", "")
	w.caller.expectStatus(180, "INVITE", l.callID)
	l.cancel()
	w.dave.expectRequest("CANCEL", l.callID)
	w.dave.answer(in, 487, "Request Terminated", "dave", "")
	l.ackRefusal(w.caller.expectStatus(487, "INVITE", l.callID))
	w.copied(before)
}

// missed is a call of nobody.
func (w *shadowed) missed() {
	w.t.Helper()
	before := len(w.copies())
	l := w.caller.call(w.edge.outside, "sip:alice@"+realm, "sip:nobody@"+realm)
	l.ackRefusal(w.caller.expectStatus(404, "INVITE", l.callID))
	await(w.t, 20*time.Second, "the copy to arrive", func() bool { return len(w.copies()) > before }) // Kamailio takes the ACK of its own 404 unseen
}

// separate fails the test if anything of a copy has reached a phone, its caller or the live platform: all of a copy has a Call-ID that only
// the dark core has heard, and all that the dark core heard came from the sink.
func (w *shadowed) separate() {
	w.t.Helper()
	copies := map[string]bool{}
	for _, e := range w.dark.journal("") {
		copies[e.callID] = true
		if e.from != "udp:"+w.sink {
			w.t.Errorf("the dark core got a %s from %s, the sink is %s", e.method, e.from, w.sink)
		}
	}
	for _, e := range w.legacy.journal("") {
		if copies[e.callID] || e.from == "udp:"+w.sink {
			w.t.Errorf("legacy got a %s of a copy, from %s", e.method, e.from)
		}
	}
	for _, u := range []*ua{w.caller, w.bob.ua, w.carol.ua, w.dave.ua} {
		if n := u.count(func(m *message) bool {
			raw := strings.ToLower(m.raw)
			return copies[m.get("Call-ID")] || m.from == w.sink || strings.Contains(raw, "hotcut-shadow")
		}); n > 0 {
			w.t.Errorf("%s got %d messages of copies", u.name, n)
		}
	}
}

// mixed makes that many calls of each outcome.
func (w *shadowed) mixed(each int) (calls uint64) {
	w.t.Helper()
	for range each {
		w.answered("bob", w.bob)
		w.busy()
		w.gaveUp()
		w.missed()
	}
	return uint64(4 * each)
}

// Two real platforms of the same make: a dark core that does as legacy does has no grave difference; one that takes a user for
// busy, or calls somebody else, has exactly that one, in words. All that anybody sends during the calls of the first case is captured:
// nothing of a copy goes anywhere but to the dark core and the sink.
func TestShadowKamailio(t *testing.T) {
	for _, c := range []struct {
		name     string
		defines  []string
		each     int
		want     []string
		captured bool
	}{
		{"equal", nil, 50, nil, true},
		{"busy", []string{`BUSY="bob"`}, 5, []string{"critical callers hear busy on calls that legacy puts through", "critical nobody's phone rings"}, false},
		{"elsewhere", []string{`WRONG="bob"`, `INSTEAD="dave"`}, 2, []string{"critical another phone rings"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wires *wiretap
			if c.captured {
				wires = newWiretap(t, home, sideAddr(40), sideAddr(41))
			}
			w := newShadowed(t, c.defines...)
			n := w.mixed(c.each)
			if c.captured {
				for range 3 {
					w.away()
					w.transferred()
					n += 3
				}
			}
			w.separate()
			if wires != nil {
				w.apart(wires.datagrams(), int(n))
			}
			d := w.sampled(n)
			if d.Compared.Count != d.Sampled {
				t.Errorf("not everything was compared")
			}
			if got := grave(d); !slices.Equal(got, c.want) {
				t.Errorf("grave differences %q, want %q", got, c.want)
			}
			if t.Failed() || testing.Verbose() {
				t.Log(describe(d))
				for i := range d.Clusters {
					t.Log(w.must("shadow", "diff", d.Clusters[i].Samples[0].CallID))
				}
			}
			if said := w.must("status"); !strings.Contains(said, "MIRRORED") {
				t.Errorf("status does not show that acme is mirrored:\n%s", said)
			}
		})
	}
}
