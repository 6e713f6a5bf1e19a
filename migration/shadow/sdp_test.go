package shadow

import (
	"net/netip"
	"strings"
	"testing"
)

func mustSDP(t *testing.T, s string) *sdp {
	t.Helper()
	d, ok := readSDP([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
	if !ok {
		t.Fatalf("unreadable:\n%s", s)
	}
	return d
}

func TestAnAnswerIsTheModelsReducedToTheOffer(t *testing.T) {
	const head = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
	for name, c := range map[string]struct{ offer, model, want string }{
		"other numbers, the model's order": {
			"m=audio 4000 RTP/AVP 0 8 96\na=rtpmap:96 telephone-event/8000\n",
			"m=audio 5000 RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\n",
			"m=audio 30000 RTP/AVP 8 0 96\na=rtpmap:96 telephone-event/8000\na=fmtp:96 0-15\na=ptime:20\n"},
		"nothing in common": {"m=audio 4000 RTP/AVP 0\n", "m=audio 5000 RTP/AVP 9\n", "m=audio 0 RTP/AVP 0\n"},
		"a second medium that the model lacks": {"m=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\n", "m=audio 5000 RTP/AVP 0\n",
			"m=audio 30000 RTP/AVP 0\nm=video 0 RTP/AVP 31\n"},
		"refused by the model": {"m=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 31\n", "m=audio 5000 RTP/AVP 0\nm=video 0 RTP/AVP 31\n",
			"m=audio 30000 RTP/AVP 0\nm=video 0 RTP/AVP 31\n"},
		"hold":      {"m=audio 4000 RTP/AVP 0\na=sendonly\n", "m=audio 5000 RTP/AVP 0\n", "m=audio 30000 RTP/AVP 0\na=recvonly\n"},
		"both hold": {"m=audio 4000 RTP/AVP 0\na=sendonly\n", "m=audio 5000 RTP/AVP 0\na=sendonly\n", "m=audio 30000 RTP/AVP 0\na=inactive\n"},
		"one suite, another key": {"m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\na=crypto:2 X inline:secret\n", "m=audio 5000 RTP/SAVP 0\n",
			"m=audio 30000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + strings.Repeat("k", 40) + "\n"},
		"fax": {"m=image 4000 udptl t38\n", "m=image 5000 udptl t38\na=T38FaxVersion:0\n", "m=image 30000 udptl t38\na=T38FaxVersion:0\n"},
	} {
		d := answer(mustSDP(t, head+c.offer), mustSDP(t, head+c.model))
		v := voice{addr: netip.MustParseAddr("192.0.2.1"), session: "7", version: 2, key: strings.Repeat("k", 64)}
		got := strings.ReplaceAll(string(v.describe(d)), "\r\n", "\n")
		got = strings.Replace(got, "a=sendrecv\n", "", 1)
		want := "v=0\no=- 7 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n" + c.want
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestKeysAreAsLongAsTheirSuiteWants(t *testing.T) {
	v := voice{key: strings.Repeat("k", 64)}
	for suite, n := range map[string]int{"AES_CM_128_HMAC_SHA1_80": 40, "AES_256_CM_HMAC_SHA1_80": 64, "AES_192_CM_HMAC_SHA1_32": 52, "AEAD_AES_128_GCM": 40, "AEAD_AES_256_GCM": 60} {
		if got := v.keyFor(suite); len(got) != n {
			t.Errorf("%s: %d characters, %d are its key and salt", suite, len(got), n)
		}
	}
}

func FuzzSDP(f *testing.F) {
	f.Add([]byte(liveSDP), []byte(darkSDP))
	f.Add([]byte(richSDP), []byte("m=audio 1 RTP/AVP 0\r\na=rtpmap:0 x\r\nm=x 0 y z\r\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		offer, ok := readSDP(a)
		model, ok2 := readSDP(b)
		if !ok || !ok2 {
			return
		}
		v := voice{addr: netip.MustParseAddr("192.0.2.1"), session: "7", version: 2, key: strings.Repeat("k", 64)}
		for _, d := range []*sdp{answer(offer, model), answer(offer, nil), model} {
			if len(d.sections) != len(offer.sections) && d != model {
				t.Fatalf("an answer of %d sections to %d", len(d.sections), len(offer.sections))
			}
			if out := string(v.describe(d)); strings.Contains(out, "IN IP4 10.") {
				t.Errorf("an address:\n%s", out)
			}
		}
	})
}
