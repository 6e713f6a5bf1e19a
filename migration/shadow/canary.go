package shadow

import (
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// canary is a call through a dark core that only the sink may see: it tests, each minute, that the dark core's trunk is the sink.
// Where it arrives there all is well. Where it is seen anywhere else, mirroring stops (machine.escape). Where it does not arrive, nothing
// is known: the dark core may refuse the number, or have let it out where we can not see; that is said, and nothing else.
type canary struct {
	state  string
	at     int64 // of the last that arrived
	next   int64
	call   *dialog
	alarm  alarm
	caller string // user of From of the last
	sent   int64
	inv    *client
	ended  bool
	heard  bool
}

const (
	canaryNone   = "none yet"
	canaryOK     = "ok"
	canaryLost   = "not verified"
	canaryEvery  = time.Minute
	canaryWaits  = 10 * time.Second
	canaryPrefix = "canary-"
)

// canaries calls those whose minute is over.
func (m *machine) canaries() {
	if m.stopped != "" {
		return
	}
	for _, d := range m.darks {
		if m.now < d.canary.next {
			continue
		}
		if t, caller := m.canaryCaller(d); t != nil {
			d.canary.next = m.now + int64(canaryEvery)
			m.callCanary(d, t, caller)
		}
	}
}

// canaryCaller is who calls: a registered phone of a mirrored tenant of this dark core, else anybody of its domain.
func (m *machine) canaryCaller(d *dark) (*tenant, string) {
	var pick *tenant
	for _, t := range m.tenants {
		if t.dark == d && len(t.scrub.domains) > 0 && (pick == nil || t.id < pick.id) {
			pick = t
		}
	}
	if pick == nil {
		return nil, ""
	}
	aor, token := "", ""
	for _, b := range pick.bindings {
		if b.has && (token == "" || b.token < token) {
			aor, token = b.aor, b.token
		}
	}
	if aor == "" {
		aor = "sip:" + canaryPrefix + "hotcut@" + pick.scrub.domains[0]
	}
	return pick, aor
}

func (m *machine) callCanary(dk *dark, t *tenant, aor string) {
	k := &dk.canary
	id := canaryPrefix + m.id.fresh("canary")
	d := &dialog{m: m, t: t, dark: dk, tape: &tape{m: m, closed: true}, mark: m.id.mark(id), target: "sip:" + m.o.Canary + "@" + t.scrub.domains[0] + ";user=phone",
		contact: "sip:" + sinkPrefix + id + "@" + dk.sink.String(), callID: m.id.fresh("call-id"), ourTag: m.id.fresh("tag"), seq: 1,
		local: "<" + aor + ">", remote: "<sip:" + m.o.Canary + "@" + t.scrub.domains[0] + ";user=phone>"}
	k.call, k.caller, k.sent, k.heard, k.ended = d, userOf([]byte(aor)), m.now, false, false
	d.table()
	offer := &sdp{sections: []section{{kind: "audio", port: 9, proto: "RTP/AVP", formats: []string{"8"}, attrs: []string{"rtpmap:8 PCMA/8000"}}}}
	body := d.describe(offer)
	ringing, acks := false, map[string][]byte{} // by the branch's tag
	var invite func(answer string) bool
	invite = func(answer string) bool {
		branch := m.id.branch()
		raw := d.build("INVITE", d.seq, branch, "P-Asserted-Identity: <"+aor+">\r\n"+allowLine+answer, "application/sdp", body)
		c, ok := m.request(dk, "INVITE", branch, raw, func(r *wire.Message) {
			switch {
			case r != nil && (r.Status == 401 || r.Status == 407) && answer == "" && m.o.Answer != nil && k.call == d && !k.ended:
				d.seq++
				if line := m.o.Answer(r, "INVITE", d.target, aor); line == "" || !invite(line) {
					k.next = min(k.next, m.now+int64(lookEvery)) // soon a phone may be registered whose password we know
					m.canaryEnds(dk, d)
				}
			case r == nil || r.Status >= 300:
				m.canaryEnds(dk, d)
			case r.Status < 200:
				if !ringing && k.ended && k.call == d {
					m.cancel(k.inv)
				}
				ringing = true
			case acks[tagOf(r, r.To)] != nil:
				m.send(dk, dk.Addr, acks[tagOf(r, r.To)])
			case len(acks) < maxStrays:
				acks[tagOf(r, r.To)] = d.hangUpBranch(r)
				m.canaryEnds(dk, d)
			}
		})
		if ok {
			k.inv = c
		}
		return ok
	}
	if !invite("") {
		d.close()
		return
	}
	m.after(&k.alarm, canaryWaits, func() {
		m.canaryEnds(dk, d)
		if ringing && len(acks) == 0 {
			m.cancel(k.inv)
		}
	})
}

// canaryEnds says what came of it.
func (m *machine) canaryEnds(dk *dark, d *dialog) {
	k := &dk.canary
	if k.call != d || k.ended {
		return
	}
	k.ended = true
	m.stop(&k.alarm)
	d.close()
	if k.heard {
		return
	}
	if k.state != canaryLost {
		m.o.Log.Warn("the shadow's canary did not arrive at the sink: whether the dark core's trunk is shut is not verified", "dark", dk.Name, "number", m.o.Canary)
	}
	k.state = canaryLost
}

// canaryArrived takes an INVITE that came to the sink: whether it is the canary's.
func (m *machine) canaryArrived(dk *dark, r *wire.Message) bool {
	id := ""
	if v, ok := named(r, markHeader); ok {
		id, _ = m.id.marked(v)
	}
	if len(id) < len(canaryPrefix) || id[:len(canaryPrefix)] != canaryPrefix {
		if !m.callsCanary(r) {
			return false
		}
	}
	k := &dk.canary
	k.heard = true
	k.state, k.at = canaryOK, m.now
	return true
}

func (m *machine) callsCanary(r *wire.Message) bool {
	want := digits(m.o.Canary)
	return digits(userOf(r.RequestURI.Of(r.Raw))) == want || digits(userOf(r.To.URI.Of(r.Raw))) == want
}

// seenOutside reports whether a message that passed through the edge is a canary's: it got out, and came back.
func (m *machine) seenOutside(r *wire.Message) bool {
	if !r.Request || !r.Is("INVITE") || !r.To.Tag.Empty() || !m.callsCanary(r) {
		return false
	}
	from := userOf(r.From.URI.Of(r.Raw))
	for _, d := range m.darks {
		if d.canary.sent != 0 && m.now-d.canary.sent < int64(2*canaryEvery) && sameParty(from, d.canary.caller) {
			return true
		}
	}
	return false
}
