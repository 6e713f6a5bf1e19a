//go:build interop

package interop

import (
	enc "encoding/binary" // binary is the program under test
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hotcut/hotcut/proxy/callrecord"
)

// manner is how a party sends: when each packet leaves, off its time, and which are never sent.
type manner struct {
	name  string
	off   func(i int) time.Duration
	skips func(i int) bool
}

func punctual(int) time.Duration { return 0 }

func complete(int) bool { return false }

// shaky is up to so much late, at random but the same in every run.
func shaky(limit time.Duration, seed uint64) func(int) time.Duration {
	r := rand.New(rand.NewPCG(seed, seed))
	late := make([]time.Duration, judged)
	for i := range late {
		late[i] = time.Duration(r.Int64N(int64(limit)))
	}
	return func(i int) time.Duration { return late[i] }
}

// judged is how many packets a party has to send, 20 ms each: jitter is a mean over the last dozens.
const judged = 300

var manners = [][2]manner{ // of the phone, of the platform
	{{"punctual", punctual, complete}, {"by turns 15 ms late", func(i int) time.Duration { return time.Duration(i%2) * 15 * time.Millisecond }, complete}},
	{{"every 20th is missing", punctual, func(i int) bool { return i%20 == 7 }}, {"shaky", shaky(18*time.Millisecond, 1), complete}},
	{{"shaky, and runs of ten are missing", shaky(30*time.Millisecond, 2), func(i int) bool { return i%100/10 == 5 }},
		{"shaky, and a third is missing", shaky(9*time.Millisecond, 3), func(i int) bool { return i%3 == 1 }}},
}

// party is one end of a call's audio.
type party struct {
	manner
	conn    stamped
	to      netip.AddrPort
	ssrc    uint32
	sent    int
	heard   chan struct{} // closed by the first packet
	arrived int
}

func newParty(t *testing.T, m manner, ssrc uint32) *party {
	t.Helper()
	return &party{manner: m, conn: newStamped(t, freeAddr(t)), ssrc: ssrc, heard: make(chan struct{})}
}

func (p *party) sdp() string {
	at := p.at()
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", at.Addr(), at.Addr(), at.Port())
}

func (p *party) at() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// audioOf is where a message's description wants the audio.
func audioOf(t *testing.T, m *message) netip.AddrPort {
	t.Helper()
	var ip netip.Addr
	var port uint64
	for line := range strings.Lines(m.raw) {
		line = strings.TrimSpace(line)
		if s, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			ip, _ = netip.ParseAddr(s)
		}
		if s, ok := strings.CutPrefix(line, "m=audio "); ok {
			port, _ = strconv.ParseUint(strings.Fields(s)[0], 10, 16)
		}
	}
	if !ip.IsValid() || port == 0 {
		t.Fatalf("no audio in\n%s", m.raw)
	}
	return netip.AddrPortFrom(ip, uint16(port))
}

// say sends what there is to say in the party's manner.
func (p *party) say(t *testing.T) {
	begun := time.Now()
	b := make([]byte, 172)
	for i := range judged {
		if p.skips(i) {
			continue
		}
		time.Sleep(time.Until(begun.Add(time.Duration(i)*20*time.Millisecond + p.off(i)))) // the pace is what is tested
		b[0], b[1] = 0x80, 0
		enc.BigEndian.PutUint16(b[2:], uint16(65400+i)) // passes 65,535
		enc.BigEndian.PutUint32(b[4:], uint32(i*160))
		enc.BigEndian.PutUint32(b[8:], p.ssrc)
		if _, err := p.conn.WriteToUDPAddrPort(b, p.to); err != nil {
			t.Error(err)
		}
		p.sent++
	}
}

