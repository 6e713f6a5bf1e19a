package remote

import (
	"bytes"
	"sync"

	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
)

// A Question is a description that a server must be asked about.
type Question struct {
	key   relay.Key
	d     relay.Description // SDP and ContentType are nil
	body  []byte            // its own copy
	part  sdp.Span          // of body: the description
	lines int               // m= lines
}

func (q *Question) text() string { return string(q.part.Of(q.body)) }

// Reply is what became of a Question.
type Reply struct {
	Body    []byte // in place of the one that came, if the verdict is Anchored
	Verdict relay.Verdict
}

var scanned = sync.Pool{New: func() any { return new(sdp.Description) }}

// Describe takes what a party said of itself. If q is nil it is settled: out and v are those of relay.Relay.Describe. Else a
// server must be asked, with Ask; nothing has happened yet.
//
//  1. find the description and read it     2. is there anything to relay?
//  3. was it said before, and nothing since?
func (r *Relay) Describe(dst []byte, k relay.Key, d *relay.Description) (out []byte, v relay.Verdict, q *Question) {
	asIs := func(v relay.Verdict) ([]byte, relay.Verdict, *Question) {
		if v.Outcome == relay.Refused && d.PassRefused {
			v.Outcome = relay.Passed
		}
		return append(dst, d.SDP...), r.counts.counted(v), nil
	}
	passed := relay.Verdict{Outcome: relay.Passed}
	if len(d.SDP) == 0 {
		if d.Stage == relay.Final {
			r.settle(k, d)
		}
		return asIs(passed)
	}
	part, found, fault := d.Part()
	switch {
	case fault != sdp.FaultNone:
		return asIs(relay.Verdict{Outcome: relay.Refused, Fault: fault, Reason: fault.String()})
	case !found:
		return asIs(passed)
	}
	lines, relayable, fault := read(part.Of(d.SDP))
	if fault != sdp.FaultNone {
		return asIs(relay.Verdict{Outcome: relay.Refused, Fault: fault, Reason: fault.String()})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.dialogs[k]
	switch {
	case g == nil && !relayable:
		return asIs(passed)
	case g != nil && (d.Stage != relay.Request && d.Stage != relay.Offer || d.Role == relay.AsAnswer):
		m, lost := g.recall(d, part.Of(d.SDP))
		if m != nil {
			return sdp.Replace(dst, d.SDP, part, m.became), r.counts.counted(relay.Verdict{}), nil
		}
		if lost {
			return asIs(passed)
		}
	}
	q = &Question{key: k, d: *d, body: bytes.Clone(d.SDP), part: part, lines: lines}
	q.d.SDP, q.d.ContentType = nil, nil
	return nil, relay.Verdict{}, q
}

// read says how many lines a description has, and whether one of them can be relayed.
func read(text []byte) (lines int, relayable bool, fault sdp.Fault) {
	x := scanned.Get().(*sdp.Description)
	defer func() { x.Raw = nil; scanned.Put(x) }()
	if fault := x.Scan(text); fault != sdp.FaultNone {
		return 0, false, fault
	}
	for i := range x.Media {
		relayable = relayable || x.Relayable(i)
	}
	return len(x.Media), relayable, sdp.FaultNone
}
