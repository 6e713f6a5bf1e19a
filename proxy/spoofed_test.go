package proxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/transport"
)

// TestSpoofedSources: whoever writes another source into every datagram does not make the edge grow. Each source says
// something else: requests that go on and are never answered, refused ones, responses, nonsense. The first quarter fills
// the tables; the rest must leave memory where it was: the peak of what is resident, where this is all that the process does (the
// collector lets the heap grow before it cleans up, and what lives is spread over it ever more), else what is resident after a collection.
func TestSpoofedSources(t *testing.T) {
	q := newQuiet(t, func(c *config.Config) {
		if l := &c.Limits; spoofedTables > 0 {
			l.Transactions, l.Sources, l.Dialogs, l.Choices, l.Bindings = spoofedTables, spoofedTables, spoofedTables, spoofedTables, spoofedTables
		}
	}, tenant("acme", policy.StageLegacy), tenant("moved", policy.StageCore))
	sent := 0
	out := transport.Capture(func(transport.Peer, []byte, uint64) { sent++ })
	templates := spoofedMessages()
	raw := make([]byte, 0, 4096)
	say := func(i int) {
		x := templates[i%len(templates)]
		var id [8]byte
		for k, n := len(id)-1, i; k >= 0; k, n = k-1, n/10 {
			id[k] = byte('0' + n%10)
		}
		raw = raw[:0]
		for k, part := range x {
			if k > 0 {
				raw = append(raw, id[:]...)
			}
			raw = append(raw, part...)
		}
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(i)*2654435761) // all over the address space, none twice
		q.at += int64(30 * time.Microsecond)
		q.message(q.at, transport.Peer{Listener: quietOut, Proto: transport.UDP, Addr: netip.AddrPortFrom(netip.AddrFrom4(a), uint16(1024+i%60000))}, raw, out)
		if i%1000 == 999 {
			q.tick(q.at, out)
		}
	}
	const warm = spoofedSources / 4
	for i := range warm {
		say(i)
	}
	before := spoofedMemory(t)
	for i := warm; i < spoofedSources; i++ {
		say(i)
	}
	after := spoofedMemory(t)
	t.Logf("resident %d KiB after %d sources, %d KiB after %d; %d messages sent; %d requests held", before>>10, warm, after>>10, spoofedSources, sent, q.held())
	if after > before+before/20+spoofedSlack {
		t.Errorf("memory grew from %d KiB to %d KiB", before>>10, after>>10)
	}
	if sent < spoofedSources/20 {
		t.Errorf("only %d messages were sent: the edge did not work", sent)
	}
	noPanic(t, q)
}

func (q *quiet) held() int64 { return q.Edge.held.Load() }

// spoofedMessages are cut where a number of their own goes.
func spoofedMessages() (list [][][]byte) {
	add := func(text string) { list = append(list, bytes.Split(crlf(text), []byte("@@"))) }
	body := "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0 8\n"
	for _, x := range []struct{ method, uri, to, extra, body string }{
		{"INVITE", "sip:bob@acme.example", "<sip:bob@acme.example>", "Contact: <sip:a@192.0.2.1>\nContent-Type: application/sdp\n", body},
		{"INVITE", "sip:@@@nobody.example", "<sip:@@@nobody.example>", "Contact: <sip:a@192.0.2.1>\n", ""},
		{"REGISTER", "sip:acme.example", "<sip:u@@@acme.example>", "Contact: <sip:u@@@192.0.2.1>\nExpires: 3600\n", ""},
		{"OPTIONS", "sip:acme.example", "<sip:acme.example>", "", ""},
		{"SUBSCRIBE", "sip:bob@moved.example", "<sip:bob@moved.example>", "Event: dialog\nExpires: 3600\nContact: <sip:a@192.0.2.1>\n", ""},
		{"MESSAGE", "sip:bob@moved.example", "<sip:bob@moved.example>", "Content-Type: text/plain\n", "hello"},
		{"BYE", "sip:bob@acme.example", "<sip:bob@acme.example>;tag=@@", "Route: <sip:AUQBAAAA@sip.provider.test;lr>\n", ""},
		{"NOTIFY", "sip:bob@acme.example", "<sip:bob@acme.example>;tag=@@", "Event: dialog\nSubscription-State: active\n", ""},
		{"CANCEL", "sip:bob@acme.example", "<sip:bob@acme.example>", "", ""},
		{"ACK", "sip:bob@acme.example", "<sip:bob@acme.example>;tag=1", "", ""},
		{"INVITE", "sip:bob@acme.example", "<sip:bob@acme.example>", "Max-Forwards: 0\n", ""},
		{"X@@", "sip:bob@acme.example", "<sip:bob@acme.example>", "", ""},
	} {
		add(fmt.Sprintf("%s %s SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK@@\nFrom: <sip:a@acme.example>;tag=@@\nTo: %s\nCall-ID: @@@192.0.2.1\nCSeq: 1 %s\n%sContent-Length: %d\n\n%s",
			x.method, x.uri, x.to, x.method, x.extra, len(crlf(x.body)), x.body))
	}
	add("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKh0@@\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK@@\nFrom: <sip:a@b>;tag=@@\nTo: <sip:b@c>;tag=@@\nCall-ID: @@\nCSeq: 1 INVITE\nContent-Length: 0\n\n")
	add("@@\n\n")
	add("INVITE sip:bob@acme.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK@@\nCall-ID: @@\nCSeq: 1 INVITE\n\n")
	return list
}
