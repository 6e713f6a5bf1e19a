package relay

import (
	"net/netip"
	"sync"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/sdp"
)

// Stage is what carried a description.
type Stage uint8

const (
	Offer   Stage = iota // the INVITE that begins a dialog
	Early                // an 18x to an INVITE
	Final                // a 2xx to an INVITE; also one without a description
	Request              // any later request: re-INVITE, UPDATE, PRACK, ACK
	Reply                // a 2xx to an UPDATE or a PRACK: it answers, and settles no fork
)

func (s Stage) response() bool { return s == Early || s == Final || s == Reply }

// Role is what a description is to the other party's.
type Role uint8

const (
	AsSpoken Role = iota // who spoke last says
	AsOffer
	AsAnswer
)

// Description is what a party said of itself, and how to take it. The zero values of the last ones ask for nothing.
type Description struct {
	SDP         []byte // the body; may be empty in a Final. Borrowed
	ContentType []byte // of the body; empty: application/sdp
	From        media.Leg
	Stage       Stage
	Role        Role       // where the caller knows better
	Tag         string     // the To tag, for all that the called party says, early or later; "" for the calling party
	Signalling  netip.Addr // where the message came from; not valid: unknown

	Loose         bool    // media may come from any address
	Trusted       bool    // media comes from the description's address: the one of the signalling is no candidate
	SourceAddress bool    // the addresses in the description are wrong: Signalling is right
	PassRefused   bool    // what would be refused passes as it came
	Origin        bool    // replace the address of o= too
	ICE           sdp.ICE // what happens to ICE lines
	Family        media.Family
	// Family is the address family that the other party is to see. It counts when ports are opened; AnyFamily: IPv4 if its
	// side has it.
}

// Outcome is what became of a description.
type Outcome uint8

const (
	Anchored Outcome = iota // the media goes through us
	Passed                  // no description in the body, or nothing in it to relay, or the dialog's ports could not be had before
	Refused                 // a fault: answer a request with 488. Of a response, the body that came in goes on
	NoPorts                 // all ports or descriptors are in use
	NoFamily                // this relay has no address of the party's family, or of the one asked for

	outcomes
)

var outcomeNames = [...]string{"anchored", "passed", "refused", "no_ports", "no_family"}

// String is the metric label.
func (o Outcome) String() string { return outcomeNames[o] }

// Verdict is what Describe decided.
type Verdict struct {
	Outcome Outcome
	Fault   sdp.Fault // of Refused, and of Passed where a refusal was passed; FaultNone: Reason alone says why
	Reason  string    // in a word: the fault's label, "own_address", "media_loop"; empty when nothing is wrong
}

// Warning is the value of the Warning header that goes with a 488 (RFC 3261 section 20.43); agent is the host that we are
// known by.
func (v Verdict) Warning(agent string) string {
	return `399 ` + agent + ` "session description refused: ` + v.Reason + `"`
}

// Describe takes what a party said of itself and appends to dst what the other party must see. Unless the outcome is
// Anchored that is the body as it came. The first description of a dialog opens its sessions: a dialog whose first
// description was not anchored must not be described again, because its answer would look like the first description.
//
// A description passes through this file from top to bottom:
//
//  1. find it in the body and read it      2. is there anything to relay?
//  3. find its dialog, and its lines' ports 4. refuse what names us wrongly
//  5. remember what the party said          6. aim the sessions
//  7. write it for the other party
func (r *Relay) Describe(dst []byte, k Key, d Description) (out []byte, verdict Verdict) {
	out, verdict = r.describe(dst, k, &d)
	if verdict.Outcome == Refused && d.PassRefused {
		verdict.Outcome = Passed
	}
	r.counts.outcomes[verdict.Outcome].Add(1)
	if verdict.Fault != sdp.FaultNone {
		r.counts.fault(verdict.Fault)
	}
	return out, verdict
}

// scanned are descriptions that keep their memory.
var scanned = sync.Pool{New: func() any { return new(sdp.Description) }}

var applicationSDP = []byte("application/sdp")

// Part is where the description stands in the body, which may have other parts. found: it has one.
func (d *Description) Part() (part sdp.Span, found bool, fault sdp.Fault) {
	kind := d.ContentType
	if len(kind) == 0 {
		kind = applicationSDP
	}
	return sdp.Find(kind, d.SDP)
}

func (r *Relay) describe(dst []byte, k Key, d *Description) ([]byte, Verdict) {
	asIs := func(o Outcome, f sdp.Fault, reason string) ([]byte, Verdict) {
		return append(dst, d.SDP...), Verdict{o, f, reason}
	}
	if len(d.SDP) == 0 {
		if d.Stage == Final {
			r.settle(k, d)
		}
		return asIs(Passed, sdp.FaultNone, "")
	}
	part, found, fault := d.Part()
	switch {
	case fault != sdp.FaultNone:
		return asIs(Refused, fault, fault.String())
	case !found:
		return asIs(Passed, sdp.FaultNone, "")
	}
	x := scanned.Get().(*sdp.Description)
	defer func() { x.Raw = nil; scanned.Put(x) }()
	if fault := x.Scan(part.Of(d.SDP)); fault != sdp.FaultNone {
		return asIs(Refused, fault, fault.String())
	}

	if _, known := r.find(k); !known && !anyRelayable(x) {
		return asIs(Passed, sdp.FaultNone, "")
	}
	g := r.lock(k)
	defer g.mu.Unlock()
	defer func() {
		if g.empty() {
			r.forget(g)
		}
	}()
	place, outcome := g.place(x, d)
	if outcome != Anchored {
		return asIs(outcome, sdp.FaultNone, "")
	}
	v := g.read(x, d, place)
	if why := g.misnames(v, d); why != "" {
		g.unplace(place)
		return asIs(Refused, sdp.FaultNone, why)
	}
	g.note(v, d, place)
	g.aim()
	return sdp.Replace(dst, d.SDP, part, x.Append(nil, g.rewrite(x, d, place, v))), Verdict{}
}

func anyRelayable(x *sdp.Description) bool {
	for i := range x.Media {
		if x.Relayable(i) {
			return true
		}
	}
	return false
}

// settle is a 2xx without a description: its tag wins.
func (r *Relay) settle(k Key, d *Description) {
	g, ok := r.find(k)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.settle(d.From, d.Tag)
		g.aim()
	}
}
