package relay

import (
	"net/netip"
	"testing"

	"github.com/hotcut/hotcut/media"
)

// newRelay starts an engine on loopback addresses; both sides have both families if the machine does.
func newRelay(t testing.TB, o media.Options) *Relay {
	t.Helper()
	o.Outside, o.Inside = loopback(2), loopback(3)
	e, err := media.New(o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); e.Run(t.Context()) }()
	t.Cleanup(func() { e.Close(); <-done })
	return New(Options{Engine: e})
}

func loopback(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, n}) }

const simple = "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

func TestOneLine(t *testing.T) {
	r := newRelay(t, media.Options{})
	k := Key{"call", "1"}
	out, v := r.Describe(nil, k, Description{SDP: []byte(simple), From: media.Outside})
	if v.Outcome != Anchored || r.Len() != 1 {
		t.Fatalf("%v, %d dialogs", v, r.Len())
	}
	again, _ := r.Describe(nil, k, Description{SDP: []byte(simple), From: media.Outside})
	if string(again) != string(out) {
		t.Errorf("said twice:\n%s\nthen\n%s", out, again)
	}
	if _, ok := r.End(k); !ok || r.Len() != 0 {
		t.Errorf("%d dialogs after the end", r.Len())
	}
	if _, ok := r.End(k); ok {
		t.Error("ended twice")
	}
	if n := r.engine.Counters().Sessions; n != 0 {
		t.Errorf("%d sessions after the end", n)
	}
}
