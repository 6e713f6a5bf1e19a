package proxy

import (
	"fmt"
	"net/netip"
	"time"
)

// mischief is what comes from nobody that an edge should trust.
func (w *simWorld) mischief() {
	n := w.n
	for range n.rng.IntN(6) {
		x := w.edges[n.rng.IntN(2)]
		i := n.rng.IntN(4)
		n.after(n.between(0, simSpan), func() {
			w.serial++
			id := fmt.Sprintf("spoof-%d", w.serial)
			stranger := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, 9}), uint16(1024+w.serial))
			n.nodes[stranger] = func(netip.AddrPort, []byte) {}
			switch i {
			case 0:
				n.met.fault(wrongGarbage)
				n.send(stranger, x.out, []byte("INVITE sip:bob1@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCall-ID"))
				n.send(stranger, x.out, []byte{0, 1, 2, 255})
			case 1:
				n.met.fault(wrongStray2xx)
				node := w.platforms[1+n.rng.IntN(2)].nodes[0]
				text := fmt.Sprintf("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKh0000%026d\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKs1;rport=5060;received=198.51.100.1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
					x.in, w.serial, id)
				n.send(node.addr, x.in, []byte(text))
			default: // a source that somebody else wrote there
				n.met.fault(wrongSpoofed)
				method := []string{"INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE"}[n.rng.IntN(4)]
				w.spoil(id)
				if i == 3 { // as short as can be: whatever we say of it is longer
					n.send(stranger, x.out, []byte(fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK%d\r\nf:<sip:a@b>;tag=1\r\nt:<sip:a@b>\r\ni:%s\r\nCSeq:1 OPTIONS\r\n\r\n", x.out, w.serial, id)))
					return
				}
				n.send(stranger, x.out, []byte(fmt.Sprintf("%s sip:bob1@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nFrom: <sip:a@acme.example>;tag=1\r\nTo: <sip:bob1@acme.example>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\nMax-Forwards: %d\r\nContact: <sip:a@%s>\r\nContent-Length: 0\r\n\r\n",
					method, stranger, id, id, method, n.rng.IntN(3)*35, stranger)))
			}
		})
	}
	if n.chance(400) {
		n.after(n.between(0, simSpan), w.spiral)
	}
}

// spiral: a platform sends a call back to us as it is, and the other one likewise. It must end.
func (w *simWorld) spiral() {
	n := w.n
	n.met.fault(wrongSpiral)
	w.serial++
	id := fmt.Sprintf("spiral-%d", w.serial)
	w.spoil(id)
	w.platforms[1].loops, w.platforms[2].loops = id, id
	ph := w.phones[n.rng.IntN(len(w.phones))]
	c := w.call(ph.a, ph.edge.out, ph.a.tcp, id, ph.uri(ph.user), ph.uri("bob1"), nil, "")
	c.honest = false
	c.start()
	n.after(5*time.Second, c.cancel)
}

// bounce sends a request on as a proxy would, back to the edge.
func (s *simPlatform) bounce(x *simServer) {
	m, a := x.m, x.a
	if m.hops <= 0 {
		x.reply("483 Too Many Hops", s.p.tag(), "")
		return
	}
	at, proto, tcp := x.flow.addr, "UDP", x.flow.stream != nil
	if tcp {
		proto, at = "TCP", netip.AddrPortFrom(at.Addr(), 5070)
	}
	branch := s.w.branch()
	via := "Via: SIP/2.0/" + proto + " " + a.self + ";branch=" + branch + "\r\n"
	head := ""
	for _, l := range m.lines {
		if l.name == "Max-Forwards" {
			l.value = fmt.Sprint(m.hops - 1)
		}
		head += l.name + ": " + l.value + "\r\n"
	}
	c := &simClient{a: a, method: "INVITE", branch: branch, at: at, tcp: tcp, to: m.to, proxied: true, text: m.start + "\r\n" + via + head + "\r\n" + m.body}
	c.answer = func(r *simMsg) {
		if r.status >= 300 && x.final == 0 {
			x.reply(r.start[8:], r.toTag, "")
		}
	}
	c.start()
}
