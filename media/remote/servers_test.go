package remote

import (
	"fmt"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
)

// failed counts the descriptions that passed for a reason.
func failed(r *Relay, why Failure) uint64 { return r.Counters().Failures[why] }

// Whatever a server does, there is one reply in time, and the body goes on as it came.
func TestFailures(t *testing.T) {
	for why, spoil := range map[Failure]func(s *server){
		FailurePorts:   func(s *server) { s.refuse = ng.ErrNoPorts },
		FailureRefused: func(s *server) { s.refuse = ng.Reason("out of patience") },
		FailureUnknown: func(s *server) { s.refuse = ng.ErrUnknownCall },
	} {
		t.Run(why.String(), func(t *testing.T) {
			s := newServer(t, "127.0.0.1:0")
			s.mu.Lock()
			spoil(s)
			s.mu.Unlock()
			r := newRelay(t, 10*time.Second, s)
			if x := say(t, r, out, relay.Offer, "", 1); x.Verdict.Outcome == relay.Anchored || x.Verdict.Reason != why.String() || failed(r, why) != 1 {
				t.Errorf("%+v, counted %d", x, failed(r, why))
			}
			eventually(t, func() bool { return r.Len() == 0 })
		})
	}
	t.Run("own address", func(t *testing.T) {
		s := newServer(t, "127.0.0.1:0")
		s.mu.Lock()
		s.refuse = ng.Reason(ng.RefusedPrefix + "own_address")
		s.mu.Unlock()
		r := newRelay(t, 10*time.Second, s)
		if x := say(t, r, out, relay.Offer, "", 1); x.Verdict.Outcome != relay.Refused || x.Verdict.Reason != "own_address" {
			t.Errorf("%+v", x)
		}
		if x := tell(t, r, &relay.Description{SDP: body(1), From: out, PassRefused: true}); x.Verdict.Outcome != relay.Passed {
			t.Errorf("%+v", x)
		}
	})
}

// A server that is silent costs no more than the wait, and no more wait than may.
func TestSilence(t *testing.T) {
	s := newServer(t, "127.0.0.1:0")
	s.mu.Lock()
	s.slow = make(chan struct{})
	s.mu.Unlock()
	r := newRelay(t, 50*time.Millisecond, s)
	r.o.Questions = 2
	got := make(chan Reply, 3)
	for i := range 3 {
		_, _, q := r.Describe(nil, relay.Key{CallID: fmt.Sprint("call", i), Leg: "1"}, &relay.Description{SDP: body(1), From: out})
		if asked := r.Ask(q, func(x Reply) { got <- x }); asked != (i < 2) {
			t.Errorf("question %d: %v", i, asked)
		}
	}
	for range 2 {
		if x := <-got; x.Verdict.Outcome != relay.Passed || x.Verdict.Reason != FailureSilence.String() {
			t.Errorf("%+v", x)
		}
	}
	if failed(r, FailureSilence) != 2 || failed(r, FailureBusy) != 1 {
		t.Errorf("counted %+v", r.Counters().Failures)
	}
	close(s.slow)
	eventually(t, func() bool { return r.Len() == 0 })
	if len(got) != 0 {
		t.Error("a question had two replies")
	}
}

// SDP that no two readers read alike is refused before a server sees it; what describes nothing passes.
func TestSettledWithoutAServer(t *testing.T) {
	s := newServer(t, "127.0.0.1:0")
	r := newRelay(t, 10*time.Second, s)
	for _, c := range []struct {
		d    relay.Description
		want relay.Outcome
	}{
		{relay.Description{SDP: []byte("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 70000 RTP/AVP 0\r\n")}, relay.Refused},
		{relay.Description{SDP: []byte("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 70000 RTP/AVP 0\r\n"), PassRefused: true}, relay.Passed},
		{relay.Description{SDP: []byte("hello"), ContentType: []byte("text/plain")}, relay.Passed},
		{relay.Description{SDP: []byte("v=0\r\nc=IN IP4 192.0.2.1\r\nm=message 9 TCP/MSRP *\r\n")}, relay.Passed},
		{relay.Description{Stage: relay.Final}, relay.Passed},
	} {
		got, v, q := r.Describe(nil, key, &c.d)
		if q != nil || v.Outcome != c.want || string(got) != string(c.d.SDP) {
			t.Errorf("%q: %+v, question %v", c.d.SDP, v, q)
		}
	}
	if len(s.heard()) != 0 {
		t.Errorf("the server has heard %q", s.heard())
	}
}

// The figures of a call, as far as a server has them.
func TestQuality(t *testing.T) {
	s := newServer(t, "127.0.0.1:0")
	r := newRelay(t, 10*time.Second, s)
	say(t, r, out, relay.Offer, "", 1)
	say(t, r, in, relay.Final, "b", 2)
	q, known := r.Quality(key)
	o, i := &q.Legs[out], &q.Legs[in]
	if !known || o.Packets != 200 || i.Packets != 100 || o.Sent != 100 || i.Sent != 200 || o.Codec != "PCMU" || !o.MOS.Known || o.MOS.Score != 4.3 || o.Loss != 2 ||
		o.Jitter != 7*time.Millisecond || o.MaxJitter != 9*time.Millisecond || o.RoundTrip != 20*time.Millisecond || i.MOS.Known || q.OneWay || q.Lines[0].Legs[out].In.Last.Unix() != 1_700_000_000 {
		t.Errorf("%v %+v", known, q)
	}
	got := make(chan relay.Quality, 1)
	r.End(key, func(q relay.Quality, known bool) {
		if !known {
			t.Error("no figures")
		}
		got <- q
	})
	if q := <-got; q.Legs[out].Packets != 200 {
		t.Errorf("%+v", q)
	}
	if _, known := r.Quality(relay.Key{CallID: "nobody's"}); known {
		t.Error("figures of nobody's call")
	}
}

// After a restart a call is found where it is: its re-INVITE, its answer and its end go there.
func TestFoundAfterARestart(t *testing.T) {
	one, two := newServer(t, "127.0.0.1:0"), newServer(t, "127.0.0.1:0")
	first := newRelay(t, 10*time.Second, one, two)
	say(t, first, out, relay.Offer, "", 1)
	say(t, first, in, relay.Final, "b", 2)
	has, other := one, two
	if len(one.heard()) == 0 {
		has, other = two, one
	}
	again := newRelay(t, 10*time.Second, one, two)
	say(t, again, out, relay.Request, "", 3)
	say(t, again, in, relay.Final, "b", 2)
	third := newRelay(t, 10*time.Second, one, two)
	gone := make(chan bool, 1)
	third.End(key, func(_ relay.Quality, known bool) { gone <- known })
	if !<-gone {
		t.Error("its end was not told")
	}
	if n := len(has.heard()); n != 5 || len(other.heard()) != 0 {
		t.Errorf("one has heard %q, the other %q", has.heard(), other.heard())
	}
}