// listen captures what comes until the socket is closed.
func (p *party) listen(t *testing.T, c *capture) {
	b := make([]byte, 2048)
	for {
		n, from, at, err := p.conn.read(t, b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		if p.arrived++; p.arrived == 1 {
			close(p.heard)
		}
		c.add(at, from, p.at(), b[:n])
	}
}

// The packets, the loss and the jitter that the edge reports of a call are those that tshark finds in a capture of the same
// packets, with both parties sending unsteadily and leaving packets out.
//
// The capture is made where the packets arrive behind the relay. So packets and loss must be equal. Jitter is measured by the
// relay when it has received a packet and by the kernel when the relay has sent it, which is some 50 µs later unless a busy
// machine takes the processor away just then: a pause of 48 ms moves the jitter by a sixteenth of that, 3 ms, which is the
// tolerance. What the parties make themselves is up to 15 ms.
func TestQualityAgreesWithTshark(t *testing.T) {
	const tolerance = 3.0 // ms
	phone, platform, core := newUA(t, "alice"), newUA(t, "bob"), newUA(t, "core")
	for _, u := range []*ua{platform, core} {
		u.answerTo("OPTIONS", "") // of the edge's probes
		u.answerTo("BYE", "")
	}
	r := newRigFor(t, site{legacy: []string{platform.addr}, core: []string{core.addr}, edges: 1, relays: true})
	e, capture := r.edges[0], newCapture(t)

	type pair struct {
		*leg
		parties [2]*party
	}
	var calls []pair
	var talking, listening sync.WaitGroup
	for i, m := range manners {
		c := pair{parties: [2]*party{newParty(t, m[0], uint32(0xa0000+i)), newParty(t, m[1], uint32(0xb0000+i))}}
		near, far := c.parties[0], c.parties[1]
		phone.sdp, platform.sdp = near.sdp(), far.sdp()
		c.leg = phone.call(e.outside, alice, bob)
		invite := platform.expectRequest("INVITE", c.callID)
		far.to = audioOf(t, invite)
		platform.answer(invite, 200, "OK", "b", "")
		ok := phone.expectStatus(200, "INVITE", c.callID)
		near.to = audioOf(t, ok)
		c.answered(ok)
		platform.expectRequest("ACK", c.callID)
		for _, p := range c.parties {
			listening.Go(func() { p.listen(t, capture) })
		}
		talking.Go(func() { near.say(t) })
		talking.Go(func() {
			<-far.heard // before that the relay has nobody to send to: the phone's address is one of loopback
			far.say(t)
		})
		calls = append(calls, c)
	}
	talking.Wait()
	for _, c := range calls {
		await(t, 10*time.Second, "all that was said to be relayed", func() bool {
			live, err := e.client.Calls(t.Context(), "", 10)
			for _, l := range live {
				if m := l.Media; l.CallID == c.callID && m != nil {
					return m.Outside.Packets == uint64(c.parties[0].sent) && m.Inside.Packets == uint64(c.parties[1].sent) &&
						m.Outside.Sent == m.Inside.Packets && m.Inside.Sent == m.Outside.Packets
				}
			}
			return err != nil
		})
		c.bye()
	}
	for _, c := range calls {
		for _, p := range c.parties {
			p.conn.Close()
		}
	}
	listening.Wait()

	streams := capture.judge(t)
	for _, c := range calls {
		media := e.ended(c.callID).Media
		if media == nil {
			t.Fatalf("no media in the record of %s", c.callID)
		}
		for i, x := range []callrecord.MediaLeg{media.Outside, media.Inside} {
			p := c.parties[i]
			judge, seen := streams[p.ssrc]
			if !seen {
				t.Errorf("%s: tshark has not seen it", p.name)
				continue
			}
			t.Logf("%-36s ours %3d packets, %2d lost (%.2f%%), jitter %.2f, at most %.2f ms   tshark %3d packets, %2d lost (%.1f%%), jitter %.2f to %.2f ms",
				p.name, x.Packets, x.Lost, x.Loss, x.Jitter, x.MaxJitter, judge.packets, judge.lost, judge.lossPercent, judge.minJ, judge.maxJ)
			if int(x.Packets) != judge.packets || int(x.Packets) != p.sent {
				t.Errorf("%s: %d packets, tshark says %d, sent were %d", p.name, x.Packets, judge.packets, p.sent)
			}
			if int(x.Lost) != judge.lost || math.Abs(x.Loss-judge.lossPercent) > 0.06 { // tshark rounds to a tenth
				t.Errorf("%s: %d lost (%.2f%%), tshark says %d (%.1f%%)", p.name, x.Lost, x.Loss, judge.lost, judge.lossPercent)
			}
			if math.Abs(x.MaxJitter-judge.maxJ) > tolerance || x.Jitter < judge.minJ-tolerance || x.Jitter > judge.maxJ+tolerance {
				t.Errorf("%s: jitter %.2f ms, at most %.2f; tshark says %.2f to %.2f", p.name, x.Jitter, x.MaxJitter, judge.minJ, judge.maxJ)
			}
		}
	}
}
