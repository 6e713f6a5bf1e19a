package remote

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an NG server that writes down what it is told, and rewrites every c= to an address of its own.
type server struct {
	*ng.Server
	stop func()

	mu     sync.Mutex // guards what follows
	said   []string
	calls  map[string]bool
	refuse error         // what every offer and answer gets
	slow   chan struct{} // not nil: an offer and an answer wait for it
}

func newServer(t *testing.T, addr string) *server {
	t.Helper()
	s := &server{calls: map[string]bool{}}
	var err error
	s.Server, err = ng.NewServer(ng.ServerConfig{Listen: netip.MustParseAddrPort(addr)}, ng.Handler{
		Offer: s.take, Answer: s.take, Query: s.query, Delete: s.query, List: s.query, Statistics: s.query,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *server) take(q ng.Request) (ng.Response, error) {
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	if slow != nil {
		<-slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return ng.Response{}, s.refuse
	}
	if q.Command == ng.Answer && !s.calls[q.CallID] {
		return ng.Response{}, ng.ErrUnknownCall
	}
	s.calls[q.CallID] = true
	_, port, _ := strings.Cut(q.SDP, "m=audio ")
	port, _, _ = strings.Cut(port, " ")
	s.said = append(s.said, strings.TrimRight(fmt.Sprintf("%s %s>%s %s %s", q.Command, q.FromTag, q.ToTag, port, strings.Join(q.Flags.Direction[:], ">")), " >"))
	return ng.Response{SDP: strings.Replace(q.SDP, "192.0.2.", "198.51.100.", 1)}, nil
}

func (s *server) query(q ng.Request) (ng.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.calls[q.CallID] {
		return ng.Response{}, ng.ErrUnknownCall
	}
	if q.Command == ng.Delete {
		delete(s.calls, q.CallID)
		s.said = append(s.said, "delete")
	}
	return ng.Response{Report: report()}, nil
}

// report is what a server says of a call in which 200 packets came from outside and 100 from inside.
func report() *ng.Report {
	tag := func(name string, packets int64, ssrc uint32) ng.Tag {
		return ng.Tag{Name: name, Medias: []ng.Media{{Index: 1, Type: "audio", Codec: "PCMU/8000", Streams: []ng.Stream{{
			Endpoint: netip.MustParseAddrPort("192.0.2.9:4000"), SSRC: ssrc, LastPacket: time.Unix(1_700_000_000, 0), Counters: ng.Counters{Packets: packets, Bytes: packets * 172},
		}}}}}
	}
	return &ng.Report{Tags: []ng.Tag{tag("inside", 100, 2), tag("outside", 200, 1)}, SSRC: []ng.Quality{
		{SSRC: 1, Average: ng.QualityPoint{MOS: 43, Jitter: 7, PacketLoss: 2, RoundTripLeg: 20_000, Samples: 3}, Lowest: ng.QualityPoint{MOS: 40, Jitter: 9}},
	}}
}

// heard is what it was told, all of it.
func (s *server) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said)
}

// newRelay drives the servers.
func newRelay(t *testing.T, wait time.Duration, servers ...*server) *Relay {
	t.Helper()
	o := Options{Interfaces: [2]string{"pub", "priv"}, Wait: wait, Ping: 20 * time.Millisecond}
	for _, s := range servers {
		o.Servers = append(o.Servers, s.Addr())
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

var key = relay.Key{CallID: "call", Leg: "7"}

func body(port int) []byte {
	return fmt.Appendf(nil, "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio %d RTP/AVP 0\r\n", port)
}

// say tells r what a party says and waits for what becomes of it.
func say(t *testing.T, r *Relay, from media.Leg, stage relay.Stage, tag string, port int) Reply {
	t.Helper()
	d := &relay.Description{From: from, Stage: stage, Tag: tag}
	if port > 0 {
		d.SDP = body(port)
	}
	return tell(t, r, d)
}

func tell(t *testing.T, r *Relay, d *relay.Description) Reply {
	t.Helper()
	out, v, q := r.Describe(nil, key, d)
	if q == nil {
		return Reply{out, v}
	}
	got := make(chan Reply, 1)
	if !r.Ask(q, func(x Reply) { got <- x }) {
		return Reply{Verdict: FailureBusy.verdict()}
	}
	return <-got
}

// quiet waits until nothing is left to be done.
func quiet(t *testing.T, r *Relay) {
	t.Helper()
	eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, g := range r.dialogs {
			if g.busy {
				return false
			}
		}
		return true
	})
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for end := time.After(time.Minute); !ok(); {
		select {
		case <-look.C:
		case <-end:
			t.Fatal("waited in vain")
		}
	}
}

const (
	out = media.Outside
	in  = media.Inside
)

// turn is one thing that a party says, or that becomes of it.
type turn struct {
	from  media.Leg
	stage relay.Stage
	tag   string
	port  int // 0: no description
	what  string
}

