package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// One letter is one packet in the order of arrival: its sequence number counted from the first, modified.
func TestAudioIsJudged(t *testing.T) {
	const first = 65530 // so that the count wraps
	peer, other := netip.MustParseAddrPort("127.0.0.11:20000"), netip.MustParseAddrPort("127.0.0.11:20002")
	says, _ := tongues("one")
	_, wrong := tongues("one")
	cases := []struct {
		name, packets, want string
	}{
		{"in order", "0 1 2 3 4 5 6 7 8 9", "10 heard"},
		{"lost", "0 1 4 5 9", "5 heard, lost [65532-65533 65536-65538]"},
		{"one lost at the wrap", "4 5 7", "3 heard, lost [65536]"},
		{"out of order", "0 2 1 3", "4 heard, 1 late"},
		{"out of the middle of a gap", "0 6 3", "3 heard, lost [65531-65532 65534-65535], 1 late"},
		{"twice", "0 1 1 2 0", "3 heard: 2 packets twice"},
		{"another call's or direction's", "0 1w 2", "3 heard: 1 packets with another content than was sent"},
		{"from elsewhere", "0 1f 2", "2 heard, lost [65531]: 1 packets from another address than SDP named"},
		{"another stream", "0 1s 2s", "3 heard: 2 SSRCs"},
		{"unknown payload type", "0 1t 2", "3 heard: 1 packets with another content than was sent"},
		{"a key", "0 1k 2k 3k 4", "5 heard, keys 5"},
		{"a broken key", "0 1b 2", "3 heard: 1 packets with another content than was sent"},
		{"before it has begun", "5 4", "1 heard: 1 packets twice"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := hearing{expects: says, from: peer}
			for word := range strings.FieldsSeq(c.packets) {
				seq := uint16(first) + uint16(word[0]-'0')
				p := rtp.Packet{Header: rtp.Header{SequenceNumber: seq, SSRC: 1, Timestamp: uint32(seq) * packetUnits}, Payload: says.audio(seq)}
				from := peer
				switch word[1:] {
				case "w":
					p.Payload = wrong.audio(seq)
				case "f":
					from = other
				case "s":
					p.SSRC = 2
				case "t":
					p.PayloadType = 8
				case "k":
					p.PayloadType, p.Payload, p.Timestamp = typeEvent, []byte{5, 10, 0, 160}, 77
				case "b":
					p.PayloadType, p.Payload = typeEvent, []byte{16, 10, 0, 160}
				}
				h.take(&p, from, time.Unix(0, 0))
			}
			if got := tell(h.heard()); got != c.want {
				t.Errorf("%s: %s, want %s", c.packets, got, c.want)
			}
		})
	}
}

func tell(h Audio) string {
	s := fmt.Sprintf("%d heard", h.Packets)
	if missing := 0; h.Lost > 0 {
		for _, g := range h.Missing {
			missing += g.To - g.From + 1
		}
		s += fmt.Sprintf(", lost %v", h.Missing)
		if missing != h.Lost {
			s += fmt.Sprintf(" but counted %d", h.Lost)
		}
	}
	if h.Late > 0 {
		s += fmt.Sprintf(", %d late", h.Late)
	}
	if h.Keys != "" {
		s += ", keys " + h.Keys
	}
	if f := h.Faults(); f != "" {
		s += ": " + f
	}
	return s
}

func TestAudioBeforeTheDescriptionIsNotJudged(t *testing.T) {
	h := hearing{}
	h.take(&rtp.Packet{Payload: []byte("what?")}, netip.MustParseAddrPort("127.0.0.11:20000"), time.Unix(0, 0))
	if h.Packets != 0 || h.Faults() != "" {
		t.Errorf("%+v", h.Audio)
	}
}

// However much is lost, the gaps that are kept by name are few, and the count is right.
func TestAudioGapsAreBounded(t *testing.T) {
	says, _ := tongues("one")
	from := netip.MustParseAddrPort("127.0.0.11:20000")
	h := hearing{expects: says, from: from}
	for i := range 1000 {
		seq := uint16(i * 2)
		h.take(&rtp.Packet{Header: rtp.Header{SequenceNumber: seq}, Payload: says.audio(seq)}, from, time.Unix(0, 0))
	}
	if h.Packets != 1000 || h.Lost != 999 || len(h.Missing) != gapsNamed {
		t.Errorf("%d heard, %d lost, %d gaps", h.Packets, h.Lost, len(h.Missing))
	}
}

func TestAudioSince(t *testing.T) {
	earlier := Audio{Packets: 10, Lost: 2, Missing: []Gap{{4, 5}}, Newest: 11, Keys: "19"}
	now := Audio{Packets: 20, Lost: 3, Missing: []Gap{{4, 5}, {14, 14}}, Newest: 22, Keys: "1984", Late: 1}
	if got := tell(now.Since(earlier)); got != "10 heard, lost [14], 1 late, keys 84" {
		t.Error(got)
	}
}

// No two ends of calls sound alike, and no two packets of one.
func TestTonguesDiffer(t *testing.T) {
	var seen []string
	for _, id := range []string{"one", "two"} {
		a, b := tongues(id)
		for _, says := range []tongue{a, b} {
			for seq := range uint16(3) {
				if s := string(says.audio(seq)); slices.Contains(seen, s) {
					t.Errorf("%s says something twice", id)
				} else {
					seen = append(seen, s)
				}
			}
		}
	}
}

func TestDescriptionsAreRead(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:4711")
	for _, d := range []direction{bothWays, {sends: true}, {hears: true}, {}} {
		got, way, ok := described(describe("lab", at, 1, d))
		if !ok || got != at || way != d {
			t.Errorf("%s: %v %s %v", d, got, way, ok)
		}
	}
	for _, c := range []struct{ sdp, want string }{
		{"c=IN IP4 192.0.2.1\na=sendonly\nm=audio 4000 RTP/AVP 0\n", "192.0.2.1:4000 sendonly"},                    // of the session
		{"c=IN IP4 192.0.2.1\na=sendonly\nm=audio 4000 RTP/AVP 0\na=recvonly\n", "192.0.2.1:4000 recvonly"},        // of the line
		{"c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.2\n", "192.0.2.2:4000 sendrecv"},            // likewise
		{"c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nm=video 5 RTP/AVP 9\na=inactive", "192.0.2.1:4000 sendrecv"}, // not ours
		{"c=IN IP4 192.0.2.1\nm=video 5 RTP/AVP 9\nm=audio 4000 RTP/AVP 0\n", "192.0.2.1:4000 sendrecv"},
		{"m=audio 4000 RTP/AVP 0\n", "none"},
		{"c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\n", "none"},
		{"c=IN IP4 192.0.2.1\nm=audio 70000 RTP/AVP 0\n", "none"},
		{"c=IN IP4 relay.example\nm=audio 4000 RTP/AVP 0\n", "none"},
		{"c=IN\nm=audio 4000 RTP/AVP 0\n", "none"},
		{"", "none"},
	} {
		got := "none"
		if at, way, ok := described([]byte(c.sdp)); ok {
			got = fmt.Sprintf("%v %s", at, way)
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.sdp, got, c.want)
		}
	}
}
