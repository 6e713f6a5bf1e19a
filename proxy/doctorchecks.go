package proxy

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/admin"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/wire"
)

// The checks of one target, in the order in which they are made; a false of the first ends them.

// checkChallenge asks without credentials, as a phone's first REGISTER does. Where the own listener is let in without a
// word, the listener that phones come by says what they meet.
func (p *patient) checkChallenge(ctx context.Context) bool {
	q := question{by: own, callID: random(8) + "@hotcut"}
	if p.ownListener() < 0 {
		q.by = inside
	}
	r := p.ask(ctx, q)
	if r.ok() && q.by == own {
		q.by = inside
		r = p.ask(ctx, q)
	}
	p.base = r
	switch {
	case r.m == nil:
		p.say("challenge", admin.LevelFail, "look at the target, at the way to "+p.target.addr.String()+" and at its firewall; then run the doctor again",
			"%s to a REGISTER: nothing else was asked of it", r)
		return false
	case r.challenged():
		p.challenge = challengeOf(r.m)
		if len(p.challenge.Realms) == 0 {
			p.say("challenge", admin.LevelFail, "let it ask for Digest", "%s without a Digest challenge", r)
			break
		}
		p.say("challenge", admin.LevelOK, "", "%s, realm %s, %s, qop %s", r, strings.Join(quoted(p.challenge.Realms), ", "),
			strings.Join(p.challenge.Algorithms, ", "), strings.Join(quoted(p.challenge.QOP), ", "))
	case r.ok():
		p.say("challenge", admin.LevelFail, "let it ask for credentials of what comes from "+p.address(inside),
			"%s: a phone's REGISTER is not challenged, so anybody can be anybody", r)
	case p.made && (r.code() == 403 || r.code() == 404):
		p.say("challenge", admin.LevelWarn, "hotcut doctor --user USER@"+p.host, "%s: it does not challenge users that it does not know; name one that it does", r)
	default:
		p.say("challenge", admin.LevelFail, "", "%s to a REGISTER of %s", r, p.uri())
	}
	return true
}

// checkNames: phones write every name that we have into the Request-URI, and either platform must take it for its own.
func (p *patient) checkNames(ctx context.Context) {
	var refused []string
	names := p.edge.current.Load().Names
	for _, name := range names {
		q := question{by: own, uri: "sip:" + name, callID: random(8) + "@hotcut"}
		if p.ownListener() < 0 {
			q.by = inside
		}
		r := p.ask(ctx, q)
		if r.ok() && !p.base.ok() && q.by == own {
			continue // it trusts us, and takes the name
		}
		if r.code() != p.base.code() {
			refused = append(refused, fmt.Sprintf("%s (%s)", name, r))
		}
	}
	switch {
	case len(names) == 0:
		p.say("names", admin.LevelSkip, "", "the configuration lists no names")
	case len(refused) > 0:
		p.say("names", admin.LevelFail, "let it take these names for its own domains, as an alias",
			"a Request-URI with %s is answered otherwise than one with %s (%s)", strings.Join(refused, ", "), p.host, p.base)
	default:
		p.say("names", admin.LevelOK, "", "it takes a Request-URI with each of %s", strings.Join(names, ", "))
	}
}

