package transaction

// Timer is one deadline of its owner, to be embedded in it: setting it allocates
// nothing. A Timer belongs to one Wheel and must not be copied while armed.
type Timer struct {
	Owner any // for the fire function; set once by the owner

	next, prev *Timer
	tick       uint64 // deadline
	slot       uint16 // 1 + level*slots + index; 0: not armed
}

// Armed says whether t waits in a wheel.
func (t *Timer) Armed() bool { return t.slot != 0 }

// list is a queue of timers in the order of Set.
type list struct{ head, tail *Timer }

func (l *list) push(t *Timer) {
	t.prev, t.next = l.tail, nil
	if l.tail == nil {
		l.head = t
	} else {
		l.tail.next = t
	}
	l.tail = t
}

func (l *list) remove(t *Timer) {
	if t.prev == nil {
		l.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		l.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}
