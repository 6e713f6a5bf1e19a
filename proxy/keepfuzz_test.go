package proxy

import (
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/location"
)

// Whatever a registrar answers: no panic, no more than a few requests, and only a 2xx changes what the platform holds.
func FuzzKeepAnswer(f *testing.F) {
	for _, s := range []string{
		"200 OK\nContact: <sip:anna@192.0.2.9:5062;transport=udp;x=y>;expires=60\nService-Route: <sip:a;lr>, <sip:b;lr>",
		"200 OK\nExpires: 99999999999999999999", "200 OK\nContact: *", "299 x\nContact: <sip:0000000000000000@a>;expires=-1",
		"401 Unauthorized\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", stale=true", "407 x\nProxy-Authenticate: Digest realm=,nonce=",
		"423 Interval Too Brief\nMin-Expires: 4294967295", "503 x\nRetry-After: 99999999999 (x);duration=1", "699 x",
	} {
		f.Add(s)
	}
	secrets := writeSecrets(f, "anna@acme.example * password:tiger\n")
	f.Fuzz(func(t *testing.T, said string) {
		w := newKeepWorld(t, func(x *target) { x.keep = keepDigest })
		if err := w.edge.keeper.loadSecrets(secrets); err != nil {
			t.Fatal(err)
		}
		for range 32 {
			w.legacy.codes = append(w.legacy.codes, said)
		}
		w.stage(policy.StageCore)
		b := w.phone("anna", policy.Core, 7200, 7200)
		w.pass(2 * time.Second)
		if n := len(w.legacy.got); n > 5 { // two challenges answered, and repetitions of what had no answer that could be read
			t.Fatalf("%d requests in two seconds", n)
		}
		h := w.edge.location.Get(b.ID).Of(location.Legacy)
		if h.Until != 0 && (len(said) == 0 || said[0] != '2') {
			t.Fatalf("held until %d after %q", h.Until, said)
		}
	})
}
