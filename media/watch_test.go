package media

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// watching is a session that is looked at once a second, as a thread does, while its parties send or not.
type watching struct {
	t   *testing.T
	s   *Session
	now time.Duration
	got []string
	seq uint16
}

func newWatching(t *testing.T) *watching { return &watching{t: t, s: quiet(), now: time.Second} }

var parties = [2]string{"198.51.100.7:4000", "10.9.0.1:6000"}

func (w *watching) set(change func(leg Leg, r *Remote)) {
	w.t.Helper()
	for leg := range parties {
		r := Remote{RTP: ap(parties[leg])}
		change(Leg(leg), &r)
		if err := w.s.SetRemote(Leg(leg), r); err != nil {
			w.t.Fatal(err)
		}
	}
}

// pass lets seconds go by with the named parties sending.
func (w *watching) pass(seconds int, senders ...Leg) {
	for range seconds {
		w.now += time.Second
		w.seq++
		for _, leg := range senders {
			packet := speech(0, w.seq, 7)
			if a := w.s.legs[leg].aim.Load(); a.remote.Kind == UDPTL {
				packet = []byte{byte(w.seq >> 8), byte(w.seq), 1, 6, 0, 0}
			}
			w.s.route(rtpPort(leg), ap(parties[leg]), packet, w.now)
		}
		w.s.look(w.now, 10*time.Second, func(k EventKind, leg Leg) {
			w.got = append(w.got, fmt.Sprintf("%v %v", k, leg))
		})
	}
}

// want compares what was reported since it was asked last.
func (w *watching) want(events ...string) {
	w.t.Helper()
	if !slices.Equal(w.got, events) {
		w.t.Errorf("reported %q, want %q", w.got, events)
	}
	w.got = nil
}

func TestNoLock(t *testing.T) {
	w := newWatching(t)
	w.pass(60)
	w.want() // nobody has said anything
	w.set(func(leg Leg, r *Remote) { r.Early = leg == Inside })
	w.pass(60)
	w.want() // it rings
	w.set(func(Leg, *Remote) {})
	w.pass(3, Inside)
	w.want()
	w.pass(1, Inside)
	w.want("no_lock outside")
	w.pass(5, Inside)
	w.want() // once
	w.pass(1, Inside, Outside)
	w.want()
}

func TestOneWayAndNoMedia(t *testing.T) {
	w := newWatching(t)
	w.set(func(Leg, *Remote) {})
	w.pass(30, Outside, Inside)
	w.want()
	w.pass(9, Outside)
	w.want()
	w.pass(1, Outside)
	w.want("one_way inside")
	w.pass(30, Outside)
	w.want()
	w.pass(10)
	w.want("no_media outside")
	w.pass(1, Inside)
	w.want("one_way outside")
	w.pass(1, Inside, Outside)
	w.want("media outside")
	w.pass(300, Inside, Outside)
	w.want()
}

// On hold nobody owes anything, and after it the patience begins anew.
func TestHoldIsNoSilence(t *testing.T) {
	w := newWatching(t)
	w.set(func(Leg, *Remote) {})
	w.pass(5, Outside, Inside)
	if err := w.s.Hold(Outside, SendOnly); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Hold(Inside, RecvOnly); err != nil {
		t.Fatal(err)
	}
	w.pass(300, Outside) // music
	w.pass(300)          // no music
	w.set(func(leg Leg, r *Remote) { r.Direction = Inactive })
	w.pass(300)
	w.set(func(leg Leg, r *Remote) {
		if leg == Outside {
			r.RTP = ap("0.0.0.0:4000")
		}
	})
	w.pass(300)
	w.want()
	w.set(func(Leg, *Remote) {})
	w.pass(9, Outside)
	w.want()
	w.pass(2, Outside)
	w.want("one_way inside")
}

// One side of a fax listens for a page at a time.
func TestFaxIsOneWay(t *testing.T) {
	w := newWatching(t)
	w.set(func(_ Leg, r *Remote) { r.Kind = UDPTL })
	w.pass(3, Outside, Inside)
	w.pass(60, Outside)
	w.want()
	w.pass(12)
	w.want("no_media outside")
}
