package ng

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

func sampleReport() *Report {
	at := time.Unix(1700000000, 0)
	port := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	return &Report{
		Created: at, LastSignal: at.Add(time.Second),
		RTP: Counters{10, 1720, 1}, RTCP: Counters{2, 100, 0},
		Tags: []Tag{
			{Name: "f", Label: "a", Created: at, With: []string{"t"}, Medias: []Media{{
				Index: 1, Type: "audio", Protocol: "RTP/AVP", Codec: "PCMU/8000", Flags: []string{"initialized"}, Streams: []Stream{
					{Local: port("127.0.0.1:30000"), Endpoint: port("[2001:db8::1]:4000"), Advertised: port("192.0.2.1:4000"),
						LastPacket: at, SSRC: 7, Flags: []string{"RTP"}, Counters: Counters{10, 1720, 1}},
					{Flags: []string{"RTCP"}, Counters: Counters{2, 100, 0}},
				},
			}}},
			{Name: "t", ViaBranch: "b", With: []string{"f"}},
		},
		SSRC: []Quality{{SSRC: 7, Average: QualityPoint{MOS: 43, RoundTrip: 1200, RoundTripLeg: 600, Jitter: 3, PacketLoss: 1, Samples: 4},
			Lowest: QualityPoint{MOS: 40, ReportedAt: at}, Highest: QualityPoint{MOS: 44, ReportedAt: at}}},
	}
}

// What the server writes, the client reads as the same.
func TestResponseRoundTrip(t *testing.T) {
	for _, c := range []struct {
		command Command
		r       Response
	}{
		{Offer, Response{SDP: "v=0\r\n", Warning: "w"}},
		{List, Response{Calls: []string{"a", "b"}}},
		{List, Response{}},
		{Query, Response{Report: sampleReport()}},
		{Statistics, Response{Statistics: Dict{"sessions": int64(3)}}},
	} {
		d, err := decode(appendDict(nil, c.r.dict(c.command)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readResponse(c.command, d); err != nil || !reflect.DeepEqual(got, c.r) {
			t.Errorf("%v:\n%+v, want\n%+v", err, got, c.r)
		}
	}
}

func TestResponseErrors(t *testing.T) {
	for _, c := range []struct {
		command Command
		in      Dict
		want    error
	}{
		{Ping, Dict{"result": "pong"}, nil},
		{Offer, Dict{"result": "pong"}, Reason("no result that is known: pong")},
		{Offer, Dict{}, Reason("no result that is known: ")},
		{Offer, Dict{"result": "load limit", "message": "m"}, ErrLoadLimit},
		{Query, Dict{"result": "error", "error-reason": "Unknown call-id"}, ErrUnknownCall},
		{Query, Dict{"result": "error"}, Reason("no reason given")},
	} {
		if _, err := readResponse(c.command, c.in); err != c.want {
			t.Errorf("%v: %v, want %v", c.in, err, c.want)
		}
	}
}
