package shadow

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// sizes is how much the machine keeps, table by table.
func (m *machine) sizes() map[string]int {
	unpaired := 0
	for _, t := range m.tenants {
		unpaired += len(t.unpaired)
	}
	return map[string]int{"calls": len(m.calls), "lives": len(m.lives), "dialogs": len(m.dialogs), "clients": len(m.clients), "servers": len(m.servers), "twins": len(m.twins),
		"tokens": len(m.tokens), "unpaired": unpaired, "timers": m.wheel.Len()}
}

// A dark core that sends INVITEs without end, each a new one, fills no table beyond its bound, and is forgotten.
func TestAFloodingDarkCore(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Calls, o.Legs, o.Memory = 100, 50, 1<<20 })
	w.run(time.Second)
	for i := range 50000 {
		raw := fmt.Sprintf("INVITE sip:1002@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKflood%d\r\nMax-Forwards: 70\r\nFrom: <sip:1001@acme.example>;tag=f%d\r\nTo: <sip:1002@acme.example>\r\nCall-ID: flood%d\r\nCSeq: 1 INVITE\r\nContact: <sip:x@203.0.113.5>\r\nX-Pad: %s\r\nContent-Length: 0\r\n\r\n",
			i, i, i, strings.Repeat("x", 500))
		w.m.received(w.now, darkAddr, []byte(raw))
		w.m.out = nil
		if i%1000 == 0 {
			if n := w.m.bytes; n > w.m.o.Memory {
				t.Fatalf("%d bytes are kept, %d may be", n, w.m.o.Memory)
			}
			s := w.m.sizes()
			if s["twins"] > 50 || s["servers"] > maxServers || s["dialogs"] > 50 {
				t.Fatalf("tables: %v", s)
			}
		}
	}
	if w.m.drops[DropLegs] < 49000 {
		t.Errorf("drops %v", w.m.drops)
	}
	w.rest()
}

// A flood of live calls is mirrored as far as the bounds go, the rest is dropped by reason.
func TestAFloodOfLiveCalls(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		why    Drop
	}{
		"calls":    {func(o *Options) { o.Calls = 50 }, DropCalls},
		"memory":   {func(o *Options) { o.Memory = 100 << 10 }, DropMemory},
		"legs":     {func(o *Options) { o.Legs = 20 }, DropLegs},
		"messages": {func(o *Options) { o.Messages = 3 }, DropMessages},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.change)
			w.core.plan = func(*wire.Message) plan { return plan{trying: ms, ring: 2 * ms, final: 20 * ms, code: 200} }
			for i := range 500 {
				k := w.talk("x"+itoa(i), itoa(1000+i), itoa(2000+i))
				k.invite()
				f := k.farLeg(k.called)
				f.from, f.to = f.from+itoa(i), f.to+itoa(i)
				f.invite()
				w.run(ms)
				if w.m.bytes > w.m.o.Memory || len(w.m.calls) > w.m.o.Calls || len(w.m.lives) > w.m.o.Legs {
					t.Fatalf("%d bytes, %d calls, %d legs", w.m.bytes, len(w.m.calls), len(w.m.lives))
				}
				w.at(time.Second, func() { f.fail(486); k.fail(486) })
			}
			w.run(30 * time.Second)
			if w.m.drops[c.why] == 0 {
				t.Errorf("nothing was dropped for %s: %v", c.why, w.m.drops)
			}
			cut := 0
			for _, x := range w.judged {
				if x.live.Incomplete != "" {
					cut++
				}
			}
			if name == "messages" && cut == 0 {
				t.Error("no exchange says that it was cut off")
			}
			w.rest()
		})
	}
}