// checkKeep: does it let REGISTERs of ours in, and only ours?
func (p *patient) checkKeep(ctx context.Context) {
	q := question{by: own, callID: random(8) + "@hotcut", asserted: true}
	switch p.target.keep {
	case keepNone:
		p.say("trust", admin.LevelWarn, "write keep: trust (or digest) for target "+p.target.name,
			"keep: none: phones can not be registered here by us, neither to hand them over at a flip nor to hold the way back open")
		return
	case keepDigest:
		r := p.register(ctx, question{callID: q.callID})
		switch {
		case r.ok():
			p.say("digest", admin.LevelOK, "", "it takes our credentials")
		case p.made:
			p.say("digest", admin.LevelSkip, "hotcut doctor --user USER@"+p.host, "there is no secret for a user that was made up; name one")
		case r.challenged():
			p.say("digest", admin.LevelFail, "look at the line of "+p.user+"@"+p.host+" in the secrets file: user, realm and algorithm must be those of the challenge",
				"%s: no secret of ours fits the challenge, or it is wrong", r)
		default:
			p.say("digest", admin.LevelFail, "", "%s to a REGISTER with our credentials", r)
		}
		return
	}
	switch r := p.ask(ctx, q); {
	case r.why == causeNoTarget && r.m == nil:
		p.say("trust", admin.LevelFail, "add a listener of side own over "+p.target.proto.String(), "no own listener reaches it")
	case r.ok():
		p.say("trust", admin.LevelOK, "", "it takes a REGISTER with P-Asserted-Identity from %s", p.address(own))
	case p.made && (r.code() == 403 || r.code() == 404):
		p.say("trust", admin.LevelSkip, "hotcut doctor --user USER@"+p.host, "%s for a user that was made up; name one that it knows", r)
	default:
		p.say("trust", admin.LevelFail, "let it take REGISTERs with P-Asserted-Identity from "+p.address(own)+" without a challenge, or write keep: digest",
			"%s to a REGISTER of ours: keep: trust can not work", r)
	}
	q.by, q.callID = inside, random(8)+"@hotcut"
	switch r := p.ask(ctx, q); {
	case r.ok():
		p.say("trust_negative", admin.LevelFail, "let it trust "+p.address(own)+" only, by port too where the addresses are the same",
			"it takes the same REGISTER from %s, by which everybody's come: a phone needs no password there", p.address(inside))
	case r.m == nil:
		p.say("trust_negative", admin.LevelFail, "", "%s to a REGISTER from %s", r, p.address(inside))
	default:
		p.say("trust_negative", admin.LevelOK, "", "what comes from %s is still challenged (%s)", p.address(inside), r)
	}
}

// checkWrites registers a test contact under two Call-IDs, then a second one, and takes both away again.
func (p *patient) checkWrites(ctx context.Context) {
	reach := "path"
	if p.target.byContact {
		reach = "contact"
	}
	checks := []string{reach, "two_call_ids", "lists_all"}
	skip := func(fix, why string) {
		for _, c := range checks {
			p.say(c, admin.LevelSkip, fix, "%s", why)
		}
	}
	switch {
	case !p.req.Write:
		skip("hotcut doctor --write", "it needs a test contact to be registered")
		return
	case p.target.keep == keepNone:
		skip("write keep: trust or keep: digest", "keep: none: we can register nothing here")
		return
	}
	l := &p.topo.listeners[p.target.listener]
	one, two := testContact(l), testContact(l)
	path := ""
	if !p.target.byContact {
		var id location.ID
		rand.Read(id[:])
		e := end{kind: endFlow, proto: l.proto, listener: l.hash, addr: l.addr}
		k := &p.edge.keeper
		k.sealing.Lock()
		path = string(k.seal.appendPath(nil, id, p.topo.node, &e, "", l))
		k.sealing.Unlock()
	}
	a, b := random(8)+"@hotcut", random(8)+"@hotcut"
	defer p.cleanUp(ctx, path, [][2]string{{a, one}, {b, one}, {b, two}})
	set := func(callID, contact string) reply {
		return p.register(ctx, question{callID: callID, contact: contact, path: path, expires: testExpires})
	}
	r := set(a, one)
	if !p.judgeReach(reach, r, one) {
		checks = checks[1:]
		skip("", "the test contact was not registered")
		return
	}
	r = set(b, one)
	if !r.ok() {
		checks = checks[1:]
		skip("", fmt.Sprintf("%s to the same contact under a second Call-ID", r))
		return
	}
	p.judgeTwice(timesListed(r.m, one))
	if r = set(b, two); !r.ok() {
		p.say("lists_all", admin.LevelSkip, "", "%s to a second contact: it may allow only one", r)
		return
	}
	p.judgeList(timesListed(r.m, one), timesListed(r.m, two))
}

const testExpires = 60 // seconds: what a doctor that dies leaves behind

// testContact is as long as a Contact of ours, nobody's, and no other doctor's.
func testContact(l *listener) string {
	return "<sip:hotcut-d" + random(4) + "@" + l.reachHost() + ">"
}

