package proxy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/policy"
)

// slowServer is a media server that answers when the test says so. It writes 198.51.100.1 into every description.
type slowServer struct {
	gate  chan struct{} // an offer and an answer each take one; nil: they wait for nothing
	asked chan string   // commands, as they come
	addr  string
}

func newSlowServer(t *testing.T, gate chan struct{}) *slowServer {
	t.Helper()
	s := &slowServer{gate: gate, asked: make(chan string, 1024)}
	take := func(q ng.Request) (ng.Response, error) {
		s.asked <- string(q.Command)
		if s.gate != nil {
			<-s.gate
		}
		return ng.Response{SDP: strings.Replace(q.SDP, "c=IN IP4 "+home, "c=IN IP4 198.51.100.1", 1)}, nil
	}
	other := func(q ng.Request) (ng.Response, error) {
		s.asked <- string(q.Command)
		return ng.Response{Report: &ng.Report{}}, nil
	}
	n, err := ng.NewServer(ng.ServerConfig{Listen: netip.MustParseAddrPort(home + ":0")}, ng.Handler{Offer: take, Answer: take, Query: other, Delete: other, List: other, Statistics: other})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = n.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if s.gate != nil {
			close(s.gate)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// hears waits for the next command.
func (s *slowServer) hears(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-s.asked:
		if got != want {
			t.Fatalf("the server is asked for %s, want %s", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", want)
	}
}

// bySlowServer is a world whose media server answers when the test says so.
func bySlowServer(t *testing.T) (*world, *slowServer) {
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	s := newSlowServer(t, make(chan struct{}, 1024))
	w.commands(s.addr)
	return w.start(), s
}

// waiting is how many calls wait for media servers.
func (w *world) waiting() (n int) {
	for i := range w.edge.shards {
		s := &w.edge.shards[i]
		s.mu.Lock()
		n += len(s.pauses)
		s.mu.Unlock()
	}
	return n
}

func newCall(w *world, id string) *call {
	return &call{w: w, by: w.phone, id: id, domain: "acme.example", to: "<sip:bob@acme.example>"}
}

// While an INVITE waits its repetitions are absorbed. With the reply it leaves, once.
func TestInviteWaitsForAServer(t *testing.T) {
	t.Parallel()
	w, s := bySlowServer(t)
	c := newCall(w, "one")
	invite := with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9))
	feed := w.feed(w.phone)
	for range 5 {
		feed(crlf(invite))
	}
	w.legacy.silent()
	s.hears(t, "offer")
	s.gate <- struct{}{}
	inv := w.legacy.want("INVITE ")
	if m := inv.media(t); m.Addr().String() != "198.51.100.1" {
		t.Errorf("not as the server wrote it:\n%s", inv.text)
	}
	feed(crlf(invite))
	w.legacy.reply(inv, "486 Busy Here", "")
	w.legacy.want("ACK ")
	w.phone.wantFinal("SIP/2.0 486")
	s.hears(t, "delete")
	w.legacy.silentBut("INVITE ") // Timer A
}

// A CANCEL of an INVITE that waits is answered at once, and the platform never hears of the call.
func TestCancelWhileAServerIsAsked(t *testing.T) {
	t.Parallel()
	w, s := bySlowServer(t)
	c := newCall(w, "one")
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
	s.hears(t, "offer")
	w.phone.send(w.out, c.request("CANCEL", 1, "sip:bob@acme.example", ""))
	w.phone.after100()
	w.phone.want("SIP/2.0 200")
	s.gate <- struct{}{}
	w.phone.want("SIP/2.0 487")
	s.hears(t, "delete")
	w.legacy.silent()
	if w.waiting() != 0 {
		t.Error("something waits still")
	}
}

// What follows a message that waits stays behind it: responses, and what the callee asks as soon as it has answered.
func TestOrderBehindAServer(t *testing.T) {
	t.Parallel()
	w, s := bySlowServer(t)
	c := newCall(w, "one")
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
	s.gate <- struct{}{}
	inv := w.legacy.want("INVITE ")
	s.hears(t, "offer")
	from := w.legacy
	progress := with(answerTo(inv, "183 Session Progress", "", from.addr()), described(11))
	ok := with(answerTo(inv, "200 OK", "", from.addr()), described(13))
	bye := "BYE sip:anna@" + w.phone.addr() + " SIP/2.0\nVia: SIP/2.0/UDP " + from.addr() + ";branch=z9hG4bKbye\n"
	for _, r := range inv.headers("Record-Route") {
		bye += "Route: " + r + "\n"
	}
	to := (message{text: strings.ReplaceAll(ok, "\n", "\r\n")}).headers("To")[0]
	bye += "Max-Forwards: 70\nFrom: " + to + "\nTo: " + inv.headers("From")[0] + "\nCall-ID: one@phone\nCSeq: 7 BYE\nContent-Length: 0\n\n"
	for _, m := range []string{progress, progress, answerTo(inv, "180 Ringing", "", from.addr()), ok, ok, bye, bye} {
		from.send(w.in, m)
	}
	s.hears(t, "answer")
	w.await(func() bool { return w.behind() == 3 }, "180, 200 and BYE to wait behind the 183, once each")
	w.phone.after100()
	w.phone.silent()
	s.gate <- struct{}{}
	if m := w.phone.want("SIP/2.0 183"); m.media(t).Addr().String() != "198.51.100.1" || m.media(t).Port() != 11 {
		t.Errorf("not as the server wrote it:\n%s", m.text)
	}
	w.phone.want("SIP/2.0 180")
	s.hears(t, "answer")
	w.phone.silent()
	s.gate <- struct{}{}
	if m := w.phone.want("SIP/2.0 200"); m.media(t).Port() != 13 {
		t.Errorf("not as the server wrote it:\n%s", m.text)
	}
	w.phone.reply(w.phone.want("BYE "), "200 OK", "")
	from.want("SIP/2.0 200")
	s.hears(t, "delete")
	if w.waiting() != 0 {
		t.Error("something waits still")
	}
}

// behind is how many messages stand behind those that wait.
func (w *world) behind() (n int) {
	for i := range w.edge.shards {
		s := &w.edge.shards[i]
		s.mu.Lock()
		for _, l := range s.pauses {
			n += len(l.behind)
		}
		s.mu.Unlock()
	}
	return n
}

// An ACK with a description waits, and the BYE behind it. Its repetition is known without asking.
func TestAckWaitsForAServer(t *testing.T) {
	t.Parallel()
	w, s := bySlowServer(t)
	c := w.invite("one", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
	s.hears(t, "query") // the 2xx of a call that a process before this one may know
	s.hears(t, "offer")
	s.gate <- struct{}{}
	ok := w.phone.wantFinal("SIP/2.0 200")
	c.answered(ok)
	ack := with(c.request("ACK", 1, c.remote, ""), described(9))
	w.phone.send(w.out, ack)
	s.hears(t, "answer")
	w.phone.send(w.out, c.request("BYE", 2, c.remote, ""))
	w.await(func() bool { return w.behind() == 1 }, "the BYE to wait")
	w.legacy.silent()
	s.gate <- struct{}{}
	if m := w.legacy.want("ACK "); m.media(t).Addr().String() != "198.51.100.1" {
		t.Errorf("not as the server wrote it:\n%s", m.text)
	}
	bye := w.legacy.want("BYE ")
	w.phone.send(w.out, ack)
	w.legacy.next("ACK ")
	w.legacy.reply(bye, "200 OK", "")
	w.phone.want("SIP/2.0 200")
	s.hears(t, "delete")
}

// Who floods a call that waits fills no memory.
func TestQueueBehindAServerIsBounded(t *testing.T) {
	t.Parallel()
	w, s := bySlowServer(t)
	c := newCall(w, "one")
	feed := w.feed(w.phone)
	feed(crlf(with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9))))
	s.hears(t, "offer")
	for i := range maxQueued + 7 {
		feed(crlf(c.request("OPTIONS", 100+i, "sip:bob@acme.example", "")))
	}
	if n := w.behind(); n != maxQueued {
		t.Errorf("%d messages wait", n)
	}
	if n := w.edge.count.causes.Value(int(causeMediaQueue)); n != 7 {
		t.Errorf("%d were dropped, want 7", n)
	}
	s.gate <- struct{}{}
	w.legacy.want("INVITE ")
	w.await(func() bool { return w.waiting() == 0 }, "the queue to be served")
}

