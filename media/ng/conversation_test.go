package ng

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/media/sdp"
)

// fixedRelay answers as a relay would that has one pair of ports for each side: 30000 for the offer's receiver, 30002 for
// the answer's. It knows the calls that were offered and not deleted.
type fixedRelay struct {
	calls map[string]bool
	asked []Request // in order
}

func (f *fixedRelay) handler() Handler {
	f.calls = make(map[string]bool)
	known := func(q Request) bool { f.asked = append(f.asked, q); return f.calls[q.CallID] }
	return Handler{
		Offer: func(q Request) (Response, error) {
			known(q)
			f.calls[q.CallID] = true
			return rewritten(q, 30000)
		},
		Answer: func(q Request) (Response, error) {
			if !known(q) {
				return Response{}, ErrUnknownCall
			}
			return rewritten(q, 30002)
		},
		Query: func(q Request) (Response, error) {
			if !known(q) {
				return Response{}, ErrUnknownCall
			}
			return Response{Report: sampleReport()}, nil
		},
		Delete: func(q Request) (Response, error) {
			if !known(q) {
				return Response{}, ErrUnknownCall
			}
			delete(f.calls, q.CallID)
			return Response{Report: sampleReport()}, nil
		},
		List:       func(q Request) (Response, error) { return Response{}, nil },
		Statistics: func(q Request) (Response, error) { return Response{}, nil },
	}
}

func rewritten(q Request, port uint16) (Response, error) {
	var d sdp.Description
	if f := d.Scan([]byte(q.SDP)); f != sdp.FaultNone {
		return Response{}, ErrSDP
	}
	relay := netip.MustParseAddr("127.0.0.1")
	var r sdp.Rewrite
	for range d.Media {
		r.Media = append(r.Media, sdp.Endpoint{Addr: relay, RTP: port})
	}
	if q.Flags.ReplaceOrigin {
		r.Origin = relay
	}
	if q.Flags.ICE == ICERemove {
		r.ICE = sdp.ICERemove
	}
	return Response{SDP: string(d.Append(nil, &r))}, nil
}

// testdata/kamailio.txt is what a Kamailio 5.6 said to our server while SIPp called through it, and what it was answered, as the interop test
// recorded it: a line for each datagram, ">" from Kamailio's socket of that number, "<" to it, "x" lost on the way to it. Said again, the server answers
// the same: the repeated offer, of which Kamailio had lost the answer, from memory.
func TestKamailioConversation(t *testing.T) {
	file, err := os.Open("testdata/kamailio.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	relay := new(fixedRelay)
	s := &Server{handler: relay.handler()}
	waiting := make(map[string][]string) // socket -> our answers
	lines := 0
	for scanner := bufio.NewScanner(file); scanner.Scan(); lines++ {
		direction, socket, msg := readLine(t, scanner.Text())
		if direction != ">" {
			if len(waiting[socket]) == 0 || waiting[socket][0] != msg {
				t.Errorf("line %d: then it was answered\n%q, now\n%q", lines+1, msg, waiting[socket])
			}
			waiting[socket] = nil
			continue
		}
		n, _ := strconv.Atoi(socket)
		answer, why := s.answer(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(n)), []byte(msg), time.Unix(1700000000, 0))
		if why != dropNone {
			t.Errorf("line %d: %v", lines+1, why)
		}
		waiting[socket] = append(waiting[socket], string(answer))
	}
	if lines == 0 || s.counters.repeated.Load() == 0 || s.counters.refused.Load() != 0 {
		t.Errorf("%d lines, %d repeated, %d refused", lines, s.counters.repeated.Load(), s.counters.refused.Load())
	}
	checkKamailio(t, relay.asked)
}

// checkKamailio: what the module says is what its configuration, testdata/kamailio/rtpengine.cfg, asks it to say.
func checkKamailio(t *testing.T, asked []Request) {
	t.Helper()
	var commands []string
	for _, q := range asked {
		commands = append(commands, string(q.Command))
		if q.CallID == "" || q.FromTag == "" {
			t.Errorf("%v without Call-ID or tag", q.Command)
		}
		f := q.Flags
		switch q.Command {
		case Offer:
			if !f.TrustAddress || !f.ReplaceOrigin || !f.ReplaceSessionConnection || !f.Symmetric || f.ICE != ICERemove ||
				f.Direction != [2]string{"pub", "priv"} || f.AddressFamily != IP4 || f.TransportProtocol != "RTP/AVP" || f.Record != RecordOff ||
				fmt.Sprint(f.RTCPMux) != "[demux]" || fmt.Sprint(f.Other) != "[loop-protect]" || f.ReceivedFrom.String() != "127.0.0.1" ||
				q.Label != "caller" || q.ViaBranch == "" || q.SDP == "" {
				t.Errorf("offer %+v", q)
			}
		case Answer:
			if !f.TrustAddress || !f.ReplaceOrigin || q.Label != "callee" || q.ToTag == "" || q.ViaBranch == "" {
				t.Errorf("answer %+v", q)
			}
		}
	}
	if last := asked[len(asked)-1]; !last.DeleteNow {
		t.Errorf("the delete without delay is %+v", last)
	}
	if got, want := strings.Join(commands, " "), "offer answer query delete offer delete"; got != want {
		t.Errorf("carried out: %s, want %s", got, want)
	}
}

func readLine(t *testing.T, line string) (direction, socket, msg string) {
	t.Helper()
	f := strings.SplitN(line, " ", 3)
	msg, err := strconv.Unquote(f[2])
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return f[0], f[1], msg
}
