package transaction

// inviteServer is RFC 3261 section 17.2.1 as changed by RFC 6026 section 7.1.
func (m *Machine) inviteServer(ev Event, now Time) Do {
	if ev == TransportError {
		// RFC 6026 section 7.1: the state stays; the timers end it.
		return DoError
	}
	switch m.state {
	case Proceeding:
		switch ev {
		case Retransmission:
			if m.answered {
				return DoResend
			}
		case Send1xx:
			m.answered = true
			return DoSend
		case Send2xx:
			return DoSend | m.enter(Accepted, m.t.L, now)
		case SendFinal:
			m.enter(Completed, m.t.H, now)
			m.repeat(now)
			return DoSend
		}
	case Completed:
		switch ev {
		case Retransmission:
			return DoResend
		case Ack:
			return m.enter(Confirmed, m.unreliable(m.t.I), now)
		case Send2xx:
			return DoSend
		case TimerFired:
			if due(m.limit, now) {
				return m.end(DoTimeout)
			}
			if due(m.retry, now) {
				return m.repeated(m.t.T2, now)
			}
		}
	case Confirmed:
		switch ev {
		case Send2xx:
			return DoSend
		case TimerFired:
			if due(m.limit, now) {
				return m.end(0)
			}
		}
	case Accepted:
		switch ev {
		case Ack:
			return DoPass
		case Send2xx:
			return DoSend
		case TimerFired:
			if due(m.limit, now) {
				return m.end(0)
			}
		}
	}
	return 0
}
