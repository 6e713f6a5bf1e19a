package transaction

import "time"

// Machine is one transaction. It is a plain value without a lock: its owner's
// shard lock guards it. The zero Machine does nothing until Init.
type Machine struct {
	t *Timers // shared, never written

	// Deadlines; 0 is off.
	retry Time // Timer A, E or G
	limit Time // the timer that ends this state: B D F H I J K L M, or the wait after CANCEL
	fuse  Time // Timer C

	wait     time.Duration // interval of retry
	kind     Kind
	state    State
	reliable bool
	answered bool // server: there is a last response to send again; INVITE client: it rings (101-199)
}

// Init starts m at now. A client says DoSend: send the request. reliable is
// whether the transport is (TCP, TLS, WS, WSS). t is kept and must not change.
func (m *Machine) Init(k Kind, reliable bool, t *Timers, now Time) Do {
	*m = Machine{t: t, kind: k, reliable: reliable}
	switch k {
	case InviteServer:
		m.state = Proceeding
	case Server:
		m.state = Trying
		m.limit = now.Add(t.F + t.T4)
	case InviteClient:
		m.state = Calling
		m.limit = now.Add(t.B)
		m.fuse = now.Add(t.C)
		m.repeat(now)
		return DoSend
	case Client:
		m.state = Trying
		m.limit = now.Add(t.F)
		m.repeat(now)
		return DoSend
	}
	return 0
}

// Step takes one event and says what to do about it.
func (m *Machine) Step(ev Event, now Time) Do {
	if m.state == 0 || m.state == Terminated {
		return 0
	}
	switch m.kind {
	case InviteServer:
		return m.inviteServer(ev, now)
	case Server:
		return m.server(ev, now)
	case InviteClient:
		return m.inviteClient(ev, now)
	case Client:
		return m.client(ev, now)
	}
	return 0
}

// Next returns the earliest deadline, at which a TimerFired event is due; 0: none.
func (m *Machine) Next() Time { return earlier(m.retry, earlier(m.limit, m.fuse)) }

// State returns where m stands.
func (m *Machine) State() State { return m.state }

// Kind returns what Init said.
func (m *Machine) Kind() Kind { return m.kind }

// enter moves to a state that lasts for d, with no timer but that; a d of 0 is
// the reliable transports' "zero seconds": the state ends where it begins.
func (m *Machine) enter(s State, d time.Duration, now Time) Do {
	m.retry, m.limit, m.fuse = 0, 0, 0
	if d <= 0 {
		m.state = Terminated
		return DoEnd
	}
	m.state = s
	m.limit = now.Add(d)
	return 0
}

// end terminates m.
func (m *Machine) end(why Do) Do { return why | m.enter(Terminated, 0, 0) }

// unreliable is d, or 0 over a transport that repeats nothing.
func (m *Machine) unreliable(d time.Duration) time.Duration {
	if m.reliable {
		return 0
	}
	return d
}

// repeat starts the retransmissions at T1.
func (m *Machine) repeat(now Time) {
	if m.reliable {
		return
	}
	m.wait = m.t.T1
	m.retry = now.Add(m.wait)
}

// repeated is called when retry has come: the next interval doubles up to most
// (0: without end). The schedule follows the deadlines and not the ticks that
// served them, unless a stall made it miss more than one.
func (m *Machine) repeated(most time.Duration, now Time) Do {
	m.wait *= 2
	if most > 0 {
		m.wait = min(m.wait, most)
	}
	m.retry = m.retry.Add(m.wait)
	if m.retry <= now {
		m.retry = now.Add(m.wait)
	}
	return DoResend
}

// due says whether a deadline has come.
func due(t, now Time) bool { return t != 0 && t <= now }
