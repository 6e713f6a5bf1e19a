package ng

import (
	"net/netip"
	"time"
)

// Bounds of what is remembered, for each of the two generations.
const (
	answersKept  = 16 << 10
	answersBytes = 16 << 20
	answersAge   = 30 * time.Second // a client repeats for some seconds
)

// answered remembers the answers of the last 30 to 60 seconds by source and cookie, so that a repeated command is not
// carried out again. Two generations: the elder goes when the younger is 30 s old or full. Under a load that fills the younger sooner,
// answers are remembered for a shorter time (16,384 commands: 3 s at 5,000 commands a second).
type answered struct {
	young, old map[answerKey][]byte
	bytes      int       // of young
	since      time.Time // of young
}

type answerKey struct {
	from   netip.AddrPort
	cookie string
}

// find is the answer that was given, if it is remembered.
func (a *answered) find(k answerKey, now time.Time) ([]byte, bool) {
	a.age(now)
	answer, found := a.young[k]
	if !found {
		answer, found = a.old[k]
	}
	return answer, found
}

// keep remembers an answer; the bytes are its own from then on.
func (a *answered) keep(k answerKey, answer []byte, now time.Time) {
	a.age(now)
	size := len(answer) + len(k.cookie)
	if a.young == nil || len(a.young) >= answersKept || a.bytes+size > answersBytes {
		a.turn(now)
	}
	a.young[k] = answer
	a.bytes += size
}

func (a *answered) age(now time.Time) {
	if a.young == nil || now.Sub(a.since) < answersAge {
		return
	}
	if now.Sub(a.since) >= 2*answersAge {
		a.young = nil // it would be the elder, and too old for that
	}
	a.turn(now)
}

func (a *answered) turn(now time.Time) {
	a.old, a.young, a.bytes, a.since = a.young, make(map[answerKey][]byte), 0, now
}
