package shadow

import (
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/wire"
)

// client is a client transaction of ours towards a dark core (RFC 3261 section 17.1).
type client struct {
	dark   *dark
	branch string
	method string
	mach   transaction.Machine
	alarm  alarm
	sent   []byte
	// on is told of each 1xx above 100, of the final response and of each 2xx to an INVITE; nil: there will be none.
	on func(m *wire.Message)
}

const (
	maxClients = 32 << 10
	maxServers = 32 << 10
)

// request sends a request whose topmost Via is ours with this branch. false: the table is full, on will not be told.
func (m *machine) request(dk *dark, method, branch string, raw []byte, on func(*wire.Message)) (*client, bool) {
	if len(m.clients) >= maxClients {
		m.drop(DropTable)
		return nil, false
	}
	kind := transaction.Client
	if method == "INVITE" {
		kind = transaction.InviteClient
	}
	c := &client{dark: dk, branch: branch, method: method, sent: raw, on: on}
	m.clients[branch+method] = c
	m.step(c, c.mach.Init(kind, false, &m.timing, transaction.Time(m.now)), nil)
	return c, true
}

// answer takes a response of a dark core.
func (m *machine) answer(dk *dark, r *wire.Message) {
	c := m.clients[string(r.TopVia.Branch.Of(r.Raw))+string(r.CSeqMethod.Of(r.Raw))]
	if c == nil || c.dark != dk {
		m.drop(DropUnmatched)
		return
	}
	ev := transaction.RecvFinal
	switch {
	case r.Status == 100:
		ev = transaction.Recv100
	case r.Status < 200:
		ev = transaction.Recv1xx
	case r.Status < 300:
		ev = transaction.Recv2xx
	}
	if r.Status == 100 && c.method == "INVITE" && c.on != nil && c.mach.State() == transaction.Calling {
		defer c.on(r) // a CANCEL may have waited for it
	}
	m.step(c, c.mach.Step(ev, transaction.Time(m.now)), r)
}

// step does what the machine of a client says.
func (m *machine) step(c *client, do transaction.Do, r *wire.Message) {
	if do&(transaction.DoSend|transaction.DoResend) != 0 {
		m.send(c.dark, c.dark.Addr, c.sent)
	}
	if do&transaction.DoAck != 0 {
		m.hop(c, "ACK", r.Headers[r.Find(wire.HTo)].Value.Of(r.Raw))
	}
	if do&transaction.DoTimerC != 0 {
		m.cancel(c)
	}
	if do&transaction.DoEnd != 0 {
		m.stop(&c.alarm)
		delete(m.clients, c.branch+c.method)
	} else if next := c.mach.Next(); next != 0 {
		m.when(&c.alarm, int64(next), func() { m.step(c, c.mach.Step(transaction.TimerFired, transaction.Time(m.now)), nil) })
	} else {
		m.stop(&c.alarm)
	}
	switch {
	case c.on == nil:
	case do&transaction.DoPass != 0:
		c.on(r)
	case do&(transaction.DoTimeout|transaction.DoError) != 0:
		c.on(nil)
	}
}

// hop sends the ACK of a failure or the CANCEL of an INVITE of ours, and returns what was sent.
func (m *machine) hop(c *client, method string, to []byte) []byte {
	var inv wire.Message
	if inv.Scan(c.sent, nil) != wire.FaultNone {
		m.drop(DropUnbuilt)
		return nil
	}
	var extra []byte
	if mark, ok := named(&inv, markHeader); ok {
		extra = []byte(markHeader + ": " + mark + "\r\n")
	}
	raw := inv.AppendHop(nil, method, to, extra)
	if method == "ACK" {
		m.send(c.dark, c.dark.Addr, raw)
	}
	return raw
}

// cancel sends a CANCEL of an INVITE that a 1xx came for (RFC 3261 section 9.1), and returns it.
func (m *machine) cancel(c *client) []byte {
	raw := m.hop(c, "CANCEL", nil)
	if raw == nil {
		return nil
	}
	m.step(c, c.mach.Step(transaction.SendCancel, transaction.Time(m.now)), nil)
	m.request(c.dark, "CANCEL", c.branch, raw, nil)
	return raw
}
