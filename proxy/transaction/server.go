package transaction

// server is RFC 3261 section 17.2.2. It never answers on its own (RFC 4320).
func (m *Machine) server(ev Event, now Time) Do {
	switch ev {
	case Retransmission:
		if m.answered {
			return DoResend
		}
	case Send1xx:
		if m.state == Completed {
			return 0
		}
		m.state = Proceeding
		m.answered = true
		return DoSend
	case Send2xx, SendFinal:
		if m.state == Completed {
			return 0
		}
		m.answered = true
		return DoSend | m.enter(Completed, m.unreliable(m.t.J), now)
	case TransportError:
		if m.answered {
			return m.end(DoError)
		}
		// Nothing was sent, so nothing of this transaction failed.
		return DoError
	case TimerFired:
		if !due(m.limit, now) {
			return 0
		}
		if m.state == Completed {
			return m.end(0)
		}
		return m.end(DoTimeout)
	}
	return 0
}
