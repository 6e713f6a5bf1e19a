package record

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// Reasons of Call.Missing beside those that an Exchange brings along.
const (
	MissingRequest  = "no_request"        // the first request is not there, or can not be read
	MissingTooLarge = "too_large"         // more legs or messages than are read
	MissingZone     = "unknown_time_zone" // the profile's opening hours can not be read
)

// Of is the canonical record of an exchange. It never fails: what can not be read or compared is said in Missing. Every
// message is redacted first and read then, so nothing that Redactor.Message leaves out can be in a record, and a record made
// of what was kept is the one that was made at capture. r is the tenant's redactor; nil is for an exchange of redacted
// messages only (what is not redacted then becomes a token that tells nothing apart). p may be nil.
func Of(x *Exchange, p *Profile, r *Redactor) *Call {
	if r == nil {
		r = new(Redactor) // no key: a token of a plain hash could be undone by trying all numbers
	}
	if p == nil {
		p = new(Profile)
	}
	x = r.Exchange(x)
	o := reading{x: x, p: p, r: r, near: r.read(&x.Near)}
	for i := range x.Far {
		o.far = append(o.far, r.read(&x.Far[i]))
	}
	slices.SortStableFunc(o.far, func(a, b *leg) int { return cmp.Compare(a.at, b.at) })
	return o.call()
}

// reading is an exchange half-way to its record.
type reading struct {
	x    *Exchange
	p    *Profile
	r    *Redactor
	near *leg
	far  []*leg
	c    *Call
	from int64 // unix ns: where times begin, the near request that was answered with no challenge
}

func (o *reading) call() *Call {
	x := o.x
	o.c = &Call{
		Side: x.Side, Tenant: x.Tenant, Edge: x.Edge, Build: x.Build, Profile: x.Profile, Rev: x.Rev,
		ID: o.r.CallID(x.CallID), Origin: orOther(parties.word([]byte(x.Near.Party))),
		Notes: slices.Clone(x.Notes), Missing: cmp.Or(x.Unpaired, x.Incomplete),
	}
	o.count()
	if x.LegOnly && len(o.far) == 1 && o.far[0].first != nil {
		o.legOnly()
		return o.c
	}
	if o.near.first == nil {
		o.c.Missing = cmp.Or(o.c.Missing, MissingRequest)
		return o.c
	}
	o.nearLeg()
	o.farLegs()
	o.features()
	return o.c
}

// MethodLeg is the method of a record that shows one far leg, without the call that it belongs to: see Exchange.LegOnly.
const MethodLeg = "LEG"

// legOnly reads what the platform sent out: who is calling, and how it was described. What came of it is the callee's doing.
func (o *reading) legOnly() {
	l := o.far[0]
	o.from = l.at
	o.farLegs()
	f := o.c.Far[0]
	o.c.Method, o.c.At, o.c.Origin, o.c.Outcome = MethodLeg, l.at, f.Party, f.Outcome
	o.c.Caller, o.c.Called = f.Identity.From, f.To
}

// A leg is a Leg whose messages have been redacted and read.
type leg struct {
	*Leg
	at       int64 // unix ns of the first message
	messages []*message
	first    *message // the request that began it, with credentials if it was repeated with them
	initial  []uint32 // CSeq of first and its earlier tries
	broken   int      // messages that do not scan
}

// A message is one that has been redacted and read.
type message struct {
	wire.Message
	at         int64
	upstream   bool
	unexpected bool
}

// read reads the redacted messages of a leg. The request that began it is the last one from the calling side, outside of a dialog,
// of the method of the first such.
func (r *Redactor) read(l *Leg) *leg {
	out := &leg{Leg: l}
	for i := range l.Messages {
		r.pause()
		in := &l.Messages[i]
		m := &message{at: in.At, upstream: in.Upstream, unexpected: in.Unexpected}
		if len(in.Raw) == 0 || m.Scan(in.Raw, nil) != wire.FaultNone {
			out.broken++
			continue
		}
		if len(out.messages) == 0 {
			out.at = in.At
		}
		out.messages = append(out.messages, m)
		begins := m.Request && !m.upstream && m.To.Tag.Empty() && !m.Is("CANCEL") && !m.Is("ACK")
		if begins && (out.first == nil || string(m.Method.Of(m.Raw)) == out.first.method()) {
			out.first = m
			out.initial = append(out.initial, m.CSeq)
		}
	}
	return out
}

// method is the method of a request, or what a response answers.
func (m *message) method() string {
	if m.Request {
		return string(m.Method.Of(m.Raw))
	}
	return string(m.CSeqMethod.Of(m.Raw))
}

// values are the elements of a field, params included.
func (m *message) values(id wire.HeaderID) []string {
	var all []string
	for e := range m.Elems(id) {
		all = append(all, string(e.Whole.Of(m.Raw)))
	}
	return all
}

// value is a field's first value, or "".
func (m *message) value(id wire.HeaderID) string {
	if i := m.Find(id); i >= 0 {
		return string(m.Value(i))
	}
	return ""
}

// number is a field's leading number, or 0.
func (m *message) number(id wire.HeaderID) int {
	n, _ := seconds([]byte(m.value(id)))
	return n
}

// sdp is the description in the body, nil if there is none.
func (m *message) sdp() *SDP {
	if m.value(wire.HContentType) != "application/sdp" || m.Body.Empty() {
		return nil
	}
	d := readSDP(m.Body.Of(m.Raw))
	return &d.SDP
}

// addresses are those of a field, in order.
func (m *message) addresses(r *Redactor, id wire.HeaderID) []Address {
	var all []Address
	for e := range m.Elems(id) {
		if !e.URI.Empty() {
			all = append(all, r.Address(string(e.URI.Of(m.Raw))))
		}
	}
	return all
}

// responses are those to the request that began the leg.
func (l *leg) responses() []*message { return l.responsesTo(l.first.CSeq) }

// responsesTo are those to one try, or to any of these tries.
func (l *leg) responsesTo(tries ...uint32) []*message {
	var all []*message
	for _, m := range l.messages {
		if !m.Request && m.upstream && m.method() == l.first.method() && slices.Contains(tries, m.CSeq) {
			all = append(all, m)
		}
	}
	return all
}

// outcome is that of the first 2xx, else of the last final response.
func (l *leg) outcome(p *Profile) (Outcome, *message) {
	var final *message
	cancelled := false
	for _, m := range l.messages {
		cancelled = cancelled || m.Request && !m.upstream && m.Is("CANCEL")
	}
	for _, m := range l.responses() {
		if m.Status >= 200 && (final == nil || final.Status >= 300) {
			final = m
		}
	}
	if final == nil {
		return Outcome{Class: class(0, cancelled)}, nil
	}
	return Outcome{Class: p.class(final.Status, cancelled), Code: final.Status}, final
}

// waited is how long the twin held the platform's legs before a moment: overlapping waits count once.
func (o *reading) waited(until int64) time.Duration {
	var total, end int64
	for _, l := range o.far { // by when they began
		from, to := max(l.at, end), min(l.at+int64(l.Held), until)
		if l.Held > 0 && to > from {
			total += to - from
			end = to
		}
	}
	return time.Duration(total)
}

// since is the time of a message on the platform's account: 1 ns if it is none, for 0 says "never".
func (o *reading) since(at int64) time.Duration {
	return max(1, time.Duration(at-o.from)-o.waited(at))
}

// set sorts a list and takes out doubles.
func set[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

// lowered are strings in lower case.
func lowered(list []string) []string {
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
	return list
}
