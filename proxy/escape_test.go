package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/transport"
)

// escapes is a scene with a mirrored tenant whose phone anna is registered, a dark core, a carrier and a tap.
type escapes struct {
	*scene
	log     *tapLog
	carrier *actor
	dark    *actor
	path    string // of anna's registration
	id      string // of her binding
}

func newEscapes(t *testing.T) *escapes {
	sc, l, carrier := tapped(t, mirroredTenant("acme"))
	e := &escapes{scene: sc, log: l, carrier: carrier, dark: sc.actor("10.2.0.200:5060")}
	topo := sc.edge().topo.Load()
	topo.sources = append(topo.sources, sourceNet{platform: policy.Core, prefix: netip.MustParsePrefix("10.2.0.0/24")}) // the dark core stands in it
	topo.dark = append(topo.dark, sourceNet{prefix: netip.MustParsePrefix("10.2.0.200/32")})
	e.path = sc.register("anna", sc.legacy[0])
	e.id = sc.edge().Bindings("acme")[0].ID
	l.lines, l.raws = nil, nil
	return e
}

// nobodyHears fails if anything but the sender's refusals left the edge.
func (e *escapes) nobodyHears(what string, sender *actor) {
	e.t.Helper()
	for _, a := range []*actor{e.phone, e.legacy[0], e.core[0], e.carrier, e.dark} {
		for _, m := range a.got {
			if a != sender || !strings.HasPrefix(m.text, "SIP/2.0 403") {
				e.t.Errorf("%s: %s got\n%s", what, a.addr, m.text)
			}
		}
		a.got = nil
	}
}

// Whoever sends a copy, however it is written and wherever it would go: it is refused, counted and shown to the tap.
func TestCopiesAreRefused(t *testing.T) {
	e := newEscapes(t)
	sink := "sip:" + tap.SinkUser + "0123456789@10.9.0.9:5070"
	for _, from := range []struct {
		a       *actor
		party   string
		outside bool
	}{{e.phone, "phone", true}, {e.carrier, "carrier", true}, {e.legacy[0], "platform", false}, {e.core[0], "platform", false}, {e.dark, "dark", false}, {e.dark, "dark", true}} {
		for i, mark := range []struct{ name, uri, lines string }{
			{"marked", "sip:anna@acme.example", "X-Hotcut-Shadow: 1\n"},
			{"in capitals, after a space", "sip:anna@acme.example", "X-HOTCUT-SHADOW : 1\n"},
			{"in small letters, folded", "sip:anna@acme.example", "x-hotcut-shadow:\n 1\n"},
			{"beside another", "sip:anna@acme.example", "X-Hotcut-Pin: 1\nx-Hotcut-sHadow:\n"},
			{"with the path of a phone", "sip:me@192.0.2.99:5060", "Route: " + e.path + "\nX-Hotcut-Shadow: 1\n"},
			{"with the id of a phone", "sip:" + e.id + "@" + e.x.in.String(), "X-Hotcut-Shadow: 1\n"},
			{"to a carrier", "sip:+442071838750@198.51.100.7", "X-Hotcut-Shadow: 1\n"},
			{"to the edge", "sip:" + e.x.in.String(), "X-Hotcut-Shadow: 1\n"},
			{"to the sink", sink, ""},
			{"to the sink, by the edge's name", strings.Replace(sink, "10.9.0.9:5070", e.x.in.String(), 1), ""},
			{"to the sink, in the tenant's domain", strings.Replace(sink, "10.9.0.9:5070", "acme.example", 1), ""},
			{"by way of the sink", "sip:anna@acme.example", "Route: <sip:" + e.x.in.String() + ";lr>, <" + sink + ";lr>\n"},
			{"by a path of the sink", "sip:anna@acme.example", "Route: <sip:" + tap.SinkUser + strings.TrimPrefix(e.path, "<sip:") + "\n"},
			{"of the sink", "sip:anna@acme.example", "Contact: <" + sink + ">\n"},
			{"not marked at all", "sip:anna@acme.example", ""},
		} {
			if mark.name == "not marked at all" && from.party != "dark" {
				continue
			}
			for _, method := range []string{"INVITE", "REGISTER", "MESSAGE", "OPTIONS", "SUBSCRIBE", "BYE", "CANCEL", "ACK"} {
				what := fmt.Sprintf("%s %s by %s", method, mark.name, from.party)
				l := &leg{a: from.a, edge: e.x.in, id: fmt.Sprintf("%s%d%s%v", from.a.addr, i, method, from.outside), from: "<sip:bob@acme.example>;tag=b", to: "<sip:anna@acme.example>", remote: mark.uri}
				if from.outside {
					l.edge = e.x.out
				}
				if method == "BYE" || method == "ACK" {
					l.to += ";tag=x"
				}
				text := l.text(method, mark.lines)
				if strings.HasPrefix(mark.lines, "Contact:") {
					text = strings.Replace(text, "Contact: <sip:me@"+from.a.addr.String()+">\n", "", 1)
				}
				cause := causeShadowMark
				if from.party == "dark" {
					cause = causeDarkSource
				}
				before := e.edge().count.causes.Value(int(cause))
				from.a.send(l.edge, text)
				e.pass(50e6)
				if got := e.edge().count.causes.Value(int(cause)); got != before+1 {
					t.Errorf("%s: counted %d times as %s", what, got-before, cause)
				}
				if n := len(from.a.got); n != 1 && method != "ACK" || n != 0 && method == "ACK" {
					t.Errorf("%s: %d answers", what, n)
				}
				e.nobodyHears(what, from.a)
				if want := []string{"none   " + from.party + " ! " + method + " escaped"}; !slices.Equal(e.log.lines, want) {
					t.Errorf("%s: tapped %q", what, e.log.lines)
				} else if !strings.HasPrefix(e.log.raws[0], method+" ") {
					t.Errorf("%s: tapped %q", what, e.log.raws)
				}
				e.log.lines, e.log.raws = nil, nil
			}
		}
	}
	e.pass(60e9)
	if requests, branches, _, dialogs := e.x.left(); requests+branches+dialogs != 0 {
		t.Errorf("%d requests, %d branches, %d dialogs are left", requests, branches, dialogs)
	}
	if n := len(e.edge().Bindings("acme")); n != 1 {
		t.Errorf("%d bindings", n)
	}
}

