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
		case TimerFired:
			if due(m.limit, now) {
				return m.end(0)
			}
		}
	case Accepted:
		switch ev {
		case Recv2xx:
			return DoPass
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
		if m.state == Calling {
			m.state = Proceeding
			m.retry, m.limit = 0, 0
		}
		if ev == Recv100 {
			return 0
		}
		m.answered = true
		if m.fuse != 0 { // not once a CANCEL is out: then only a final counts
			m.fuse = now.Add(m.t.C)
		}
		return DoPass
	case Recv2xx:
		return DoPass | m.enter(Accepted, m.t.M, now)
	case RecvFinal:
		return DoPass | DoAck | m.enter(Completed, m.unreliable(m.t.D), now)
	case SendCancel:
		if m.state == Proceeding && m.fuse != 0 {
			m.cancelled(now)
		}
	case TransportError:
		if !m.answered {
			return m.end(DoError)
		}
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