// What a dark core may send to confuse: responses to nothing, dialogs that it has not, a source that is not it, its own loop.
func TestALyingDarkCore(t *testing.T) {
	w := newWorld(t)
	w.core.plan = func(*wire.Message) plan { return plan{trying: ms, final: 20 * ms, code: 200} }
	k := w.talk("a", "1001", "1002")
	k.invite()
	w.run(100 * ms)
	k.answer()
	k.ack()
	w.run(time.Second)
	invite := ""
	for _, raw := range w.sent {
		if strings.HasPrefix(string(raw), "INVITE ") {
			invite = string(raw)
		}
	}
	w.m.received(w.now, darkAddr, []byte(invite)) // its own INVITE comes back
	if w.m.received(w.now, netip.MustParseAddrPort("203.0.113.99:5060"), []byte(invite)); w.m.drops[DropSource] != 1 {
		t.Error("a stranger was heard")
	}
	for _, text := range []string{
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1:5099;branch=z9hG4bKnothing\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
		"BYE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKb1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n",
		"CANCEL sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKb2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n",
		"ACK sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKb3\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 ACK\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n",
		"WHATEVER sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKb4\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 WHATEVER\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n",
		"garbage", "", "\r\n\r\n", "INVITE", strings.Repeat("A", 5000),
	} {
		w.m.received(w.now, darkAddr, []byte(text))
	}
	w.flush()
	w.run(10 * time.Second)
	k.bye(false)
	if got, want := near(w.one(t)), "INVITE <100 <200 ACK BYE"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// A response goes to the address that its request came from, whatever the request says of itself.
func TestAResponseIsLedNowhereElse(t *testing.T) {
	w := newWorld(t)
	w.m.received(w.now, darkAddr, []byte("OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.50:7777;maddr=203.0.113.51;received=203.0.113.52;branch=z9hG4bKo\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n"))
	if len(w.m.out) != 1 || w.m.out[0].to != netip.AddrPortFrom(darkAddr.Addr(), 7777) {
		t.Errorf("sent %d, to %v", len(w.m.out), w.m.out)
	}
	w.flush()
}

// Nothing that a dark core sends in the middle of a call makes the machine panic or keep what it may not.
func FuzzTheDarkCore(f *testing.F) {
	seed := func(s string) { f.Add([]byte(s)) }
	seed("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1:5099;branch=BRANCH\r\nFrom: <sip:a@b>;tag=OURTAG\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: CALLID\r\nCSeq: 1 INVITE\r\nContact: <sip:c@d>\r\nRecord-Route: <sip:e;lr>\r\nContent-Type: application/sdp\r\nSession-Expires: 90;refresher=uac\r\n\r\nv=0\r\nm=audio 9 RTP/AVP 8\r\n")
	seed("SIP/2.0 183 X\r\nVia: SIP/2.0/UDP 198.51.100.1:5099;branch=BRANCH\r\nFrom: <sip:a@b>;tag=OURTAG\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: CALLID\r\nCSeq: 1 INVITE\r\nRequire: 100rel\r\nRSeq: 99999999999\r\n\r\n")
	seed("SIP/2.0 422 X\r\nVia: SIP/2.0/UDP 198.51.100.1:5099;branch=BRANCH\r\nFrom: <sip:a@b>;tag=OURTAG\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: CALLID\r\nCSeq: 1 INVITE\r\nMin-SE: 99\r\n\r\n")
	seed("INVITE sip:1002@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKq\r\nFrom: <sip:1001@acme.example>;tag=f\r\nTo: <sip:1002@acme.example>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\nMax-Forwards: 1\r\nContact: <sip:x@y>\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\nm=audio 1 RTP/AVP\r\nm=video 70000 RTP/AVP 96\r\n--b--")
	seed("BYE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bKb1\r\nFrom: <sip:a@b>;tag=2\r\nTo: <sip:a@b>;tag=OURTAG\r\nCall-ID: CALLID\r\nCSeq: 1 BYE\r\nMax-Forwards: 1\r\n\r\n")
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWorld(t)
		w.core.plan = func(*wire.Message) plan { return plan{} }
		k := w.talk("a", "1001", "1002")
		k.invite()
		fl := k.farLeg("1002")
		fl.invite()
		fl.answer()
		var m wire.Message
		for _, s := range w.sent {
			if m.Scan(s, nil) == wire.FaultNone && m.Is("INVITE") {
				break
			}
		}
		text := strings.NewReplacer("BRANCH", string(m.TopVia.Branch.Of(m.Raw)), "OURTAG", tagOf(&m, m.From), "CALLID", string(m.CallID.Of(m.Raw))).Replace(string(raw))
		w.m.received(w.now, darkAddr, []byte(text))
		w.flush()
		w.run(5 * time.Second)
		w.m.received(w.now, darkAddr, []byte(text))
		w.flush()
		k.answer()
		k.ack()
		k.bye(false)
		fl.bye(false)
		w.canaries(false)
		w.run(5 * time.Minute)
		if n := len(w.m.calls) + len(w.m.twins) + len(w.m.lives) + len(w.m.dialogs) + int(w.m.bytes); n != 0 {
			t.Errorf("left: %v, %d bytes, after\n%s", w.m.sizes(), w.m.bytes, text)
		}
	})
}
