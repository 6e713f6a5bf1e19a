package shadow

import (
	"net/netip"
	"strconv"

	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/wire"
)

// server is a server transaction of ours: a request of a dark core (RFC 3261 section 17.2).
type server struct {
	dark   *dark
	to     netip.AddrPort
	key    string
	method string
	mach   transaction.Machine
	alarm  alarm
	req    []byte
	last   []byte
	twin   *twin // of an INVITE to the sink
	tag    string
	done   bool // a final response was given
}

// serverKey is what a request and its retransmissions have in common, and the INVITE with its CANCEL and hop ACK (RFC 3261
// section 17.2.3).
func serverKey(r *wire.Message, method string) string {
	return string(r.TopVia.Branch.Of(r.Raw)) + "\x00" + string(r.TopVia.Host.Of(r.Raw)) + ":" + strconv.Itoa(int(r.TopVia.Port)) + "\x00" + method
}

// asked takes a request of a dark core.
func (m *machine) asked(dk *dark, src netip.AddrPort, r *wire.Message) {
	method := string(r.Method.Of(r.Raw))
	switch method {
	case "ACK":
		if d := m.dialogs[dialogKey(r, r.To)]; d != nil && d.unacked[r.CSeq] != nil {
			d.acked(r)
		} else if s := m.servers[serverKey(r, "INVITE")]; s != nil {
			m.run(s, s.mach.Step(transaction.Ack, transaction.Time(m.now)))
		} else if d == nil {
			m.drop(DropUnmatched)
		}
		return
	case "CANCEL":
		m.cancelled(dk, src, r)
		return
	}
	if s := m.servers[serverKey(r, method)]; s != nil {
		m.run(s, s.mach.Step(transaction.Retransmission, transaction.Time(m.now)))
		return
	}
	if len(m.servers) >= maxServers {
		m.drop(DropTable)
		return
	}
	s := m.serve(dk, src, r, method)
	switch {
	case tagOf(r, r.To) == "":
		m.sink(s, r)
	default:
		d := m.dialogs[dialogKey(r, r.To)]
		if d == nil {
			m.reply(s, r, 481, "Call/Transaction Does Not Exist", "", "", nil)
			return
		}
		d.request(s, r)
	}
}

// serve starts the transaction of a request.
func (m *machine) serve(dk *dark, src netip.AddrPort, r *wire.Message, method string) *server {
	kind := transaction.Server
	if method == "INVITE" {
		kind = transaction.InviteServer
	}
	s := &server{dark: dk, to: replyTo(src, r), key: serverKey(r, method), method: method, req: append([]byte(nil), r.Raw...), tag: m.id.fresh("tag")}
	r.Stamped(src, true)
	m.servers[s.key] = s
	m.run(s, s.mach.Init(kind, false, &m.timing, transaction.Time(m.now)))
	return s
}

// ignore forgets a request without an answer: it comes again, and may find room then. An answer would be repeated ten times.
func (m *machine) ignore(s *server) {
	m.stop(&s.alarm)
	delete(m.servers, s.key)
}

// replyTo is where the responses to a request go: its source's address, and its source's port if it asked for that, else the
// one in its Via (RFC 3581 section 4, RFC 3261 section 18.2.2). maddr and names in a Via are not followed.
func replyTo(src netip.AddrPort, r *wire.Message) netip.AddrPort {
	if r.TopVia.RPort {
		return src
	}
	port := r.TopVia.Port
	if port == 0 {
		port = 5060
	}
	return netip.AddrPortFrom(src.Addr(), port)
}

// run does what the machine of a server says.
func (m *machine) run(s *server, do transaction.Do) {
	if do&(transaction.DoSend|transaction.DoResend) != 0 && s.last != nil {
		m.send(s.dark, s.to, s.last)
	}
	if do&transaction.DoEnd != 0 {
		m.stop(&s.alarm)
		delete(m.servers, s.key)
		return
	}
	if next := s.mach.Next(); next != 0 {
		m.when(&s.alarm, int64(next), func() { m.run(s, s.mach.Step(transaction.TimerFired, transaction.Time(m.now))) })
	} else {
		m.stop(&s.alarm)
	}
}

// reply gives a response to a request and returns it. extra is whole header lines; nil is returned where a final one was given
// before.
func (m *machine) reply(s *server, r *wire.Message, code int, phrase, extra, kind string, body []byte) []byte {
	if s.done {
		return nil
	}
	raw := r.AppendResponse(nil, code, phrase, []byte(s.tag), []byte(extra))
	if len(body) > 0 {
		raw = withBody(raw, kind, body)
	}
	s.last = raw
	ev := transaction.SendFinal
	switch {
	case code < 200:
		ev = transaction.Send1xx
	case code < 300:
		ev = transaction.Send2xx
		s.done = true
	default:
		s.done = true
	}
	m.run(s, s.mach.Step(ev, transaction.Time(m.now)))
	return raw
}

// withBody gives a message that ends in "Content-Length: 0" a body.
func withBody(raw []byte, kind string, body []byte) []byte {
	const empty = "Content-Length: 0\r\n\r\n"
	raw = raw[:len(raw)-len(empty)]
	raw = append(raw, "Content-Type: "+kind+"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	return append(raw, body...)
}

// cancelled takes a CANCEL: 200 to it, 487 to what it cancels (RFC 3261 section 9.2).
func (m *machine) cancelled(dk *dark, src netip.AddrPort, r *wire.Message) {
	inv := m.servers[serverKey(r, "INVITE")]
	if s := m.servers[serverKey(r, "CANCEL")]; s != nil {
		m.run(s, s.mach.Step(transaction.Retransmission, transaction.Time(m.now)))
		return
	}
	if len(m.servers) >= maxServers {
		m.drop(DropTable)
		return
	}
	s := m.serve(dk, src, r, "CANCEL")
	if inv == nil {
		m.reply(s, r, 481, "Call/Transaction Does Not Exist", "", "", nil)
		return
	}
	s.tag = inv.tag
	m.reply(s, r, 200, "OK", "", "", nil)
	if inv.twin != nil {
		inv.twin.cancelled(r)
	}
}

// again scans the request of a server transaction, for a response that comes later.
func (s *server) again(to *wire.Message) bool {
	if to.Scan(s.req, nil) != wire.FaultNone {
		return false
	}
	to.Stamped(s.to, true)
	return true
}

func dialogKey(r *wire.Message, ours wire.NameAddr) string {
	return string(r.CallID.Of(r.Raw)) + "\x00" + tagOf(r, ours)
}
