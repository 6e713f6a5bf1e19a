package relay

import (
	"sync"
	"time"

	"github.com/hotcut/hotcut/media"
)

// dialog is what both parties have said.
type dialog struct {
	// Set once.
	relay *Relay
	key   Key
	began time.Time

	mu    sync.Mutex // guards what follows, and every slot
	over  bool
	slots []*slot // by line
	lines lineMap

	now    [2]*voice // in force, by party
	held   [2]*voice // an offer that changes what a line is: in force with its answer
	offers [2]*offer // not yet answered for good
	made   int       // offers so far

	early   []*voice // of the called party, one per tag, oldest first
	settled bool     // a 2xx has come
	winner  string   // its tag; empty: unknown, for a dialog that survived the process
}

// offer remembers what was in force before it.
type offer struct {
	number   int
	voice    *voice
	was      *voice // the party's before it
	lines    lineMap
	response bool // it came in a response, so that a request answers it

	answered bool   // by an 18x
	otherWas *voice // the other party's before that answer
}

const maxEarly = 16 // early dialogs whose descriptions are remembered

// note takes a new voice of the party d.From. What is said twice changes nothing.
func (g *dialog) note(v *voice, d *Description, p *placing) {
	from, other := d.From, d.From^1
	asked := g.offers[other]
	answers := asked != nil && (d.Stage.response() || asked.response)
	if d.Role != AsSpoken {
		answers = d.Role == AsAnswer
	}
	same := g.said(v, from)
	v.answer = answers || same != nil && same.answer
	if same != nil && same.early == v.early && (g.settled || d.Stage != Final) {
		switch {
		case !g.settled && v.tag != "": // of an early dialog: it is no newer for being repeated
			return
		case !answers && d.Stage.response(), g.offers[from] != nil && g.offers[from].voice == same:
			return
		}
	}
	if v.tag != "" {
		if g.settled && g.winner != "" && v.tag != g.winner {
			return // of a branch that lost
		}
		g.remember(v)
		if d.Stage == Final && !g.settled {
			g.won(v.tag)
		}
	}
	if answers {
		if g.held[other] != nil {
			g.now[other], g.held[other] = g.held[other], nil
		}
		if asked != nil && !asked.answered {
			asked.answered, asked.otherWas = true, g.now[from]
		}
		g.now[from] = v
		if d.Stage != Early {
			g.offers[other] = nil
		}
		return
	}
	g.made++
	g.offers[from] = &offer{number: g.made, voice: v, was: g.now[from], lines: p.before, response: d.Stage.response()}
	if g.changesKind(g.now[from], v) {
		g.held[from] = v
	} else {
		g.now[from], g.held[from] = v, nil
	}
}

// said finds what the party has said already, if it is the same.
func (g *dialog) said(v *voice, from media.Leg) *voice {
	for _, w := range append(g.early[:len(g.early):len(g.early)], g.held[from], g.now[from]) {
		if w != nil && w.sum == v.sum && w.tag == v.tag {
			return w
		}
	}
	return nil
}

// remember keeps what an early dialog says, for a 2xx that says nothing.
func (g *dialog) remember(v *voice) {
	if g.settled {
		return
	}
	for i, w := range g.early {
		if w.tag == v.tag {
			g.early[i] = v
			return
		}
	}
	if len(g.early) == maxEarly {
		g.early = append(g.early[:0], g.early[1:]...)
	}
	g.early = append(g.early, v)
}

// won: a 2xx of this tag has come.
func (g *dialog) won(tag string) { g.settled, g.winner, g.early = true, tag, nil }

// settle is a 2xx without a description.
func (g *dialog) settle(from media.Leg, tag string) {
	if g.settled {
		return
	}
	said := g.now[from]
	for _, w := range g.early {
		if w.tag == tag {
			said = w
		}
	}
	g.won(tag)
	if said == nil {
		return // the offer is still to come
	}
	final := *said
	final.early = false
	g.now[from] = &final
	if final.answer {
		g.offers[from^1] = nil
	}
}

// changesKind: a line is to become something else, audio or fax.
func (g *dialog) changesKind(now, next *voice) bool {
	if now == nil {
		return false
	}
	for i, l := range next.slots {
		if was := now.slots[i]; l != nil && was != nil && was.kind != l.kind {
			return true
		}
	}
	return false
}

