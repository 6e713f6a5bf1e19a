package proxy

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/transport"
)

// reload puts w.cfg into force.
func (w *world) reload() {
	w.t.Helper()
	if _, _, err := w.edge.Reload(); err != nil {
		w.t.Fatal(err)
	}
}

// Rotation under living calls loses nothing: not the dialog, not the INVITE under way, not its CANCEL, not its ACK.
func TestRotationOfKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	old, next := w.cfg.Keys, config.MintKeyLine()
	up := w.establish("up", "acme.example", w.legacy)
	c := w.invite("ringing", "acme.example", "")
	inv := w.legacy.want("INVITE ")
	w.legacy.reply(inv, "180 Ringing", "")
	w.phone.after100()
	w.phone.want("SIP/2.0 180")

	w.cfg.Keys = next + "\n" + old
	w.reload()
	w.phone.send(w.out, c.request("INVITE", 1, "sip:bob@acme.example", ""))
	w.phone.next("SIP/2.0 180") // a retransmission, answered as one
	w.phone.send(w.out, c.request("CANCEL", 1, "sip:bob@acme.example", ""))
	w.phone.want("SIP/2.0 200")
	cancel := w.legacy.want("CANCEL ")
	w.legacy.reply(cancel, "200 OK", "")
	w.legacy.reply(inv, "487 Request Terminated", "")
	w.legacy.want("ACK ")
	w.phone.acknowledge(c, "SIP/2.0 487")
	w.hangUp(up, w.legacy)
	w.legacy.silent() // above all no second INVITE

	// What the new key sealed holds when the old one goes.
	c = w.establish("new", "acme.example", w.legacy)
	w.cfg.Keys = next
	w.reload()
	w.hangUp(c, w.legacy)
}

// After a restart with the new key first a retransmission is still the old transaction for the target.
func TestRotationOverRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.invite("one", "acme.example", "")
	first := w.legacy.want("INVITE ")
	w.stop()
	w.move2("acme", policy.StageCore)
	w.cfg.Keys = config.MintKeyLine() + "\n" + w.cfg.Keys
	w.start()
	w.phone.send(w.out, c.request("INVITE", 1, "sip:bob@acme.example", ""))
	second := w.legacy.next("INVITE ")
	if a, b := first.headers("Via")[0], second.headers("Via")[0]; a != b {
		t.Errorf("the branch changed:\n%s\n%s", a, b)
	}
	w.core.silent()
}

// A token of a key that this edge does not have is refused.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenant("acme", policy.StageLegacy)).start()
	c := w.establish("one", "acme.example", w.legacy)
	w.cfg.Keys = config.MintKeyLine()
	w.reload()
	w.phone.send(w.out, c.request("BYE", 2, c.remote, ""))
	w.phone.want("SIP/2.0 403")
	w.legacy.silent()
}

func sealed(f *testing.F) (*sealer, *pin, []byte) {
	key := func(id string, b byte) signKey {
		return signKey{id: id, tag: hash16(id), secret: bytes.Repeat([]byte{b}, config.KeyBytes)}
	}
	s := newSealer([]signKey{key("a", 1), key("b", 2)}, make([]byte, 32))
	p := &pin{kind: tokenDialog, platform: policy.Core, rev: 4129, edge: hash32("edge-1"), listener: 7, tenant: "acme",
		a: end{kind: endFlow, proto: transport.TCP, listener: 7, conn: 99, addr: netip.MustParseAddrPort("[2001:db8::1]:5060")},
		b: end{kind: endTarget, platform: policy.Core, name: hash32("c1")}}
	return s, p, s.appendToken(nil, p, []byte("call"), []byte("tag"))
}

// FuzzToken: no bytes make open panic, and no token but the one that was sealed opens.
func FuzzToken(f *testing.F) {
	s, p, token := sealed(f)
	f.Add(token, 0, byte(0))
	f.Add(token, len(token)-1, byte(1))
	f.Add([]byte("AUQBAAAA"), 3, byte(0xff))
	f.Add(bytes.Repeat([]byte("A"), 400), 3, byte(0x01))
	f.Fuzz(func(t *testing.T, raw []byte, at int, flip byte) {
		var q pin
		if _, ok := s.open(&q, raw, []byte("call"), []byte("tag"), nil); ok && !bytes.Equal(raw, token) {
			t.Fatalf("%q opened", raw)
		}
		changed := bytes.Clone(token)
		changed[uint(at)%uint(len(changed))] ^= flip
		towardsB, ok := s.open(&q, changed, []byte("call"), []byte("tag"), []byte("other"))
		if ok != (flip == 0) {
			t.Fatalf("flipped %08b at %d: opened %v", flip, at, ok)
		}
		if ok && (!towardsB || q != *p) {
			t.Fatalf("sealed %+v, opened %+v", p, q)
		}
		if _, ok := s.open(&q, token, []byte("call"), []byte("other"), []byte("others")); ok {
			t.Fatal("opened with tags of another dialog")
		}
	})
}

// Every byte of a token counts, the last one with all its bits.
func TestTokenHasOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	s := newSealer([]signKey{{id: "a", tag: 1, secret: make([]byte, config.KeyBytes)}}, make([]byte, 32))
	for _, tenant := range []string{"a", "ab", "abc"} { // all three paddings
		p := &pin{kind: tokenDialog, tenant: tenant, a: end{kind: endCarrier, name: 1}, b: end{kind: endTrunk, name: 2}}
		token := s.appendToken(nil, p, []byte("c"), []byte("t"))
		for i := range token {
			for _, c := range []byte(alphabet) {
				changed := bytes.Clone(token)
				changed[i] = c
				var q pin
				if _, ok := s.open(&q, changed, []byte("c"), []byte("t"), nil); ok != (c == token[i]) {
					t.Fatalf("byte %d as %c: opened %v", i, c, ok)
				}
			}
		}
	}
}

// FuzzBranch: what parseBranch takes is what appendBranch writes, in either case of letters.
func FuzzBranch(f *testing.F) {
	f.Add(appendBranch(nil, 0xbeef, branchID{1, 2, 3, 255}))
	f.Add([]byte("z9hG4bKh0"))
	f.Add([]byte("z9hG4bKh0beef" + strings.Repeat("v", 26)))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, id, ok := parseBranch(b)
		if ok && !strings.EqualFold(string(appendBranch(nil, key, id)), string(b)) {
			t.Fatalf("%q is read as %q", b, appendBranch(nil, key, id))
		}
	})
}
