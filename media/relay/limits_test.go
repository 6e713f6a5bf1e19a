package relay

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hotcut/hotcut/media"
)

const twoLines = simple + "m=video 4002 RTP/AVP 96\r\n"

// The first description needs ports for all of its lines, or nothing is relayed; a call that is relayed already keeps what
// it has, and the line that found no ports passes.
func TestPortsRunOut(t *testing.T) {
	e, err := media.New(media.Options{Outside: loopback(2), Inside: loopback(3), Ports: media.PortRange{Lo: 42000, Hi: 42003}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := New(Options{Engine: e}) // without Run a port is given back at once, and not when its thread comes by
	first, second := Key{"call", "1"}, Key{"call", "2"}
	describe(t, r, first, simple, Anchored)
	if out := describe(t, r, second, twoLines, NoPorts); out != twoLines {
		t.Errorf("no ports, and it became\n%s", out)
	}
	if r.Len() != 1 || r.engine.Counters().Sessions != 1 {
		t.Fatalf("%d dialogs, %d sessions", r.Len(), r.engine.Counters().Sessions)
	}
	describe(t, r, second, simple, Anchored) // the pair that it has given back
	out := describe(t, r, second, twoLines, Anchored)
	if !strings.Contains(out, "m=video 4002 RTP/AVP 96") || strings.Contains(out, "m=audio 4000") {
		t.Errorf("a line without ports:\n%s", out)
	}
	if n := r.Counters().Unplaced; n != 1 {
		t.Errorf("%d lines unplaced", n)
	}
	// Its answer passes too, although there are ports now.
	r.End(first)
	out, _ = describeFrom(r, second, twoLines, media.Inside, Final)
	if !strings.Contains(out, "m=video 4002") {
		t.Errorf("the answer to it:\n%s", out)
	}
	r.End(second)
}

func describe(t *testing.T, r *Relay, k Key, body string, want Outcome) string {
	t.Helper()
	out, v := describeFrom(r, k, body, media.Outside, Request)
	if v.Outcome != want {
		t.Errorf("%v, want %v", v.Outcome, want)
	}
	return out
}

func describeFrom(r *Relay, k Key, body string, from media.Leg, stage Stage) (string, Verdict) {
	out, v := r.Describe(nil, k, Description{SDP: []byte(body), From: from, Stage: stage})
	return string(out), v
}

// Many at once, on the same and on other dialogs, with ends in between: no race, nothing left, no port twice.
func TestManyAtOnce(t *testing.T) {
	r := newRelay(t, media.Options{})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 100 {
				k := Key{"call", fmt.Sprint(i % 10)}
				body := strings.Replace(simple, "4000", fmt.Sprint(4000+2*worker), 1)
				describeFrom(r, k, body, media.Leg(worker&1), Request)
				r.Quality(k)
				switch i % 3 {
				case 0:
					r.Failed(k)
				case 1:
					r.End(k)
				}
			}
		})
	}
	all.Wait()
	for _, k := range r.Keys() {
		if _, ok := r.End(k); !ok {
			t.Errorf("%v is not there", k)
		}
	}
	if n := r.engine.Counters().Sessions; n != 0 || r.Len() != 0 || len(r.own) != 0 {
		t.Errorf("%d sessions, %d dialogs, %d addresses are left", n, r.Len(), len(r.own))
	}
}
