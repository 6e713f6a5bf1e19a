package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func marshal(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// talking is a session whose parties have both sent.
func talking(t testing.TB) *Session {
	s := quiet()
	for leg, addr := range []string{"198.51.100.7:4000", "10.9.0.1:6000"} {
		if err := s.SetRemote(Leg(leg), Remote{RTP: ap(addr)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		for leg, addr := range []string{"198.51.100.7:4000", "10.9.0.1:6000"} {
			if _, drop := s.route(rtpPort(Leg(leg)), ap(addr), speech(0, uint16(i), uint32(100+leg)), time.Duration(i)); drop != dropNone && i > 0 {
				t.Fatal(drop)
			}
		}
	}
	return s
}

// A sender report of the inside passes at 10 s; the outside answers at 10.25 s and says that it held it for 0.125 s.
func TestRoundTrip(t *testing.T) {
	s := talking(t)
	sr := marshal(t, &rtcp.SenderReport{SSRC: 101, NTPTime: 0x1111_2222_3333_4444, RTPTime: 5, PacketCount: 6, OctetCount: 7})
	if to, drop := s.route(insideRTCP, ap("10.9.0.1:6001"), sr, 10*time.Second); drop != dropNone || to.addr != ap("198.51.100.7:4001") {
		t.Fatal(to, drop)
	}
	rr := marshal(t, &rtcp.ReceiverReport{SSRC: 100, Reports: []rtcp.ReceptionReport{
		{SSRC: 555, FractionLost: 200},
		{SSRC: 101, FractionLost: 64, TotalLost: 12, Jitter: 80, LastSenderReport: 0x2222_3333, Delay: 8192},
	}}, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 100, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "x"}}}}})
	if _, drop := s.route(outsideRTCP, ap("198.51.100.7:4001"), rr, 10250*time.Millisecond); drop != dropNone {
		t.Fatal(drop)
	}
	far := s.stats(11 * time.Second).Legs[Outside].Far
	if far.Reports != 1 || far.Fraction != 0.25 || far.Lost != 12 || far.Jitter != 10*time.Millisecond {
		t.Errorf("%+v", far)
	}
	if far.Trips != 1 || far.RoundTrip != 125*time.Millisecond || far.MeanTrip != 125*time.Millisecond || far.MaxTrip != 125*time.Millisecond {
		t.Errorf("round trip %+v", far)
	}
	// An answer to a report that never passed, and one that claims to have held it for longer than it was away.
	for _, block := range []rtcp.ReceptionReport{
		{SSRC: 101, LastSenderReport: 0x9999_9999, Delay: 1}, {SSRC: 101, LastSenderReport: 0x2222_3333, Delay: 1 << 20},
	} {
		s.route(outsideRTCP, ap("198.51.100.7:4001"), marshal(t, &rtcp.ReceiverReport{SSRC: 100, Reports: []rtcp.ReceptionReport{block}}), 11*time.Second)
	}
	if far := s.stats(11 * time.Second).Legs[Outside].Far; far.Trips != 1 || far.Reports != 3 {
		t.Errorf("%+v", far)
	}
}

// Negative totals of lost packets (duplicates) are 24 bits wide.
func TestNegativeLoss(t *testing.T) {
	var v farView
	block := make([]byte, blockSize)
	block[5], block[6], block[7] = 0xff, 0xff, 0xfe
	v.block(block, 0)
	if v.lost != -2 {
		t.Fatal(v.lost)
	}
}

// What is read of a report is what pion reads; what is not one ends the walk.
func FuzzWalkRTCP(f *testing.F) {
	f.Add(marshal(f, &rtcp.SenderReport{SSRC: 1, NTPTime: 1 << 33, Reports: []rtcp.ReceptionReport{{SSRC: 2}}}, &rtcp.Goodbye{Sources: []uint32{1}}))
	f.Add(marshal(f, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 2, TotalLost: 5}, {SSRC: 3}}}))
	f.Add([]byte{0x9f, 200, 0, 6, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		type report struct {
			kind   uint8
			blocks int
			ssrc   uint32
		}
		var ours []report
		walkRTCP(b, func(kind uint8, body []byte, blocks int) {
			ours = append(ours, report{kind, blocks, uint32(body[0])<<24 | uint32(body[1])<<16 | uint32(body[2])<<8 | uint32(body[3])})
		})
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return // pion refuses the whole for one fault; we have read up to it
		}
		i := 0
		for _, p := range packets {
			var want report
			switch p := p.(type) {
			case *rtcp.SenderReport:
				want = report{typeSR, len(p.Reports), p.SSRC}
			case *rtcp.ReceiverReport:
				want = report{typeRR, len(p.Reports), p.SSRC}
			default:
				continue
			}
			if i >= maxCompond {
				return
			}
			if i >= len(ours) || ours[i] != want {
				t.Fatalf("report %d: %+v, pion reads %+v", i, ours, want)
			}
			i++
		}
	})
}
