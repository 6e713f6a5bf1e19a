package media

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// quiet is a session without an engine's threads or sockets: enough for route.
func quiet() *Session {
	e := &Engine{epoch: time.Unix(0, 0), options: Options{MediaNets: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}}}
	s := e.newSession(SessionKey{CallID: "call"})
	for leg := range s.legs {
		s.legs[leg].addr = netip.MustParseAddr("192.0.2.1")
	}
	return s
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// speech is an RTP packet as pion writes it.
func speech(pt uint8, seq uint16, ssrc uint32) []byte {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq, Timestamp: uint32(seq) * 160, SSRC: ssrc}, Payload: make([]byte, 160)}
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// The stories in testdata/route are read line by line: what signalling says and which packets come, and what becomes
// of each. "=" stands before the expected outcome: the address and socket that the packet leaves for, or a drop.
func TestRoute(t *testing.T) {
	files, err := filepath.Glob("testdata/route/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories: ", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) { tell(t, name) })
	}
}

func tell(t *testing.T, name string) {
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := quiet()
	now := time.Second
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		told, want, _ := strings.Cut(line, "=")
		words := strings.Fields(told)
		if len(words) == 0 {
			continue
		}
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s:%d: %s: %s", name, n, strings.TrimSpace(line), fmt.Sprintf(format, args...))
		}
		switch words[0] {
		case "+": // time goes by
			d, err := time.ParseDuration(words[1])
			if err != nil {
				fail("%v", err)
			}
			now += d
		case "sdp":
			if err := s.SetRemote(legOf(words[1]), remoteOf(words[2:])); err != nil {
				fail("%v", err)
			}
		default: // outside|inside [rtcp] FROM KIND...
			at := rtpPort(legOf(words[0]))
			if words[1] == "rtcp" {
				at, words = rtcpPort(at.leg()), words[1:]
			}
			for _, packet := range packetsOf(words[2:]) {
				now += time.Millisecond
				to, drop := s.route(at, ap(words[1]), packet, now)
				got := drop.String()
				if drop == dropNone {
					got = to.addr.String()
					if to.port.rtcp() {
						got += " rtcp"
					}
					if to.port.leg() == at.leg() {
						fail("left by the leg that it came in by")
					}
				}
				if got != strings.TrimSpace(want) {
					fail("got %q", got)
				}
			}
		}
	}
}

func legOf(s string) Leg {
	if s == "inside" {
		return Inside
	}
	return Outside
}

func remoteOf(words []string) Remote {
	r := Remote{RTP: ap(words[0]), Payloads: []Payload{{Type: 0}, {Type: 8}, {101, "telephone-event", 8000}}}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, ":")
		switch k {
		case "sig":
			r.Signalling = netip.MustParseAddr(v)
		case "rtcp":
			r.RTCP = ap(v)
		case "mux":
			r.Mux = true
		case "srtp":
			r.Secure = true
		case "loose":
			r.Loose = true
		case "udptl":
			r.Kind, r.Payloads = UDPTL, nil
		default:
			panic(w)
		}
	}
	return r
}

// packetsOf reads "rtp PT SSRC SEQ[..SEQ]", "rr SSRC", "stun", "dtls", "udptl SEQ[..SEQ]" or "hex BYTES".
func packetsOf(w []string) [][]byte {
	num := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			panic(err)
		}
		return n
	}
	span := func(s string) (list []int) {
		from, upto, more := strings.Cut(s, "..")
		if !more {
			upto = from
		}
		for i := num(from); i <= num(upto); i++ {
			list = append(list, i)
		}
		return list
	}
	var list [][]byte
	switch w[0] {
	case "rtp":
		for _, seq := range span(w[3]) {
			list = append(list, speech(uint8(num(w[1])), uint16(seq), uint32(num(w[2]))))
		}
	case "rr":
		list = append(list, []byte{0x80, 201, 0, 1, 0, 0, 0, byte(num(w[1]))})
	case "stun":
		b := make([]byte, 20)
		copy(b, []byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42})
		list = append(list, b)
	case "dtls":
		list = append(list, append([]byte{22, 254, 253}, make([]byte, 20)...))
	case "udptl":
		for _, seq := range span(w[1]) {
			list = append(list, []byte{byte(seq >> 8), byte(seq), 1, 6, 0, 0})
		}
	case "hex":
		b, err := hex.DecodeString(strings.Join(w[1:], ""))
		if err != nil {
			panic(err)
		}
		list = append(list, b)
	default:
		panic(w[0])
	}
	return list
}
