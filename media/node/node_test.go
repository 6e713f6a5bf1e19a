package node

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
)

func loopback(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, n}) }

// newNode starts a node whose sides are 127.0.0.2, called pub, and 127.0.0.3, called priv.
func newNode(t *testing.T, state string) (n *Node, stop func()) {
	t.Helper()
	n, err := New(Config{
		Media:  media.Options{Outside: loopback(2), Inside: loopback(3), State: state, MediaNets: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}},
		Server: ng.ServerConfig{Listen: netip.MustParseAddrPort("127.0.0.1:0")},
		Names:  [2]string{"pub", "priv"}, Silent: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return n, stop
}

func body(addr string) string { return "v=0\r\nc=IN IP4 " + addr + "\r\nm=audio 4000 RTP/AVP 0\r\n" }

func offered(call, from, to, branch string) ng.Request {
	return ng.Request{Command: ng.Offer, CallID: call, FromTag: from, ToTag: to, ViaBranch: branch, SDP: body("192.0.2.1")}
}

func answered(call, from, to, branch string) ng.Request {
	q := offered(call, from, to, branch)
	q.Command, q.SDP = ng.Answer, body("10.9.0.1")
	return q
}

// sees is what an offer or an answer became: the c= and m= of it.
func sees(t *testing.T, r ng.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(r.SDP, "\r\n")
	return lines[1] + " " + strings.Fields(lines[2])[1]
}

func TestSides(t *testing.T) {
	n, _ := newNode(t, "")
	for _, c := range []struct {
		name      string
		direction [2]string
		from      string
		want      string
		err       error
	}{
		{name: "nothing said", want: "c=IN IP4 127.0.0.3"},
		{name: "from a platform's network", from: "10.9.0.1", want: "c=IN IP4 127.0.0.2"},
		{name: "down", direction: [2]string{"priv", "pub"}, want: "c=IN IP4 127.0.0.2"},
		{name: "up, whatever the network", direction: [2]string{"pub", "priv"}, from: "10.9.0.1", want: "c=IN IP4 127.0.0.3"},
		{name: "unknown", direction: [2]string{"pub", "dmz"}, err: ng.Reason("Unknown interface in direction")},
		{name: "twice", direction: [2]string{"pub", "pub"}, err: ng.Reason("Both directions name one interface")},
	} {
		q := offered(c.name, "a", "", "b1")
		q.Flags.Direction = c.direction
		if c.from != "" {
			q.Flags.ReceivedFrom = netip.MustParseAddr(c.from)
		}
		r, err := n.offer(q)
		if !errors.Is(err, c.err) || !strings.Contains(r.SDP, c.want) {
			t.Errorf("%s: %v\n%s", c.name, err, r.SDP)
		}
	}
}

// A call from its first offer to its delete: both parties' re-INVITEs keep the ports, whatever their branch.
func TestCall(t *testing.T) {
	n, _ := newNode(t, "")
	r, err := n.offer(offered("c", "alice", "", "b1"))
	toBob := sees(t, r, err)
	r, err = n.answer(answered("c", "alice", "bob", "b1"))
	toAlice := sees(t, r, err)
	if !strings.HasPrefix(toBob, "c=IN IP4 127.0.0.3 ") || !strings.HasPrefix(toAlice, "c=IN IP4 127.0.0.2 ") {
		t.Fatalf("bob: %s, alice: %s", toBob, toAlice)
	}
	for i, step := range []struct {
		what func(ng.Request) (ng.Response, error)
		q    ng.Request
		want string
	}{
		{n.offer, offered("c", "alice", "", "b1"), toBob}, // again
		{n.offer, offered("c", "alice", "bob", "b2"), toBob},
		{n.answer, answered("c", "alice", "bob", "b2"), toAlice},
		{n.offer, offered("c", "bob", "alice", "b3"), toAlice},
		{n.answer, answered("c", "bob", "alice", "b3"), toBob},
	} {
		if r, err := step.what(step.q); sees(t, r, err) != step.want {
			t.Errorf("step %d: %s, want %s", i, sees(t, r, err), step.want)
		}
	}
	r, err = n.query(ng.Request{Command: ng.Query, CallID: "c", FromTag: "alice"})
	if err != nil || len(r.Report.Tags) != 2 || r.Report.Tags[0].Name != "alice" || r.Report.Tags[0].With[0] != "bob" ||
		r.Report.Tags[0].Medias[0].Streams[0].Local.Addr() != loopback(2) {
		t.Errorf("%v %+v", err, r.Report)
	}
	if r, _ = n.list(ng.Request{}); !reflect.DeepEqual(r.Calls, []string{"c"}) {
		t.Errorf("list: %q", r.Calls)
	}
	if _, err = n.delete(ng.Request{Command: ng.Delete, CallID: "c", FromTag: "mallory"}); !errors.Is(err, ng.ErrUnknownCall) {
		t.Errorf("a delete of nobody: %v", err)
	}
	if r, err = n.delete(ng.Request{Command: ng.Delete, CallID: "c", FromTag: "bob", ToTag: "alice", ViaBranch: "bye"}); err != nil || r.Report == nil {
		t.Errorf("delete: %v", err)
	}
	if n.engine.Counters().Sessions != 0 || n.relay.Len() != 0 || len(n.calls) != 0 {
		t.Errorf("%d sessions, %d dialogs, %d calls are left", n.engine.Counters().Sessions, n.relay.Len(), len(n.calls))
	}
	if _, err = n.answer(answered("c", "alice", "bob", "b1")); !errors.Is(err, ng.ErrUnknownCall) {
		t.Errorf("an answer after it: %v", err)
	}
}

// A call that crosses twice: two pairs of ports, told apart by branch, and ended together by the tags or one by one.
func TestTwoPasses(t *testing.T) {
	n, _ := newNode(t, "")
	r, err := n.offer(offered("c", "alice", "", "b1"))
	first := sees(t, r, err)
	down := offered("c", "alice", "", "b2")
	down.Flags.Direction = [2]string{"priv", "pub"}
	r, err = n.offer(down)
	second := sees(t, r, err)
	if first == second || n.relay.Len() != 2 {
		t.Fatalf("%s and %s, %d dialogs", first, second, n.relay.Len())
	}
	if r, err := n.answer(answered("c", "alice", "bob", "b1")); !strings.HasPrefix(sees(t, r, err), "c=IN IP4 127.0.0.2 ") {
		t.Errorf("the answer to the first: %s", r.SDP)
	}
	if r, err := n.answer(answered("c", "alice", "bob", "b2")); !strings.HasPrefix(sees(t, r, err), "c=IN IP4 127.0.0.3 ") {
		t.Errorf("the answer to the second: %s", r.SDP)
	}
	if _, err := n.delete(ng.Request{Command: ng.Delete, CallID: "c", FromTag: "alice", ViaBranch: "b2"}); err != nil || n.relay.Len() != 1 {
		t.Errorf("one deleted: %v, %d dialogs", err, n.relay.Len())
	}
	n.offer(down)
	if _, err := n.delete(ng.Request{Command: ng.Delete, CallID: "c", FromTag: "alice", ViaBranch: "bye"}); err != nil || n.relay.Len() != 0 {
		t.Errorf("both deleted: %v, %d dialogs", err, n.relay.Len())
	}
}

func TestRefusals(t *testing.T) {
	n, _ := newNode(t, "")
	for _, c := range []struct {
		sdp  string
		want error
	}{
		{"no SDP", ng.ErrSDP},
		{"v=0\r\nc=IN IP4 127.0.0.2\r\nm=audio 4000 RTP/AVP 0\r\n", ng.Reason("Refused: own_address")},
		{"v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 0\r\n", ng.Reason("No interface of that address family")},
	} {
		q := offered("c", "a", "", "b")
		q.SDP = c.sdp
		if _, err := n.offer(q); !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.sdp, err, c.want)
		}
	}
	if len(n.calls) != 0 || n.relay.Len() != 0 {
		t.Error("something is left")
	}
}

