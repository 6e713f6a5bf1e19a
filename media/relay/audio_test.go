package relay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/sdp"
)

// party has a socket, and believes what descriptions say.
type party struct {
	t    *testing.T
	conn *net.UDPConn
	to   netip.AddrPort
	seq  uint16
}

func newParty(t *testing.T, addr netip.Addr) *party {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &party{t: t, conn: conn}
}

// body is the party's description; proto is "RTP/AVP 0" or "udptl t38".
func (p *party) body(proto string) []byte {
	at := p.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return fmt.Appendf(nil, "v=0\r\nc=IN IP4 %v\r\nm=x %d %s\r\n", at.Addr(), at.Port(), proto)
}

func (p *party) hears(body []byte) {
	p.t.Helper()
	var x sdp.Description
	if fault := x.Scan(body); fault != sdp.FaultNone {
		p.t.Fatal(fault)
	}
	p.to, _ = x.Endpoint(0)
}

// sends one packet to another party through the relay, which must get it unchanged.
func (p *party) sends(kind media.Kind, other *party) {
	p.t.Helper()
	p.seq++
	packet := make([]byte, 172)
	if kind == media.RTP {
		packet[0] = 0x80
		binary.BigEndian.PutUint16(packet[2:], p.seq)
		packet[11] = 7
	} else {
		packet = []byte{byte(p.seq >> 8), byte(p.seq), 1, 6, 0, 0}
	}
	p.conn.WriteToUDPAddrPort(packet, p.to)
	got := make([]byte, 2048)
	other.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := other.conn.ReadFromUDPAddrPort(got)
	if err != nil {
		p.t.Fatal(err)
	}
	if from != other.to || !bytes.Equal(got[:n], packet) {
		p.t.Errorf("%x from %v, want %x from %v", got[:n], from, packet, other.to)
	}
}

// A call talks, is offered T.38 and refuses it, talks on, takes T.38, and moves its phone: what is sent arrives, and comes
// from where the descriptions say.
func TestAudioGoesOn(t *testing.T) {
	r, k := newRelay(t, media.Options{}), Key{"call", "1"}
	phone, platform := newParty(t, loopback(10)), newParty(t, loopback(11))
	offer := func(from *party, other *party, leg media.Leg, proto string, stage Stage) {
		t.Helper()
		out, v := r.Describe(nil, k, Description{SDP: from.body(proto), From: leg, Stage: stage})
		if v.Outcome != Anchored {
			t.Fatal(v)
		}
		other.hears(out)
	}
	talk := func(kind media.Kind) {
		t.Helper()
		phone.sends(kind, platform) // proves where the phone is: its address is a private one
		platform.sends(kind, phone)
		phone.sends(kind, platform)
	}
	offer(phone, platform, media.Outside, "RTP/AVP 0", Offer)
	offer(platform, phone, media.Inside, "RTP/AVP 0", Final)
	talk(media.RTP)

	at := phone.to
	offer(platform, phone, media.Inside, "udptl t38", Request)
	talk(media.RTP)
	r.Failed(k)
	talk(media.RTP)

	offer(platform, phone, media.Inside, "udptl t38", Request)
	offer(phone, platform, media.Outside, "udptl t38", Final)
	talk(media.UDPTL)

	phone = newParty(t, loopback(12))
	phone.to = at
	offer(phone, platform, media.Outside, "RTP/AVP 0", Request)
	offer(platform, phone, media.Inside, "RTP/AVP 0", Final)
	talk(media.RTP)
	if phone.to != at {
		t.Errorf("the phone sent to %v and sends to %v", at, phone.to)
	}

	q, ok := r.End(k)
	if !ok || !q.Fax || q.OneWay || q.Legs[media.Outside].Peer.Addr() != loopback(12) || q.Legs[media.Inside].Packets != 5 {
		t.Errorf("%v %+v", ok, q)
	}
}
