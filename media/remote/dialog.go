package remote

import (
	"context"
	"net/netip"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
)

// dialog is what both parties have said, and which server knows it. The rules are those of media/relay; here they only say
// which command follows, and what a server must be told again.
type dialog struct {
	// Set once.
	relay *Relay
	key   relay.Key

	// Guarded by relay.mu.
	jobs    []func(*dialog)
	busy    bool
	heard   [2][]memo // what servers made of a party's descriptions: the newest, or one for each early dialog
	settled bool      // a 2xx has come
	winner  string    // its tag
	open    [2]bool   // by party: offers has one

	// Of the jobs alone.
	server netip.AddrPort // not valid: no server has it
	first  string         // tag of the party whose offer placed it there; empty: it was found
	began  time.Time
	now    [2]*voice // in force, by party
	offers [2]*offer // not yet answered for good
}

// voice is a description that a server has taken.
type voice struct {
	text, became string
	tag          string
	d            relay.Description
}

// memo is what a server made of a description.
type memo struct {
	tag, text string
	became    []byte
	newest    bool // in force
}

// offer remembers what was in force before it.
type offer struct {
	was      *voice // the party's
	response bool   // it came in a response, so that a request answers it

	answered bool   // by an 18x
	otherWas *voice // the other party's before that answer
}

const maxEarly = 16 // early dialogs whose descriptions are remembered

// recall is what became of a description that a response or an ACK repeats. lost: it is of a branch that has lost, and
// changes nothing. Called under relay.mu.
func (g *dialog) recall(d *relay.Description, text []byte) (m *memo, lost bool) {
	lost = d.Tag != "" && g.settled && g.winner != "" && d.Tag != g.winner
	for i := range g.heard[d.From] {
		m := &g.heard[d.From][i]
		if m.tag != d.Tag || m.text != string(text) {
			continue
		}
		// Of an early dialog it is no newer for being repeated; else an offer that waits for it may have changed something.
		if lost || d.Stage == relay.Early || m.newest && !g.open[d.From^1] {
			return m, lost
		}
	}
	return nil, lost
}

// take gives a question to a server, in its role.
func (g *dialog) take(ctx context.Context, q *Question) (became string, err error) {
	from, other := q.d.From, q.d.From^1
	asked := g.offers[other]
	answers := asked != nil && (response(&q.d) || asked.response)
	if q.d.Role != relay.AsSpoken {
		answers = q.d.Role == relay.AsAnswer
	}
	v := &voice{text: q.text(), tag: q.d.Tag, d: q.d}
	if answers {
		err = g.answer(ctx, v, q.lines)
	} else {
		err = g.offer(ctx, v, q.lines)
	}
	if err != nil {
		return "", err
	}
	if q.d.Tag != "" && q.d.Stage == relay.Final {
		g.win(q.d.Tag)
	}
	switch {
	case !answers:
		g.propose(from, &offer{was: g.now[from], response: response(&q.d)})
	case asked != nil && !asked.answered:
		asked.answered, asked.otherWas = true, g.now[from]
	}
	if answers && q.d.Stage != relay.Early {
		g.propose(other, nil)
	}
	g.now[from] = v
	g.remember(v)
	return v.became, nil
}

// response: it came in one.
func response(d *relay.Description) bool {
	return d.Stage == relay.Early || d.Stage == relay.Final || d.Stage == relay.Reply
}

// propose notes the offer of a party; nil: there is none any more.
func (g *dialog) propose(leg media.Leg, o *offer) {
	g.relay.mu.Lock()
	defer g.relay.mu.Unlock()
	g.offers[leg], g.open[leg] = o, o != nil
}

// win: a 2xx of this tag has come. The first one counts.
func (g *dialog) win(tag string) {
	g.relay.mu.Lock()
	defer g.relay.mu.Unlock()
	if !g.settled {
		g.settled, g.winner = true, tag
	}
}

// remember notes that v is in force.
func (g *dialog) remember(v *voice) {
	g.relay.mu.Lock()
	defer g.relay.mu.Unlock()
	list := g.heard[v.d.From]
	keep := list[:0]
	for _, m := range list {
		if m.newest = false; m.tag != v.tag && !g.settled {
			keep = append(keep, m)
		}
	}
	if len(keep) == maxEarly {
		keep = append(keep[:0], keep[1:]...)
	}
	g.heard[v.d.From] = append(keep, memo{v.tag, v.text, []byte(v.became), true})
}

// settle is a 2xx without a description: what its tag has said counts, and a server must hear it again if another has spoken
// since.
func (g *dialog) settle(ctx context.Context, from media.Leg, tag string) {
	r := g.relay
	r.mu.Lock()
	first := !g.settled
	if first {
		g.settled, g.winner = true, tag
	}
	var again *memo
	for _, m := range g.heard[from] {
		if m.tag == tag && !m.newest {
			again = &m
		}
	}
	r.mu.Unlock()
	if !first || g.now[from] == nil {
		return
	}
	if again != nil {
		v := &voice{text: again.text, became: string(again.became), tag: tag, d: g.now[from].d}
		v.d.Tag = tag
		if g.answer(ctx, v, 0) == nil {
			g.now[from] = v
			g.remember(v)
		}
	}
	g.propose(from^1, nil)
}

// withdraw takes back an offer: the server hears once more what was in force before it.
func (g *dialog) withdraw(ctx context.Context, from media.Leg) {
	o := g.offers[from]
	if o == nil {
		return
	}
	other := from ^ 1
	g.propose(from, nil)
	g.relay.counts.withdrawn.Add(1)
	if o.answered {
		g.now[other] = o.otherWas
	}
	g.now[from] = o.was
	for _, leg := range []media.Leg{from, other} {
		v := g.now[leg]
		if v == nil {
			return // it had said nothing before
		}
		if leg == from {
			if g.say(ctx, v) != nil {
				return
			}
		} else if g.answer(ctx, v, 0) != nil {
			return
		}
		g.remember(v)
	}
}
