package proxy

import (
	"bytes"
	"time"

	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Session timers (RFC 4028): the interval that a 2xx to INVITE or UPDATE names is one within which the parties refresh their
// call. Where no refresh has passed for two of them, the call has ended without us, and its index entry goes. We neither ask
// for a timer nor refresh or end a call: the parties do.

// minSession is the shortest interval that there is (RFC 4028 section 4).
const minSession = 90 * time.Second

// sessionAge is how long an index entry lasts after a 2xx; 0: no session timer was agreed on.
func sessionAge(m *wire.Message) time.Duration {
	i := m.Find(wire.HSessionExpires)
	if i < 0 {
		return 0
	}
	value, _, _ := bytes.Cut(m.Value(i), []byte{';'})
	n, ok := seconds(value)
	if !ok {
		return 0
	}
	return min(2*max(time.Duration(min(n, int64(dialogAge/time.Second)))*time.Second, minSession), dialogAge)
}

// lasts is how long the entry stays after the last sign of life.
func (d *dialog) lasts() time.Duration {
	if d.age == 0 {
		return dialogAge
	}
	return d.age
}

// negotiated reads what a 2xx says of the session timer. One that says nothing has turned it off.
func (s *shard) negotiated(now int64, r *request, m *wire.Message) {
	if !m.CSeqIs("INVITE") && !m.CSeqIs("UPDATE") {
		return
	}
	d := r.dialog
	if r.hop.inDialog {
		d = s.dialogs[r.hop.dialog]
	}
	if d == nil || d.state != dialogTalking || s.dialogs[d.key] != d {
		return
	}
	age := sessionAge(m)
	if age == d.age && !r.hop.inDialog {
		return
	}
	d.age, d.seen = age, now
	s.wheel.Set(&d.timer, transaction.Time(now).Add(d.lasts()))
}

// expired counts a call that ended without us, and says so in its record: when it was last heard of is all that we know.
func (s *shard) expired(d *dialog) {
	s.edge.count.expired.Add(0, 1)
	if rec := d.record; rec != nil && rec.End == 0 {
		rec.End, rec.Cause = d.seen/1e6, "expired"
		s.edge.records.Put(clone(rec))
	}
}