const fails = "fails" // in what: the last offer of from

// What servers are told, and in which order. Bare words are what a party says; the server's words are those of NG.
func TestDialogs(t *testing.T) {
	for _, c := range []struct {
		name  string
		turns []turn
		want  string
	}{
		{"a call", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Final, "b", 2, ""}}, "offer outside> 1 pub>priv, answer outside>inside 2"},
		{"a call from inside", []turn{{in, relay.Offer, "", 1, ""}, {out, relay.Final, "b", 2, ""}}, "offer inside> 1 priv>pub, answer inside>outside 2"},
		{"repeated responses", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Early, "b", 2, ""}, {in, relay.Early, "b", 2, ""}, {in, relay.Final, "b", 2, ""}, {in, relay.Final, "b", 2, ""}},
			"offer outside> 1 pub>priv, answer outside>inside 2, answer outside>inside 2"},
		{"the newest 18x, until a 2xx", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Early, "b", 2, ""}, {in, relay.Early, "c", 3, ""}, {in, relay.Early, "b", 2, ""}, {in, relay.Final, "b", 2, ""},
			{in, relay.Early, "c", 4, ""}, {in, relay.Final, "c", 3, ""}},
			"offer outside> 1 pub>priv, answer outside>inside 2, answer outside>inside 3, answer outside>inside 2"},
		{"a 2xx without", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Early, "b", 2, ""}, {in, relay.Early, "c", 3, ""}, {in, relay.Final, "b", 0, ""}},
			"offer outside> 1 pub>priv, answer outside>inside 2, answer outside>inside 3, answer outside>inside 2"},
		{"a 2xx without, of the newest", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Early, "b", 2, ""}, {in, relay.Final, "b", 0, ""}}, "offer outside> 1 pub>priv, answer outside>inside 2"},
		{"an offer in the 2xx", []turn{{in, relay.Final, "b", 2, ""}, {out, relay.Request, "", 1, ""}}, "offer inside> 2 priv>pub, answer inside>outside 1"},
		{"an offer in an 18x, PRACK answers", []turn{{in, relay.Early, "b", 2, ""}, {out, relay.Request, "", 1, ""}, {in, relay.Final, "b", 0, ""}}, "offer inside> 2 priv>pub, answer inside>outside 1"},
		{"re-INVITE of either", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Final, "b", 2, ""}, {in, relay.Request, "b", 3, ""}, {out, relay.Final, "", 4, ""}, {out, relay.Request, "", 5, ""}, {in, relay.Reply, "b", 3, ""}},
			"offer outside> 1 pub>priv, answer outside>inside 2, offer inside>outside 3 priv>pub, answer inside>outside 4, offer outside>inside 5 pub>priv, answer outside>inside 3"},
		{"a refused one", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Final, "b", 2, ""}, {out, relay.Request, "", 5, ""}, {out, 0, "", 0, fails}, {out, relay.Request, "", 6, ""}, {in, relay.Final, "b", 7, ""}},
			"offer outside> 1 pub>priv, answer outside>inside 2, offer outside>inside 5 pub>priv, offer outside>inside 1 pub>priv, answer outside>inside 2, offer outside>inside 6 pub>priv, answer outside>inside 7"},
		{"refused after an 18x", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Final, "b", 2, ""}, {out, relay.Request, "", 5, ""}, {in, relay.Early, "b", 6, ""}, {out, 0, "", 0, fails}},
			"offer outside> 1 pub>priv, answer outside>inside 2, offer outside>inside 5 pub>priv, answer outside>inside 6, offer outside>inside 1 pub>priv, answer outside>inside 2"},
		{"refused, and nothing was offered", []turn{{out, relay.Offer, "", 1, ""}, {in, relay.Final, "b", 2, ""}, {out, 0, "", 0, fails}}, "offer outside> 1 pub>priv, answer outside>inside 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, "127.0.0.1:0")
			r := newRelay(t, 10*time.Second, s)
			for i, x := range c.turns {
				if x.what == fails {
					r.FailedFrom(key, x.from)
					continue
				}
				got := say(t, r, x.from, x.stage, x.tag, x.port)
				if x.port > 0 && x.tag != "c" && (got.Verdict.Outcome != relay.Anchored || !strings.Contains(string(got.Body), "198.51.100.1")) {
					t.Errorf("turn %d: %+v\n%s", i, got.Verdict, got.Body)
				}
			}
			quiet(t, r)
			if got := strings.Join(s.heard(), ", "); got != c.want {
				t.Errorf("told\n%s\nwant\n%s", got, c.want)
			}
			r.End(key, nil)
			eventually(t, func() bool { return r.Len() == 0 && s.heard()[len(s.heard())-1] == "delete" })
		})
	}
}