// What is not done is said beside the success.
func TestWarnings(t *testing.T) {
	n, _ := newNode(t, "")
	q := offered("c", "a", "", "b")
	q.Flags.TransportProtocol = "RTP/AVP"
	if r, err := n.offer(q); err != nil || r.Warning != "" {
		t.Errorf("%v, %q", err, r.Warning)
	}
	q.SDP += "a=rtcp-mux\r\n"
	q.Flags = ng.Flags{TransportProtocol: "RTP/SAVP", MediaAddress: loopback(9), Record: ng.RecordOn, RTCPMux: []string{"demux"}, ICE: ng.ICEForce}
	want := "transport-protocol is not translated; media-address is not taken; nothing is recorded; rtcp-mux is left to the parties; ICE is not begun here"
	if r, err := n.offer(q); err != nil || r.Warning != want {
		t.Errorf("%v, %q", err, r.Warning)
	}
}

// A node that starts again has the same ports for the same call, and ends it when it is told to.
func TestRestart(t *testing.T) {
	state := t.TempDir()
	n, stop := newNode(t, state)
	r, err := n.offer(offered("c", "alice", "", "b1"))
	toBob := sees(t, r, err)
	r, err = n.answer(answered("c", "alice", "bob", "b1"))
	toAlice := sees(t, r, err)
	stop()

	n, _ = newNode(t, state)
	r, err = n.offer(offered("c", "bob", "alice", "b7"))
	if got := sees(t, r, err); got != toAlice {
		t.Errorf("alice saw %s, and sees %s", toAlice, got)
	}
	r, err = n.answer(answered("c", "bob", "alice", "b7"))
	if got := sees(t, r, err); got != toBob {
		t.Errorf("bob saw %s, and sees %s", toBob, got)
	}
	if _, err := n.delete(ng.Request{Command: ng.Delete, CallID: "c", FromTag: "alice", ToTag: "bob"}); err != nil || n.relay.Len() != 0 {
		t.Errorf("%v, %d dialogs", err, n.relay.Len())
	}
}

// A call whose delete was lost ends by silence, and one whose delete is for later ends then.
func TestEndsLater(t *testing.T) {
	n, _ := newNode(t, "")
	n.offer(offered("silent", "a", "", "b"))
	n.endSilent(time.Now())
	if n.relay.Len() != 1 {
		t.Fatal("it has ended at once")
	}
	n.endSilent(time.Now().Add(2 * time.Minute))
	if n.relay.Len() != 0 || n.Expired() != 1 {
		t.Errorf("%d dialogs, %d expired", n.relay.Len(), n.Expired())
	}
	n.offer(offered("later", "a", "", "b"))
	n.delete(ng.Request{Command: ng.Delete, CallID: "later", DeleteDelay: 30 * time.Second})
	n.endDue(time.Now())
	if n.relay.Len() != 1 {
		t.Error("deleted at once")
	}
	n.endDue(time.Now().Add(31 * time.Second))
	if n.relay.Len() != 0 {
		t.Error("not deleted")
	}
}