// logText is what an edge writes into its log.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logText) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// Where no media server answers calls go on without being relayed, all of them, and the log says so once. When one answers
// again, new calls are relayed.
func TestCallsWithoutAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	addr := home + ":" + freePort(t)
	w.commands(addr)
	w.cfg.Media.Wait = 50 * time.Millisecond
	var log logText
	w.log = slog.New(slog.NewTextHandler(&log, nil))
	w.start()
	through := func(c *call) (offer, answer netip.Addr) {
		t.Helper()
		w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
		inv := w.legacy.want("INVITE ")
		w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
		ok := w.phone.wantFinal("SIP/2.0 200")
		c.answered(ok)
		w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
		w.legacy.want("ACK ")
		w.hangUp(c, w.legacy)
		return inv.media(t).Addr(), ok.media(t).Addr()
	}
	for i := range 3 {
		if offer, answer := through(newCall(w, fmt.Sprint("without", i))); offer.String() != home || answer.String() != home {
			t.Errorf("changed: %s and %s", offer, answer)
		}
	}
	text := func() string { return w.edge.count.text(t) }
	if s := text(); !strings.Contains(s, `hotcut_media_server_failed_total{why="no_answer"} 3`) || !strings.Contains(s, `hotcut_media_server_up{server="`+addr+`"} 0`) {
		t.Error("not counted")
	}
	w.await(func() bool { return log.count("did not take a call's media") == 1 }, "a line in the log")

	w.servers = []*server{newServer(t, addr, "")}
	w.await(func() bool { return strings.Contains(text(), `hotcut_media_server_up{server="`+addr+`"} 1`) }, "the server to be seen")
	w.await(w.relaysNow(t), "a call to be relayed")
	w.await(func() bool { return log.count("relay calls again") == 1 }, "a line in the log")
	if log.count("did not take a call's media") > 2 { // a loaded machine may be slower than 50 ms
		t.Error("the log is full of it")
	}
}

// relaysNow makes a call each time, and says whether it was relayed.
func (w *world) relaysNow(t *testing.T) func() bool {
	n := 0
	return func() bool {
		t.Helper()
		n++
		c := newCall(w, fmt.Sprint("probed", n))
		w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
		inv := w.legacy.want("INVITE ")
		w.legacy.reply(inv, "486 Busy Here", "")
		w.legacy.want("ACK ")
		w.phone.wantFinal("SIP/2.0 486")
		return inv.media(t).Addr() == neighbour("3")
	}
}
