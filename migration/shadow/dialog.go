package shadow

import (
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// dialog is a dialog of ours with a dark core, an early one included (RFC 3261 section 12): of the agent, which is its caller, or of
// a twin, which is its callee.
type dialog struct {
	m      *machine
	t      *tenant
	dark   *dark
	tape   *tape
	called bool // we are the called side: what we send goes upstream

	mark          string // X-Hotcut-Shadow
	contact       string // URI, at the sink
	callID        string
	local, remote string // name-addr of From and To, without tags
	ourTag, tag   string
	target        string // URI
	routes        []string
	seq, theirSeq uint32
	confirmed     bool
	over          bool
	updates       bool // the other side allows UPDATE
	desc          *sdp // what we described last; nil: nothing yet
	version       int

	inviting bool                // an INVITE of ours within the dialog has no final response
	unacked  map[uint32]*waiting // 2xx of ours to INVITEs, by CSeq
	acks     map[uint32][]byte   // ACKs of ours to 2xx, by CSeq
	session  alarm
	ended    func(theirs bool)          // told once
	pracked  func(r *wire.Message) bool // a PRACK came; false: it acknowledges nothing
	answered func()                     // the ACK of the first INVITE came
	notified func(r *wire.Message)      // a NOTIFY came
}

// waiting is a 2xx of ours that no ACK came for: it is repeated (RFC 3261 section 13.3.1.4).
type waiting struct {
	s     *server
	raw   []byte
	alarm alarm
	every time.Duration
	until int64
}

func (d *dialog) key() string { return d.callID + "\x00" + d.ourTag }

// table enters the dialog; its owner takes it out by close.
func (d *dialog) table() { d.m.dialogs[d.key()] = d }

// close forgets the dialog: nothing is under way in it any more.
func (d *dialog) close() {
	d.over = true
	d.m.stop(&d.session)
	for _, w := range d.unacked {
		d.m.stop(&w.alarm)
	}
	d.unacked = nil
	if d.m.dialogs[d.key()] == d {
		delete(d.m.dialogs, d.key())
	}
}

// build is a request within the dialog.
func (d *dialog) build(method string, seq uint32, branch, extra, kind string, body []byte) []byte {
	b := make([]byte, 0, 1024+len(body))
	b = append(b, method+" "+d.target+" SIP/2.0\r\n"...)
	b = wire.AppendVia(b, "UDP", d.dark.sink.String(), []byte(branch), nil)
	b = append(b, "Max-Forwards: 70\r\n"...)
	for _, r := range d.routes {
		b = append(b, "Route: "+r+"\r\n"...)
	}
	b = append(b, "From: "+d.local+";tag="+d.ourTag+"\r\nTo: "+d.remote...)
	if d.tag != "" {
		b = append(b, ";tag="+d.tag...)
	}
	b = append(b, "\r\nCall-ID: "+d.callID+"\r\nCSeq: "+strconv.FormatUint(uint64(seq), 10)+" "+method+"\r\n"...)
	switch method {
	case "INVITE", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY":
		b = append(b, "Contact: <"+d.contact+">\r\n"...)
	}
	b = append(b, markHeader+": "+d.mark+"\r\n"+extra...)
	if len(body) > 0 {
		b = append(b, "Content-Type: "+kind+"\r\n"...)
	}
	b = append(b, "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	return append(b, body...)
}

// send sends a request within the dialog and keeps it on the tape. on may be nil.
func (d *dialog) send(method, extra, kind string, body []byte, on func(*wire.Message)) bool {
	if d.over && method != "BYE" {
		return false
	}
	d.seq++
	branch := d.m.id.branch()
	raw := d.build(method, d.seq, branch, extra, kind, body)
	seq := d.seq
	if method == "INVITE" {
		d.inviting = true
	}
	bare := len(body) == 0
	_, ok := d.m.request(d.dark, method, branch, raw, func(r *wire.Message) { d.responded(method, seq, bare, r, on) })
	if !ok {
		d.inviting = false
		return false
	}
	d.tape.add(d.m.now, d.called, raw)
	return true
}

// responded takes the response to a request of ours within the dialog; nil: none came. bare: the request had no body.
func (d *dialog) responded(method string, seq uint32, bare bool, r *wire.Message, on func(*wire.Message)) {
	if r == nil || r.Status >= 200 {
		if method == "INVITE" && d.inviting && seq == d.seq {
			d.inviting = false
		}
	}
	switch {
	case r == nil:
	case r.Status == 100:
		return
	case method == "INVITE" && r.Status >= 200 && r.Status < 300:
		if raw, again := d.acks[seq]; again {
			d.m.send(d.dark, d.dark.Addr, raw)
			return
		}
		d.tape.add(d.m.now, !d.called, r.Raw)
		d.retarget(r)
		var body []byte
		kind := ""
		if offer, ok := readSDP(description(r)); ok && bare {
			kind, body = "application/sdp", d.describe(answer(offer, d.desc))
		}
		d.ack(seq, kind, body)
		d.listen(r, true)
	default:
		d.tape.add(d.m.now, !d.called, r.Raw)
		if r.Status < 300 && (method == "UPDATE" || method == "SUBSCRIBE") {
			d.retarget(r)
			d.listen(r, true)
		}
	}
	if on != nil {
		on(r)
	}
	if r == nil && method != "BYE" || r != nil && (r.Status == 481 || r.Status == 408) && method != "BYE" {
		d.bye() // RFC 3261 section 12.2.1.2: the other side has no such dialog, or is gone
	}
}

// ack sends the ACK of a 2xx, and keeps it for the 2xx that come again.
func (d *dialog) ack(seq uint32, kind string, body []byte) {
	raw := d.build("ACK", seq, d.m.id.branch(), "", kind, body)
	if d.acks == nil {
		d.acks = map[uint32][]byte{}
	}
	if len(d.acks) >= maxAcks {
		clear(d.acks)
	}
	d.acks[seq] = raw
	d.m.send(d.dark, d.dark.Addr, raw)
	d.tape.add(d.m.now, d.called, raw)
}

const maxAcks = 16 // of a dialog that are kept: more re-INVITEs than that within 32 s are no call's

// describe is the next description of ours.
func (d *dialog) describe(s *sdp) []byte {
	d.desc = s
	d.version++
	v := d.t.voice
	v.version, v.session = d.version, strconv.FormatUint(uint64(d.dark.sink.Port())+uint64(len(d.callID)), 10)
	return v.describe(s)
}

// retarget takes the remote target of a response or request that may change it (RFC 3261 section 12.2).
func (d *dialog) retarget(r *wire.Message) {
	if uri := firstURI(r, wire.HContact); len(uri) <= maxTarget && usable(uri) {
		d.target = uri
	}
	if lists(r, wire.HAllow, "UPDATE") {
		d.updates = true
	}
}

// usable: a request of ours can have it for its Request-URI, or its Route.
func usable(uri string) bool {
	b := []byte(uri)
	u, ok := wire.ParseURI(b)
	return ok && !u.Host.Empty() && u.Headers.Empty() && strings.EqualFold(string(u.Scheme.Of(b)), "sip")
}

const (
	maxTarget = 1024
	maxRoutes = 16
)

// learn makes the dialog one with the sender of r: its tag, Contact and Record-Route, reversed where we are the caller.
func (d *dialog) learn(r *wire.Message) {
	a := r.To
	if r.Request {
		a = r.From
	}
	d.tag = tagOf(r, a)
	d.routes = d.routes[:0]
	for e := range r.Elems(wire.HRecordRoute) {
		if len(d.routes) == maxRoutes {
			break
		}
		if uri := string(e.URI.Of(r.Raw)); usable(uri) {
			d.routes = append(d.routes, "<"+uri+">")
		}
	}
	if !d.called {
		for i, j := 0, len(d.routes)-1; i < j; i, j = i+1, j-1 {
			d.routes[i], d.routes[j] = d.routes[j], d.routes[i]
		}
	}
	d.retarget(r)
}

// bye hangs up, or says nothing where there is nothing to hang up.
func (d *dialog) bye() {
	if d.over {
		return
	}
	d.over = true
	d.m.stop(&d.session)
	if !d.send("BYE", "", "", nil, func(r *wire.Message) {
		if r == nil || r.Status >= 200 {
			d.close()
		}
	}) {
		d.close()
	}
	d.tell(false)
}

// hangUpBranch acknowledges and ends the dialog that a 2xx of another branch to the same INVITE made, and returns the ACK.
func (d *dialog) hangUpBranch(r *wire.Message) []byte {
	b := &dialog{m: d.m, t: d.t, dark: d.dark, tape: d.tape, mark: d.mark, contact: d.contact, callID: d.callID, local: d.local, remote: d.remote, ourTag: d.ourTag, seq: d.seq}
	b.learn(r)
	b.ack(r.CSeq, "", nil)
	b.bye()
	return b.acks[r.CSeq]
}

func (d *dialog) tell(theirs bool) {
	if f := d.ended; f != nil {
		d.ended = nil
		f(theirs)
	}
}

// request takes a request within the dialog: what a user agent must answer it does, as a call's party would; whether the call
// explains it is seen when the exchange is over.
func (d *dialog) request(s *server, r *wire.Message) {
	method := s.method
	if d.confirmed && tagOf(r, r.From) != d.tag { // of another branch, which was hung up
		d.m.reply(s, r, 481, "Call/Transaction Does Not Exist", "", "", nil)
		return
	}
	d.tape.add(d.m.now, !d.called, r.Raw)
	if d.theirSeq != 0 && r.CSeq < d.theirSeq {
		d.reply(s, r, 500, "Server Internal Error", "", "", nil)
		return
	}
	d.theirSeq = r.CSeq
	if d.over && method != "BYE" {
		d.reply(s, r, 481, "Call/Transaction Does Not Exist", "", "", nil)
		return
	}
	switch method {
	case "BYE":
		d.reply(s, r, 200, "OK", "", "", nil)
		was := d.over
		d.close()
		if !was {
			d.tell(true)
		}
	case "INVITE":
		d.reinvited(s, r)
	case "UPDATE":
		d.retarget(r)
		kind, body := d.respond(r)
		d.reply(s, r, 200, "OK", d.contactLine()+d.listen(r, false), kind, body)
	case "PRACK":
		if d.pracked == nil || !d.pracked(r) {
			d.reply(s, r, 481, "Call/Transaction Does Not Exist", "", "", nil)
			return
		}
		kind, body := d.respond(r)
		d.reply(s, r, 200, "OK", "", kind, body)
	case "INFO", "NOTIFY", "MESSAGE", "OPTIONS":
		d.reply(s, r, 200, "OK", "", "", nil)
		if method == "NOTIFY" && d.notified != nil {
			d.notified(r)
		}
	case "REFER":
		d.reply(s, r, 603, "Decline", "", "", nil)
	case "SUBSCRIBE":
		d.reply(s, r, 489, "Bad Event", "", "", nil)
	default:
		d.reply(s, r, 501, "Not Implemented", "", "", nil)
	}
}

func (d *dialog) contactLine() string { return "Contact: <" + d.contact + ">\r\n" + allowLine }

const allowLine = "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY, OPTIONS\r\n"

// respond is the answer to the offer in a request, "" where it has none.
func (d *dialog) respond(r *wire.Message) (string, []byte) {
	offer, ok := readSDP(description(r))
	if !ok {
		return "", nil
	}
	return "application/sdp", d.describe(answer(offer, d.desc))
}

// reinvited takes an INVITE within the dialog.
func (d *dialog) reinvited(s *server, r *wire.Message) {
	if d.inviting || !d.confirmed {
		d.reply(s, r, 491, "Request Pending", "", "", nil)
		return
	}
	d.retarget(r)
	kind, body := d.respond(r)
	if body == nil && d.desc != nil {
		kind, body = "application/sdp", d.describe(d.desc)
	}
	d.accept(s, r, d.contactLine()+d.listen(r, false), kind, body)
}

// accept answers an INVITE with a 200 that is repeated until its ACK comes.
func (d *dialog) accept(s *server, r *wire.Message, extra, kind string, body []byte) {
	raw := d.reply(s, r, 200, "OK", extra, kind, body)
	if raw == nil {
		return
	}
	w := &waiting{s: s, raw: raw, every: d.m.timing.T1, until: d.m.now + int64(64*d.m.timing.T1)}
	if d.unacked == nil {
		d.unacked = map[uint32]*waiting{}
	}
	d.unacked[r.CSeq] = w
	d.m.after(&w.alarm, w.every, func() { d.repeat(r.CSeq, w) })
}

func (d *dialog) repeat(seq uint32, w *waiting) {
	if d.m.now >= w.until {
		delete(d.unacked, seq)
		d.confirmed = true
		d.bye() // RFC 3261 section 13.3.1.4: no ACK came
		return
	}
	d.m.send(d.dark, w.s.to, w.raw)
	w.every = min(2*w.every, d.m.timing.T2)
	d.m.after(&w.alarm, w.every, func() { d.repeat(seq, w) })
}

// acked takes the ACK of a 2xx.
func (d *dialog) acked(r *wire.Message) {
	w := d.unacked[r.CSeq]
	if w == nil {
		return
	}
	d.m.stop(&w.alarm)
	delete(d.unacked, r.CSeq)
	d.tape.add(d.m.now, !d.called, r.Raw)
	first := !d.confirmed
	d.confirmed = true
	if first && d.answered != nil {
		d.answered()
	}
}

// reply responds within the dialog and keeps the response on the tape.
func (d *dialog) reply(s *server, r *wire.Message, code int, phrase, extra, kind string, body []byte) []byte {
	s.tag = d.ourTag
	raw := d.m.reply(s, r, code, phrase, extra, kind, body)
	d.tape.add(d.m.now, d.called, raw)
	return raw
}