func (p *patient) judgeReach(check string, r reply, contact string) bool {
	switch {
	case r.code() == 420:
		p.say(check, admin.LevelFail, "write reach_back: contact for target "+p.target.name, "%s: it does not do Path (RFC 3327), and says so", r)
	case !r.ok() && p.made:
		p.say(check, admin.LevelSkip, "hotcut doctor --write --user USER@"+p.host, "%s for a user that was made up; name one that it knows", r)
	case !r.ok():
		p.say(check, admin.LevelFail, "", "%s to the test contact", r)
	case check == "contact" && timesListed(r.m, contact) == 0:
		p.say(check, admin.LevelFail, "let it keep the Contact as it is (no NAT fix-up of what comes from "+p.address(own)+")",
			"it took the test contact and does not list it as it was written")
	case check == "path" && r.m.Find(wire.HPath) < 0:
		p.say(check, admin.LevelWarn, "call a phone that is registered there; if the call does not come by way of "+p.address(inside)+", write reach_back: contact for target "+p.target.name,
			"it took the test contact but does not repeat the Path (RFC 3327 section 5.3): it may have ignored it")
	default:
		p.say(check, admin.LevelOK, "", "the test contact was taken, with the %s", check)
	}
	return r.ok()
}

func (p *patient) judgeTwice(n int) {
	t := p.target
	switch {
	case n > 1 && t.keep == keepDigest:
		p.say("two_call_ids", admin.LevelFail, "let it match contacts by their URI (Kamailio: usrloc matching_mode 0); else write keep: none, or keep: trust with callid: phone",
			"one contact under two Call-IDs is two contacts to it: every phone would ring twice")
	case n > 1 && !t.phoneCallID:
		p.say("two_call_ids", admin.LevelFail, "write callid: phone for target "+t.name, "one contact under two Call-IDs is two contacts to it: every phone would ring twice")
	case n > 1:
		p.say("two_call_ids", admin.LevelOK, "", "one contact under two Call-IDs is two contacts to it; callid: phone avoids that")
	case t.phoneCallID:
		p.say("two_call_ids", admin.LevelWarn, "leave callid out for target "+t.name, "one contact under two Call-IDs is one to it: callid: phone is not needed, and keeps at the phones' pace only")
	default:
		p.say("two_call_ids", admin.LevelOK, "", "one contact under two Call-IDs is one contact to it")
	}
}

func (p *patient) judgeList(first, second int) {
	t := p.target
	all := first > 0 && second > 0
	switch {
	case all && t.listsAll:
		p.say("lists_all", admin.LevelOK, "", "its 2xx lists every contact")
	case all:
		p.say("lists_all", admin.LevelOK, "write listsAll: true for target "+t.name+", so that a contact which it drops is dropped here too", "its 2xx lists every contact")
	case t.listsAll:
		p.say("lists_all", admin.LevelFail, "write listsAll: false for target "+t.name, "its 2xx does not list every contact: with listsAll, a second phone's REGISTER would end the first one's binding")
	default:
		p.say("lists_all", admin.LevelOK, "", "its 2xx does not list every contact: what is missing there is not taken for gone")
	}
}

// cleanUp takes the test contacts away, also when the time for probing is over.
func (p *patient) cleanUp(ctx context.Context, path string, made [][2]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, x := range made {
		p.register(ctx, question{callID: x[0], contact: x[1], path: path, expires: 0})
	}
}

// timesListed counts a contact in a 2xx. contact is <URI>.
func timesListed(m *wire.Message, contact string) (n int) {
	uri := []byte(strings.Trim(contact, "<>"))
	for e := range m.Elems(wire.HContact) {
		if sameURI(e.URI.Of(m.Raw), uri) {
			n++
		}
	}
	return n
}

func (p *patient) ownListener() int {
	return p.topo.listenerFor(own, p.target.proto, p.target.addr.Addr(), -1)
}

// address is where what leaves by a side seems to come from.
func (p *patient) address(s side) string {
	l := int(p.target.listener)
	if s == own {
		if l = p.ownListener(); l < 0 {
			return "the own listener"
		}
	}
	return p.topo.listeners[l].addr.String()
}