// withdraw takes back the last offer, of one party if from is not negative; false if there is none.
func (g *dialog) withdraw(from int) bool {
	last := -1
	for leg, o := range g.offers {
		if o != nil && (from < 0 || leg == from) && (last < 0 || o.number > g.offers[last].number) {
			last = leg
		}
	}
	if last < 0 {
		return false
	}
	o := g.offers[last]
	g.offers[last], g.held[last] = nil, nil
	g.now[last] = o.was
	if o.answered {
		g.now[last^1] = o.otherWas
	}
	if g.offers[last^1] == nil { // else the other party has made an offer since, which stands on these lines
		g.lines = o.lines
	}
	g.closeSlots(func(i int) bool { return !g.spokenOf(i) })
	g.aim()
	return true
}

// spokenOf: a slot is in something that a party has said and that may count.
func (g *dialog) spokenOf(i int) bool {
	for leg := range g.now {
		if v := g.now[leg]; v != nil && v.slots[i] != nil {
			return true
		}
		if o := g.offers[leg]; o != nil && o.voice.slots[i] != nil {
			return true
		}
	}
	return g.slots[i].told[0] && g.slots[i].told[1] // it was in use once: its ports are the dialog's for good
}

// aim tells the sessions what is in force.
func (g *dialog) aim() {
	for i, s := range g.slots {
		if s == nil {
			continue
		}
		var line [2]*said
		for leg, v := range g.now {
			if v != nil {
				line[leg] = v.slots[i]
			}
		}
		for leg := range line {
			g.tell(s, media.Leg(leg), line[leg], line[leg^1])
		}
	}
}

func (g *dialog) tell(s *slot, leg media.Leg, l, other *said) {
	var r media.Remote
	switch {
	case l != nil:
		r = l.remote(g.now[leg], other)
	case s.told[leg]:
		r = off(s.remote[leg])
	default:
		return
	}
	if s.told[leg] && sameRemote(&r, &s.remote[leg]) {
		return
	}
	if err := s.session.SetRemote(leg, r); err != nil {
		g.relay.counts.unusable.Add(1)
		return
	}
	s.told[leg], s.remote[leg] = true, r
}

func (g *dialog) empty() bool { return g.first() == nil }

func (g *dialog) first() *slot {
	for _, s := range g.slots {
		if s != nil {
			return s
		}
	}
	return nil
}

func (g *dialog) sessions() (list []*media.Session) {
	for _, s := range g.slots {
		if s != nil {
			list = append(list, s.session)
		}
	}
	return list
}

// closeSlots gives ports back.
func (g *dialog) closeSlots(which func(int) bool) {
	for i, s := range g.slots {
		if s != nil && which(i) {
			g.relay.disclaim(s.session)
			s.session.Close()
			g.slots[i] = nil
			for line, at := range g.lines {
				if at == int8(i) {
					g.lines[line] = unplaced
				}
			}
		}
	}
}

// takeUp makes a dialog of a session that the engine found in its journal.
func (r *Relay) takeUp(s *media.Session) {
	k := s.Key()
	if k.Line < 0 || k.Line >= len(lineMap{}) {
		return
	}
	g := r.lock(Key{k.CallID, k.Leg})
	defer g.mu.Unlock()
	if g.slots == nil {
		g.slots, g.lines = make([]*slot, len(lineMap{})), newLineMap()
	}
	g.settled, g.began = true, s.Stats().Opened
	t := &slot{session: s}
	g.slots[k.Line], g.lines[k.Line] = t, int8(k.Line)
	r.claim(s)
	for leg := range g.now {
		remote, told := s.Remote(media.Leg(leg))
		if !told {
			continue
		}
		t.told[leg], t.remote[leg] = true, remote
		if g.now[leg] == nil {
			g.now[leg] = &voice{signalling: remote.Signalling, loose: remote.Loose, early: remote.Early, answer: true}
		}
		g.now[leg].slots[k.Line] = &said{
			kind: remote.Kind, rtp: remote.RTP, rtcp: remote.RTCP, mux: remote.Mux, secure: remote.Secure,
			direction: remote.Direction, payloads: remote.Payloads,
		}
	}
}
