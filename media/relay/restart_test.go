package relay

import (
	"testing"

	"github.com/hotcut/hotcut/media"
)

// A process that dies leaves its sessions in the journal; the next one's relay knows the dialogs: same ports, and an offer
// that fails leads back to what was in force before the death.
func TestRestart(t *testing.T) {
	options := media.Options{Outside: loopback(2), Inside: loopback(3), State: t.TempDir()}
	e, err := media.New(options)
	if err != nil {
		t.Fatal(err)
	}
	r, k := New(Options{Engine: e}), Key{"call", "1"}
	said := describe(t, r, k, simple, Anchored)
	answered, _ := describeFrom(r, k, simple, media.Inside, Final)
	e.Close()

	if e, err = media.New(options); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r = New(Options{Engine: e})
	if r.Len() != 1 {
		t.Fatalf("%d dialogs", r.Len())
	}
	moved, v := describeFrom(r, k, "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4900 RTP/AVP 0\r\n", media.Outside, Request)
	if v.Outcome != Anchored {
		t.Fatal(v)
	}
	r.Failed(k)
	s, _ := e.Session(media.SessionKey{CallID: "call", Leg: "1"})
	if remote, _ := s.Remote(media.Outside); remote.RTP.String() != "192.0.2.1:4000" {
		t.Errorf("after the failed offer (%q): %v", moved, remote.RTP)
	}
	if again := describe(t, r, k, simple, Anchored); again != said {
		t.Errorf("said\n%s\nand after the restart\n%s", said, again)
	}
	if again, _ := describeFrom(r, k, simple, media.Inside, Final); again != answered {
		t.Errorf("said\n%s\nand after the restart\n%s", answered, again)
	}
	if q, ok := r.End(k); !ok || q.Began.IsZero() || e.Counters().Sessions != 0 {
		t.Errorf("%v, %d sessions left", q, e.Counters().Sessions)
	}
}
