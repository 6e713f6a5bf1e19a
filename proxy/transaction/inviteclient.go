package transaction

// inviteClient is RFC 3261 section 17.1.1 as changed by RFC 6026, with Timer C of
// RFC 3261 section 16.6 item 11 and 16.8.
func (m *Machine) inviteClient(ev Event, now Time) Do {
	switch m.state {
	case Calling, Proceeding:
		return m.inviteClientOpen(ev, now)
	case Completed:
		switch ev {
		case Recv2xx:
			return DoPass
		case RecvFinal:
			return DoAck
		case TransportError: // our hop ACK
			return m.end(DoError)
		case TimerFired:
			if due(m.limit, now) {
				return m.end(0)
			}
		}
	case Accepted:
		switch ev {
		case Recv2xx:
			return DoPass
		case TransportError:
			return DoError
		case TimerFired:
			if due(m.limit, now) {
				return m.end(0)
			}
		}
	}
	return 0
}

// inviteClientOpen is the time before the first final response.
func (m *Machine) inviteClientOpen(ev Event, now Time) Do {
	switch ev {
	case Recv100, Recv1xx:
		m.answered = true
		if m.state == Calling {
			m.state = Proceeding
			m.retry, m.limit = 0, 0
			if m.fuse == 0 { // abandoned: its owner sends CANCEL now
				m.cancelled(now)
			}
		}
		if ev == Recv100 {
			return 0
		}
		if m.fuse != 0 { // not once a CANCEL is out: then only a final counts
			m.fuse = now.Add(m.t.C)
		}
		return DoPass
	case Recv2xx:
		m.answered = true
		return DoPass | m.enter(Accepted, m.t.M, now)
	case RecvFinal:
		m.answered = true
		return DoPass | DoAck | m.enter(Completed, m.unreliable(m.t.D), now)
	case SendCancel:
		if m.state == Proceeding && m.fuse != 0 {
			m.cancelled(now)
		}
	case TransportError:
		if m.state == Calling {
			return m.end(DoError)
		}
		return DoError
	case TimerFired:
		if due(m.limit, now) {
			return m.end(DoTimeout)
		}
		if due(m.fuse, now) {
			if m.state == Calling {
				return m.end(DoTimeout)
			}
			m.cancelled(now)
			return DoTimerC
		}
		if due(m.retry, now) {
			return m.repeated(0, now)
		}
	}
	return 0
}

// cancelled starts the wait for the final response to a cancelled INVITE (RFC
// 3261 section 9.1).
func (m *Machine) cancelled(now Time) {
	m.fuse = 0
	m.limit = now.Add(64 * m.t.T1)
}

// Abandon keeps an INVITE client that was given up in silence (its Timer B, or a
// transport error) listening for another 64*T1, since its target may have the
// request all the same: it repeats nothing, a first 1xx (State is Proceeding) is the
// moment for a CANCEL, a late 2xx says DoPass. It ends with DoTimeout|DoEnd as
// ever. It does nothing once a response came, nor to another kind.
func (m *Machine) Abandon(now Time) {
	if m.kind != InviteClient || m.state != Calling && !(m.state == Terminated && !m.answered) {
		return
	}
	m.state = Calling
	m.retry = 0
	m.cancelled(now)
}
