package ng

import (
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// What the client writes, the server reads as the same.
func TestRequestRoundTrip(t *testing.T) {
	for _, q := range []Request{
		{Command: Ping},
		{Command: Offer, CallID: "c", FromTag: "f", SDP: "v=0\r\n", LoadLimit: true},
		{Command: Answer, CallID: "c", FromTag: "f", ToTag: "t", ViaBranch: "b", Label: "l", ToLabel: "m", SDP: "v=0\r\n", Flags: Flags{
			TrustAddress: true, SIPSourceAddress: true, Symmetric: true, Asymmetric: true, PortLatching: true,
			ReplaceOrigin: true, ReplaceSessionConnection: true, ICE: ICEForce, Direction: [2]string{"pub", "priv"}, AddressFamily: IP6,
			TransportProtocol: "RTP/AVP", RTCPMux: []string{"demux", "accept"}, ReceivedFrom: netip.MustParseAddr("192.0.2.1"),
			MediaAddress: netip.MustParseAddr("2001:db8::1"), Record: RecordOff, Other: []string{"loop-protect"},
		}},
		{Command: Delete, CallID: "c", DeleteNow: true, Fatal: true},
		{Command: Delete, CallID: "c", DeleteDelay: 30 * time.Second},
		{Command: Query, CallID: "c"},
		{Command: List, Limit: 3},
		{Command: Statistics},
	} {
		d, err := decode(appendDict(nil, q.dict()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readRequest(d); err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%v: %+v, want %+v", err, got, q)
		}
	}
}

// Spellings that proxies use.
func TestRequestSpellings(t *testing.T) {
	got, err := readRequest(Dict{
		"command": "offer", "sdp": "v=0", "call-id": "c", "from-tag": "f", "from-label": "l",
		"flags":         []any{"trust address", "replace-origin", "SIP-source-address", "fatal", int64(5), "unknown one"},
		"replace":       []any{"session connection"},
		"received from": []any{"IP4", "192.0.2.1"}, "media address": "2001:db8::1", "address family": "IP4",
		"transport protocol": "RTP/SAVPF", "record call": "NO", "rtcp-mux": "require", "direction": []any{"a"},
		"ICE": "optional", "delete delay": int64(-1), "unknown": Dict{}, "label": int64(7),
	})
	want := Request{Command: Offer, SDP: "v=0", CallID: "c", FromTag: "f", Label: "l", Fatal: true, DeleteNow: true, Flags: Flags{
		TrustAddress: true, SIPSourceAddress: true, ReplaceOrigin: true, ReplaceSessionConnection: true,
		ReceivedFrom: netip.MustParseAddr("192.0.2.1"), MediaAddress: netip.MustParseAddr("2001:db8::1"), AddressFamily: IP4,
		TransportProtocol: "RTP/SAVPF", Record: RecordOff, RTCPMux: []string{"require"}, Other: []string{"unknown-one"},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v:\n%+v, want\n%+v", err, got, want)
	}
	both, err := readRequest(Dict{"command": "ping", "media address": "192.0.2.1", "media-address": "192.0.2.2"})
	if err != nil || both.Flags.MediaAddress != netip.MustParseAddr("192.0.2.2") {
		t.Errorf("%v: of two spellings %v counts", err, both.Flags.MediaAddress)
	}
}

// Kamailio says a delay of 0 in two spellings, as an integer and as a string.
func TestDeleteDelayOfKamailio(t *testing.T) {
	for in, want := range map[any]bool{"0": true, int64(0): true, "5": false, "now": false} {
		q, err := readRequest(Dict{"command": "delete", "call-id": "c", "delete-delay": in, "delete delay": int64(0)})
		if err != nil || q.DeleteNow != want {
			t.Errorf("%v: %v, %v", in, q.DeleteNow, err)
		}
	}
}

// A name is not an address, and nobody looks it up.
func TestNamesAreNoAddresses(t *testing.T) {
	for _, s := range []string{"relay.example", "fe80::1%eth0", "192.0.2.010", ""} {
		if a := address(s); a.IsValid() {
			t.Errorf("%q is %v", s, a)
		}
	}
}

func TestMissingKeys(t *testing.T) {
	for _, c := range []struct {
		in   Dict
		want error
	}{
		{Dict{}, ErrNoCommand},
		{Dict{"command": int64(1)}, ErrNoCommand},
		{Dict{"command": "start recording", "call-id": "c"}, ErrCommand},
		{Dict{"command": "offer"}, ErrNoSDP},
		{Dict{"command": "offer", "sdp": int64(1)}, ErrNoSDP},
		{Dict{"command": "offer", "sdp": "v=0"}, ErrNoCallID},
		{Dict{"command": "offer", "sdp": "v=0", "call-id": "c"}, ErrNoFromTag},
		{Dict{"command": "answer", "sdp": "v=0", "call-id": "c", "from-tag": "f"}, ErrNoToTag},
		{Dict{"command": "delete"}, ErrNoCallID},
		{Dict{"command": "delete", "call-id": "c"}, nil},
		{Dict{"command": "query"}, ErrNoCallID},
		{Dict{"command": "list"}, nil},
		{Dict{"command": "statistics"}, nil},
	} {
		if _, err := readRequest(c.in); err != c.want {
			t.Errorf("%v: %v, want %v", c.in, err, c.want)
		}
	}
}
