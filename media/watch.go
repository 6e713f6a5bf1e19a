package media

import "time"

// EventKind is what happened to a session.
type EventKind uint8

const (
	EventNoLock  EventKind = iota + 1 // the party of Leg owes media for 3 s and no address of it has proved itself
	EventOneWay                       // the party of Leg owes media and was silent for Options.Silence; the other is heard
	EventNoMedia                      // both owe media and both were silent for Options.Silence
	EventMedia                        // media is back after one of the two above
	EventClosed                       // the session has ended; Final has its figures
)

var eventNames = [...]string{EventNoLock: "no_lock", EventOneWay: "one_way", EventNoMedia: "no_media", EventMedia: "media", EventClosed: "closed"}

// String is the metric label.
func (k EventKind) String() string { return eventNames[k] }

// Event is something that a call record or a guard wants to know. Events report; they hang up nothing.
type Event struct {
	Kind  EventKind
	Key   SessionKey
	Leg   Leg // of EventNoLock and EventOneWay: whose party is not heard
	At    time.Time
	Final *Stats // of EventClosed
}

const lockGrace = 3 * time.Second

// watch remembers what was reported of a session. Only the session's thread touches it.
type watch struct {
	owes   [2]bool // the party owes media
	since  [2]time.Duration
	noLock [2]bool // reported
	state  EventKind
}

// look compares a session with what it owes, once a second, and reports what changed.
func (s *Session) look(now, patience time.Duration, report func(EventKind, Leg)) {
	w := &s.watch
	a := [2]*aim{s.legs[Outside].aim.Load(), s.legs[Inside].aim.Load()}
	var silent [2]bool
	for i := range a {
		owes := owesMedia(a[i], a[i^1])
		if owes && !w.owes[i] {
			w.since[i] = now
		}
		w.owes[i] = owes
		if !owes || a[i].locked {
			w.noLock[i] = false
		} else if now-w.since[i] >= lockGrace && !w.noLock[i] {
			w.noLock[i] = true
			report(EventNoLock, Leg(i))
		}
		heard := w.since[i]
		if t := &s.legs[i].in; t.packets > 0 {
			heard = max(heard, t.last)
		}
		silent[i] = owes && now-heard >= patience
	}
	state, leg := EventKind(0), Outside
	switch fax := a[0].remote.Kind == UDPTL || a[1].remote.Kind == UDPTL; {
	case !w.owes[0] || !w.owes[1]:
	case silent[0] && silent[1]:
		state = EventNoMedia
	case fax: // one side of a fax is silent for a page at a time
	case silent[0]:
		state = EventOneWay
	case silent[1]:
		state, leg = EventOneWay, Inside
	}
	if state == w.state {
		return
	}
	w.state = state
	if state == 0 {
		state = EventMedia
	}
	report(state, leg)
}

// owesMedia says whether a party has agreed to send and the other one to listen.
func owesMedia(party, other *aim) bool {
	if !party.remote.RTP.IsValid() || !other.remote.RTP.IsValid() || party.remote.Early || other.remote.Early {
		return false
	}
	listens := other.remote.Direction == SendRecv || other.remote.Direction == RecvOnly
	return party.remote.Direction.Sends() && listens && !party.remote.held() && !other.remote.held()
}