// A call of a living phone goes on beside all of that, and a response that is marked, or comes from a dark core, ends nothing.
func TestMarkedResponsesAreDropped(t *testing.T) {
	e := newEscapes(t)
	x := e.phone.invite("c1", "sip:anna@acme.example", "sip:bob@acme.example", "")
	inv := e.legacy[0].want("INVITE ")
	before := e.edge().count.causes.Value(int(causeShadowMark)) + e.edge().count.causes.Value(int(causeDarkSource))
	e.legacy[0].reply(inv, "486 Busy Here", "X-Hotcut-Shadow: 1\n")
	e.dark.reply(inv, "603 Decline", "")
	e.pass(50e6)
	e.nobodyHears("a marked response", nil)
	if n := e.edge().count.causes.Value(int(causeShadowMark)) + e.edge().count.causes.Value(int(causeDarkSource)) - before; n != 2 {
		t.Errorf("%d of 2 were counted", n)
	}
	e.log.want("near acme legacy phone > INVITE", "none   stranger ! SIP/2.0 escaped", "none   dark ! SIP/2.0 escaped")
	e.legacy[0].reply(inv, "200 OK", "")
	x.answered(e.phone.want("SIP/2.0 200"))
	x.send("ACK", "")
	e.legacy[0].want("ACK ")
	x.hangUp(e.legacy[0])
}

// A stranger on the inside is not answered, whatever he says, and what he marks is counted as a copy.
func TestStrangersCopyIsDropped(t *testing.T) {
	e := newEscapes(t)
	stranger := e.actor("10.7.7.7:5060")
	l := &leg{a: stranger, edge: e.x.in, id: "s", from: "<sip:bob@acme.example>;tag=b", to: "<sip:anna@acme.example>", remote: "sip:anna@acme.example"}
	before := e.edge().count.causes.Value(int(causeShadowMark))
	l.send("INVITE", "X-Hotcut-Shadow: 1\n")
	stranger.silent()
	e.nobodyHears("a stranger's", nil)
	e.log.want("none   stranger ! INVITE escaped")
	if n := e.edge().count.causes.Value(int(causeShadowMark)) - before; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// Anybody can write a mark: the tap hears of as many as the address has a budget for.
func TestForgedMarksDoNotFloodTheTap(t *testing.T) {
	e := newEscapes(t)
	e.edge().cfg.Limits.SourceRate, e.edge().cfg.Limits.SourceBurst = 20, 60
	e.edge().setLimits()
	flooder := e.actor("203.0.113.66:5060")
	for i := range 500 {
		l := &leg{a: flooder, edge: e.x.out, id: fmt.Sprint("f", i), from: "<sip:bob@acme.example>;tag=b", to: "<sip:anna@acme.example>", remote: "sip:anna@acme.example"}
		l.send("MESSAGE", "X-Hotcut-Shadow: 1\n")
	}
	e.pass(50e6)
	e.nobodyHears("a flood", nil)
	if n := len(e.log.lines); n < 30 || n > 100 {
		t.Errorf("the tap heard of %d of 500", n)
	}
}

// By connection only the address counts; where a dark core shares it with others, what the others may be is theirs.
func TestDarkAt(t *testing.T) {
	topo := &topology{
		targets:  []target{{addr: netip.MustParseAddrPort("10.2.0.5:5060"), proto: transport.UDP, platform: policy.Core}},
		sources:  []sourceNet{{platform: policy.Core, prefix: netip.MustParsePrefix("10.3.0.0/24")}},
		carriers: []carrier{{nets: []sourceNet{{prefix: netip.MustParsePrefix("10.4.0.0/24")}}}},
	}
	for _, s := range []string{"10.2.0.5:5070", "10.3.0.7:5070", "10.4.0.7:5070", "10.5.0.7:5070", "10.3.0.200"} {
		port := uint16(0)
		a, err := netip.ParseAddr(s)
		if err != nil {
			ap := netip.MustParseAddrPort(s)
			a, port = ap.Addr(), ap.Port()
		}
		topo.dark = append(topo.dark, sourceNet{prefix: netip.PrefixFrom(a, 32), port: port})
	}
	for _, c := range []struct {
		at       string
		udp, tcp bool
	}{
		{"10.2.0.5:5070", true, false}, {"10.2.0.5:5060", false, false}, {"10.3.0.7:5070", true, false}, {"10.4.0.7:5070", true, false},
		{"10.5.0.7:5070", true, true}, {"10.5.0.7:9", false, true}, {"10.3.0.200:9", true, true}, {"10.3.0.201:9", false, false},
	} {
		a := netip.MustParseAddrPort(c.at)
		if udp, tcp := topo.darkAt(a, transport.UDP), topo.darkAt(a, transport.TCP); udp != c.udp || tcp != c.tcp {
			t.Errorf("%s: %v by UDP, %v by TCP", c.at, udp, tcp)
		}
		if p, _ := topo.platformOf(a, transport.UDP, -1); c.udp && p != policy.NoPlatform {
			t.Errorf("%s is dark and of %s", c.at, p)
		}
	}
}
