package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
)

// Calls are spread over servers. One dies: its calls do not fail, new calls go to the other, and a re-INVITE takes a call
// that had lost its media there too.
func TestServerDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.servers = []*server{newServer(t, home+":"+freePort(t), ""), newServer(t, home+":"+freePort(t), "")}
	w.commands(w.servers[0].Addr().String(), w.servers[1].Addr().String())
	w.start()
	var calls []*audio
	for i := 0; w.servers[0].Relay().Len() == 0 || w.servers[1].Relay().Len() == 0; i++ {
		if i == 64 {
			t.Fatal("one server has all the calls")
		}
		a := w.speak(fmt.Sprint("call", i), "acme.example", w.legacy)
		a.talk()
		calls = append(calls, a)
	}
	dead, lives := w.servers[0], w.servers[1]
	dead.stop()
	for i := range 4 {
		a := w.speak(fmt.Sprint("after", i), "acme.example", w.legacy)
		a.talk()
		a.hangUp()
	}
	for _, a := range calls {
		seen, answered := a.again("INVITE", a.phone.sdp("a=ptime:20"), "200 OK", a.far.sdp("a=ptime:20"))
		a.toFarSide, a.toPhoneSide = seen.media(t), answered.media(t)
		w.phone.send(w.out, a.request("ACK", a.cseq, a.remote, ""))
		w.legacy.want("ACK ")
		a.talk()
	}
	if n := lives.Relay().Len(); n != len(calls) {
		t.Errorf("the living server has %d calls of %d", n, len(calls))
	}
	for _, a := range calls {
		a.hangUp()
	}
	w.await(func() bool { return lives.Relay().Len() == 0 && w.edge.media.remote.Len() == 0 }, "the server to hold nothing")
}

// A server without ports costs the relay, never the call.
func TestServerWithoutPorts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	w.servers = []*server{newServerWith(t, home+":"+freePort(t), "", fewPorts())}
	w.commands(w.servers[0].Addr().String())
	w.start()
	for i := range 2 {
		w.speak(fmt.Sprint("call", i), "acme.example", w.legacy).talk()
	}
	c := newCall(w, "one")
	w.phone.send(w.out, with(c.request("INVITE", 1, "sip:bob@acme.example", ""), described(9)))
	inv := w.legacy.want("INVITE ")
	w.legacy.send(inv.from.String(), with(answerTo(inv, "200 OK", "", w.legacy.addr()), described(11)))
	ok := w.phone.wantFinal("SIP/2.0 200")
	if inv.media(t).Port() != 9 || ok.media(t).Port() != 11 {
		t.Errorf("half of the call is relayed:\n%s\n%s", inv.text, ok.text)
	}
	if !strings.Contains(w.edge.count.text(t), `hotcut_media_server_failed_total{why="no_ports"} 1`) {
		t.Error("not counted")
	}
}
