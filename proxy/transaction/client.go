package transaction

// client is RFC 3261 section 17.1.2.
func (m *Machine) client(ev Event, now Time) Do {
	if m.state == Completed {
		if ev == TimerFired && due(m.limit, now) {
			return m.end(0)
		}
		return 0
	}
	switch ev {
	case Recv100:
		m.state = Proceeding
	case Recv1xx:
		m.state = Proceeding
		return DoPass
	case Recv2xx, RecvFinal:
		return DoPass | m.enter(Completed, m.unreliable(m.t.K), now)
	case TransportError:
		return m.end(DoError)
	case TimerFired:
		if due(m.limit, now) {
			return m.end(DoTimeout)
		}
		if due(m.retry, now) {
			if m.state == Proceeding { // from here each interval is T2
				m.wait = m.t.T2
			}
			return m.repeated(m.t.T2, now)
		}
	}
	return 0
}
