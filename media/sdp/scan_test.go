package sdp

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// crlf writes a description with "\n" as one with CRLF.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

const head = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"

// Every refusal, by its label, and the nearest thing that is none.
func TestFaults(t *testing.T) {
	manyMedia := func(n int) string { return head + strings.Repeat("m=audio 4000 RTP/AVP 0\n", n) }
	for _, c := range []struct {
		name string
		sdp  string
		want Fault
	}{
		{"plain", head + "m=audio 4000 RTP/AVP 0\n", FaultNone},
		{"no end of the last line", head + "m=audio 4000 RTP/AVP 0", FaultNone},
		{"empty lines at the end", head + "m=audio 4000 RTP/AVP 0\n\n\n", FaultNone},
		{"spaces in m=", head + "m=audio  4000 RTP/AVP 0 8 \n", FaultNone},
		{"no s=, no t=", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n", FaultNone},
		{"no media", head, FaultNone},
		{"o= of a user with spaces", "v=0\no=Desk Phone 1 1 IN IP4 192.0.2.1\n", FaultNone},
		{"o= of three words", "v=0\no=- 1 1\n", FaultNone},
		{"unknown type", head + "y=0100000001\n", FaultNone},
		{"name in c=", "v=0\nc=IN IP4 phone.example\nm=audio 4000 RTP/AVP 0\n", FaultNone},
		{"port 0 needs no c=", "v=0\nm=audio 0 RTP/AVP 0\n", FaultNone},
		{"port 0 needs no format", head + "m=audio 0 RTP/AVP\n", FaultNone},
		{"one port", head + "m=audio 4000/1 RTP/AVP 0\n", FaultNone},
		{"greatest port", head + "m=audio 65535 RTP/AVP 0\n", FaultNone},
		{"ptime with a fraction", head + "m=audio 4000 RTP/AVP 96\na=ptime:2.5\n", FaultNone},
		{"IPv6", "v=0\nc=IN IP6 2001:db8::1\nm=audio 4000 RTP/AVP 0\n", FaultNone},

		{"too large", head + "s=" + strings.Repeat("x", MaxSize) + "\n", FaultTooLarge},
		{"too many lines", head + strings.Repeat("a=x\n", MaxLines), FaultLineCount},
		{"nothing", "", FaultVersion},
		{"empty line first", "\n" + head, FaultVersion},
		{"version 1", "v=1\n", FaultVersion},
		{"no version", "o=- 1 1 IN IP4 192.0.2.1\n", FaultVersion},
		{"upper-case type", head + "M=audio 4000 RTP/AVP 0\n", FaultLine},
		{"space before =", head + "m =audio 4000 RTP/AVP 0\n", FaultLine},
		{"text", head + "hello\n", FaultLine},
		{"empty line", head + "\nm=audio 4000 RTP/AVP 0\n", FaultEmptyLine},
		{"NUL", head + "s=a\x00b\n", FaultNUL},
		{"second v=", head + "v=0\n", FaultDuplicateLine},
		{"second o=", head + "o=- 1 1 IN IP4 192.0.2.1\n", FaultDuplicateLine},
		{"o= of a media", head + "m=audio 4000 RTP/AVP 0\no=- 1 1 IN IP4 192.0.2.1\n", FaultDuplicateLine},
		{"second c= of the session", head + "c=IN IP4 192.0.2.2\n", FaultDuplicateConnection},
		{"second c= of a media", head + "m=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.2\nc=IN IP4 192.0.2.3\n", FaultDuplicateConnection},
		{"second a=rtcp", head + "m=audio 4000 RTP/AVP 0\na=rtcp:1\na=rtcp:2\n", FaultDuplicateRTCP},
		{"32 media", manyMedia(MaxMedia), FaultNone},
		{"33 media", manyMedia(MaxMedia + 1), FaultMediaCount},
		{"m= without protocol", head + "m=audio 4000\n", FaultMediaLine},
		{"m= without format", head + "m=audio 4000 RTP/AVP\n", FaultMediaLine},
		{"port over 65535", head + "m=audio 65536 RTP/AVP 0\n", FaultPort},
		{"port of many digits", head + "m=audio 000004000 RTP/AVP 0\n", FaultPort},
		{"negative port", head + "m=audio -1 RTP/AVP 0\n", FaultPort},
		{"no port", head + "m=audio /1 RTP/AVP 0\n", FaultPort},
		{"a=rtcp over 65535", head + "m=audio 4000 RTP/AVP 0\na=rtcp:70000\n", FaultPort},
		{"two ports", head + "m=audio 4000/2 RTP/AVP 0\n", FaultPortCount},
		{"129 formats", head + "m=audio 4000 RTP/AVP" + strings.Repeat(" 0", MaxFormats+1) + "\n", FaultFormatCount},
		{"c= of one word", "v=0\nc=IN\n", FaultConnection},
		{"c= with a tail", "v=0\nc=IN IP4 192.0.2.1 x\n", FaultConnection},
		{"c= of another network", "v=0\nc=ATM NSAP 47.0091\n", FaultConnection},
		{"IP6 that is IPv4", "v=0\nc=IN IP6 192.0.2.1\n", FaultConnection},
		{"IP4 that is IPv6", "v=0\nc=IN IP4 2001:db8::1\n", FaultConnection},
		{"zone", "v=0\nc=IN IP6 fe80::1%eth0\n", FaultConnection},
		{"octal address", "v=0\nc=IN IP4 192.0.2.010\n", FaultConnection},
		{"address of three", "v=0\nc=IN IP4 192.0.2\n", FaultConnection},
		{"unicast with a TTL", "v=0\nc=IN IP4 192.0.2.1/127\n", FaultConnection},
		{"name with an at", "v=0\nc=IN IP4 a@b\n", FaultConnection},
		{"address of a=rtcp", head + "m=audio 4000 RTP/AVP 0\na=rtcp:1 IN IP4 x y\n", FaultConnection},
		{"multicast", "v=0\nc=IN IP4 224.2.1.1/127\n", FaultMulticast},
		{"multicast without TTL", "v=0\nc=IN IP6 ff15::101\n", FaultMulticast},
		{"no c=", "v=0\nm=audio 4000 RTP/AVP 0\n", FaultNoConnection},
		{"c= of another media", "v=0\nm=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\nc=IN IP4 192.0.2.1\n", FaultNoConnection},
		{"ptime 0", head + "m=audio 4000 RTP/AVP 0\na=ptime:0\n", FaultPtime},
		{"ptime 0.0", head + "m=audio 4000 RTP/AVP 0\na=ptime:0.0\n", FaultPtime},
		{"ptime of the session", head + "a=ptime:00\nm=audio 4000 RTP/AVP 0\n", FaultPtime},
		{"ptime no number", head + "m=audio 4000 RTP/AVP 0\na=ptime:x\n", FaultPtime},
		{"ptime without value", head + "m=audio 4000 RTP/AVP 0\na=ptime\n", FaultPtime},
		{"ptime negative", head + "m=audio 4000 RTP/AVP 0\na=ptime:-20\n", FaultPtime},
		{"33 names in a bundle", head + "a=group:BUNDLE" + strings.Repeat(" a", MaxMedia+1) + "\n", FaultBundle},
		{"33 bundles", head + strings.Repeat("a=group:BUNDLE a\n", MaxMedia+1), FaultBundle},
	} {
		var d Description
		if got := d.Scan(crlf(c.sdp)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := d.Scan([]byte(c.sdp)); got != c.want {
			t.Errorf("%s, with LF: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestLineEnds(t *testing.T) {
	for text, want := range map[string]Fault{
		"v=0\r\ns=-\nt=0 0\r\n":  FaultLineEnds,
		"v=0\ns=-\r\n":           FaultLineEnds,
		"v=0\r\ns=-":             FaultNone,
		"v=0\ns=-":               FaultNone,
		"v=0\r\ns=a\rm=x\r\n":    FaultBareCR,
		"v=0\r\ns=-\r":           FaultBareCR,
		"v=0\r\ns=-\r\r\n":       FaultBareCR,
		"v=0\r\ns=-\r\n\r\n\r\n": FaultNone,
	} {
		var d Description
		if got := d.Scan([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestLabelsAreDistinct(t *testing.T) {
	seen := make(map[string]Fault)
	for f := range Faults() {
		if other, twice := seen[f.String()]; twice || f.String() == "" || !strings.HasPrefix(f.String(), "sdp_") {
			t.Errorf("fault %d has the label %q, as %d", f, f, other)
		}
		seen[f.String()] = f
	}
}

func mustScan(t *testing.T, text string) *Description {
	t.Helper()
	d := new(Description)
	if f := d.Scan(crlf(text)); f != FaultNone {
		t.Fatalf("%v:\n%s", f, text)
	}
	return d
}

func TestIndex(t *testing.T) {
	d := mustScan(t, `v=0
o=- 2890844526 2890842807 IN IP6 2001:db8::10
s=-
c=IN IP4 192.0.2.1
t=0 0
a=sendonly
a=group:BUNDLE a d
m=audio 4000 UDP/TLS/RTP/SAVPF 111 0 101
i=the audio
c=IN IP6 2001:db8::1
a=mid:a
a=rtcp:4007 IN IP4 192.0.2.9
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=recvonly
a=setup:actpass
a=fingerprint:sha-256 AB:CD
a=ice-ufrag:u
a=ice-pwd:p
a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host
m=image 4010 udptl t38
m=application 4000 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP6 2001:db8::1
a=mid:d
m=message 2855 TCP/MSRP *
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x
`)
	if len(d.Media) != 4 {
		t.Fatalf("%d media", len(d.Media))
	}
	audio := &d.Media[0]
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("origin", d.Origin.Addr, netip.MustParseAddr("2001:db8::10"))
	check("session direction", d.Direction, SendOnly)
	check("type", string(audio.Type.Of(d.Raw)), "audio")
	check("proto", string(audio.Proto.Of(d.Raw)), "UDP/TLS/RTP/SAVPF")
	check("direction", audio.Direction, RecvOnly)
	check("ptime", audio.Ptime, 20*time.Millisecond)
	check("mux", audio.RTCPMux, true)
	check("mux only", audio.RTCPMuxOnly, false)
	check("ICE", audio.ICE, true)
	check("ICE of the image", d.Media[1].ICE, false)
	check("image inherits", d.Media[1].Direction, SendOnly)
	check("held", d.Held(1), true)
	for i, want := range []Kind{KindRTP, KindUDPTL, KindDTLS, KindOther} {
		check("kind", d.Media[i].Kind, want)
		check("relayable", d.Relayable(i), want != KindOther)
	}
	rtp, rtcp := d.Endpoint(0)
	check("rtp", rtp.String(), "[2001:db8::1]:4000")
	check("rtcp", rtcp.String(), "192.0.2.9:4007")
	rtp, rtcp = d.Endpoint(1)
	check("image", rtp.String(), "192.0.2.1:4010")
	check("no rtcp", rtcp.IsValid(), false)
	check("bundled", d.SharesPort(2), 0)
	check("not bundled", d.SharesPort(1), 1)
	set := d.PayloadTypes(0)
	check("111", set.Has(111), true)
	check("101", set.Has(101), true)
	check("8", set.Has(8), false)
	check("200", set.Has(200), false)
	check("opus", d.Codec(0, 111), Codec{"opus", 48000})
	check("static", d.Codec(0, 0), Codec{"PCMU", 8000})
	check("unknown", d.Codec(0, 99), Codec{})
	var kinds []AttributeKind
	for _, a := range d.Attributes {
		if a.Media == 0 {
			kinds = append(kinds, a.Kind)
		}
	}
	check("attributes", len(kinds), 7)
	check("crypto of the last", d.Attributes[len(d.Attributes)-1].Media, 3)
}

func TestHold(t *testing.T) {
	for _, c := range []struct {
		sdp  string
		held bool
		rtp  bool
	}{
		{"v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n", true, false},
		{"v=0\nc=IN IP6 ::\nm=audio 4000 RTP/AVP 0\n", true, false},
		{"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", true, false},
		{"v=0\nc=IN IP4 192.0.2.1\na=inactive\nm=audio 4000 RTP/AVP 0\n", true, true},
		{"v=0\nc=IN IP4 192.0.2.1\na=inactive\nm=audio 4000 RTP/AVP 0\na=sendrecv\n", false, true},
		{"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=recvonly\n", false, true},
		{"v=0\nc=IN IP4 0.0.0.0\na=ice-ufrag:u\nm=audio 9 RTP/AVP 0\n", false, false}, // candidates follow
	} {
		d := mustScan(t, c.sdp)
		if rtp, _ := d.Endpoint(0); d.Held(0) != c.held || rtp.IsValid() != c.rtp {
			t.Errorf("held %v, endpoint %v:\n%s", d.Held(0), rtp, c.sdp)
		}
	}
}

func TestScanKeepsItsMemory(t *testing.T) {
	raw := crlf(head + "m=audio 4000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\na=ptime:20\na=sendrecv\n")
	var d Description
	d.Scan(raw)
	if n := testing.AllocsPerRun(100, func() { d.Scan(raw) }); n > 2 { // netip.ParseAddr of the two addresses
		t.Errorf("%v allocations", n)
	}
}
