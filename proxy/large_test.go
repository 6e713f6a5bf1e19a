package proxy

import (
	"net"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
)

// withStream has legacy take TCP at the address of its target over UDP.
func (w *world) withStream() net.Listener {
	l, err := net.Listen("tcp", w.legacy.addr())
	if err != nil {
		w.t.Skip("the port is taken by TCP:", err)
	}
	w.t.Cleanup(func() { l.Close() })
	w.tcpListen()
	w.cfg.Platforms.Legacy.Targets = append(w.cfg.Platforms.Legacy.Targets,
		config.Target{Name: "l1-tcp", URI: "sip:" + w.legacy.addr() + ";transport=tcp", Pool: "large"})
	w.start()
	return l
}

var long = "X-Long: " + strings.Repeat("0123456789", 130) + "\n"

// A large request goes by the target's stream, with Via and Record-Route of that; the rest of the call as ever.
func TestLargeRequestByStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy))
	l := w.withStream()
	c := w.invite("one", "acme.example", long)
	s := accept(t, l)
	inv := s.want("INVITE ")
	rr := inv.headers("Record-Route")
	if !strings.HasPrefix(inv.headers("Via")[0], "SIP/2.0/TCP ") || len(rr) != 2 || !strings.Contains(rr[0], ";transport=tcp") || strings.Contains(rr[1], "tcp") {
		t.Errorf("Via %q, Record-Route %q", inv.headers("Via"), rr)
	}
	s.reply(inv, "200 OK", "")
	ok := w.phone.wantFinal("SIP/2.0 200")
	c.answered(ok)
	c.remote = strings.TrimSuffix(c.remote, ";transport=tcp")
	w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
	w.legacy.want("ACK ")
	w.hangUp(c, w.legacy)
	if n, m := w.edge.count.large.Value(largeByStream), w.edge.count.large.Value(largeFragmented); n != 1 || m != 0 {
		t.Errorf("%d by stream, %d fragmented", n, m)
	}
	if r := w.edge.records.Find("one@phone"); len(r) == 0 || r[0].Target != "l1" {
		t.Errorf("records %+v", r)
	}
}

// The target takes no TCP today (section 18.1.1: then UDP), or never did.
func TestLargeRequestFragmented(t *testing.T) {
	t.Parallel()
	for _, paired := range []bool{true, false} {
		w := newWorld(t, tenant("acme", policy.StageLegacy))
		if paired {
			w.withStream().Close()
		} else {
			w.start()
		}
		c := w.invite("one", "acme.example", long)
		inv := w.legacy.want("INVITE ")
		if v := inv.headers("Via"); len(v) != 2 || !strings.HasPrefix(v[0], "SIP/2.0/UDP ") {
			t.Errorf("Via %q", v)
		}
		w.legacy.reply(inv, "200 OK", "")
		c.answered(w.phone.wantFinal("SIP/2.0 200"))
		w.phone.send(w.out, c.request("ACK", 1, c.remote, ""))
		w.legacy.want("ACK ")
		if n := w.edge.count.large.Value(largeFragmented); n != 1 {
			t.Errorf("paired %t: %d fragmented", paired, n)
		}
		w.hangUp(c, w.legacy)
	}
}
