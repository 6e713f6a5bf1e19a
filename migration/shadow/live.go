package shadow

import (
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// liveLeg is a leg of the live platform, as tapped.
type liveLeg struct {
	m    *machine
	t    *tenant
	c    *call // whose it is; nil: nobody knows
	key  string
	tape tape

	began      int64
	caller     string   // user of From
	called     []string // users that it may go by: of the Request-URI and of To
	dest       string   // where it arrives: a binding's key, else the user of the Request-URI
	seq        uint32   // CSeq of its INVITE
	final      int
	answered   bool
	challenged bool // and nothing since

	wasChallenged bool
	dropped       bool // the platform has cancelled it: a 487 is not the callee's doing
	over          bool
	overAt        int64

	twin      *twin   // its partner
	borrowers []*twin // that do what its callee does, and may be another's
	lent      bool    // it has had such borrowers
	gone      alarm
}

// names reads who calls whom.
func (l *liveLeg) names(r *wire.Message) {
	l.seq = r.CSeq
	l.caller = userOf(r.From.URI.Of(r.Raw))
	l.called = append(l.called[:0], userOf(r.RequestURI.Of(r.Raw)), userOf(r.To.URI.Of(r.Raw)))
	l.dest = l.called[0]
}

// done: the leg's first request has its final response, or waits for a retry.
func (l *liveLeg) done() bool { return l.final != 0 || l.challenged }

// cut splits a value at its first semicolon and folds what is before.
func cut(v string) (head, tail string, found bool) {
	head, tail, found = strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(head)), tail, found
}

// stale is how long a live far leg waits for the dark core's.
const stale = 8 * time.Second

// far takes a message of a leg that the live platform sent out.
func (m *machine) far(t *tenant, ev *tap.Event, r *wire.Message) {
	method := string(r.CSeqMethod.Of(r.Raw))
	key := string(r.CallID.Of(r.Raw)) + "\x00" + initiatorTag(ev, r)
	if ev.Party == tap.OtherPlatform {
		return // between the two platforms: the dark core is both, and the leg that leaves the other one is tapped as well
	}
	l := m.lives[key]
	if l == nil {
		if !r.Request || method != "INVITE" || ev.Upstream || !r.To.Tag.Empty() {
			m.drop(DropOrphan)
			return
		}
		if len(m.lives) >= m.o.Legs {
			m.drop(DropLegs)
			return
		}
		l = &liveLeg{m: m, t: t, key: key, began: ev.At, tape: tape{m: m, party: ev.Party.String()}}
		l.names(r)
		if b := m.phoneOf(t, r); b != nil {
			l.dest, l.tape.target = b.token, b.aor
			l.called = append(l.called, userOf([]byte(b.aor)))
		}
		m.lives[key] = l
		l.tape.add(ev.At, false, r.Raw)
		m.after(&l.gone, m.o.Longest, func() { l.overNow() })
		if l.c = m.parent(t, r, l.caller, l.called); l.c != nil {
			l.c.far = append(l.c.far, l)
		}
		t.unpaired = append(t.unpaired, l)
		t.lately.live(l)
		m.match(t)
		return
	}
	if l.c == nil || !l.c.judged {
		l.tape.add(ev.At, ev.Upstream, r.Raw)
	}
	switch {
	case !r.Request && method == "INVITE" && ev.Upstream && r.CSeq == l.seq:
		switch {
		case r.Status < 200:
		case r.Status < 300:
			l.final, l.answered = r.Status, true
		case r.Status == 401 || r.Status == 407:
		default:
			l.final = r.Status
			l.overNow()
		}
	case r.Request && method == "INVITE" && !ev.Upstream && r.To.Tag.Empty():
		l.seq = r.CSeq // the answer to a challenge
	case r.Request && method == "CANCEL" && !ev.Upstream:
		l.dropped = true
	case r.Request && method == "BYE":
		l.overNow()
	}
	if l.twin != nil {
		l.twin.play()
	}
	for _, tw := range slices.Clone(l.borrowers) {
		tw.play()
	}
}

// overNow says that the leg is at its end. It stays for a while, for a dark core that is slower.
func (l *liveLeg) overNow() {
	if l.over {
		return
	}
	l.over, l.overAt = true, l.m.now
	l.wait(stale)
	switch tw := l.twin; {
	case tw == nil:
	case tw.over && tw.c == nil:
		l.wait(nearby)
	default:
		tw.liveOver()
	}
	for _, tw := range l.borrowers {
		tw.liveOver()
	}
	if l.c != nil {
		l.c.check()
	}
}

// wait forgets the leg after d. A pair that no call joins is compared then: as long as another leg can cast doubt on it, it is not.
func (l *liveLeg) wait(d time.Duration) {
	l.m.after(&l.gone, d, func() { l.m.forgetLive(l) })
}

// forgetLive takes a live far leg out of every table.
func (m *machine) forgetLive(l *liveLeg) {
	m.stop(&l.gone)
	l.over = true
	if m.lives[l.key] == l {
		delete(m.lives, l.key)
	}
	m.unlist(l)
	if tw := l.twin; tw != nil && tw.c == nil && tw.over {
		m.judgeLeg(tw)
	}
	if l.c == nil || l.c.judged {
		l.tape.release()
	}
}
