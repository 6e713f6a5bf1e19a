package lab

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Account is a subscriber of a switch.
type Account struct {
	AoR      string // user@domain; the user part is the digest username
	Password string
	Realm    string // default: the domain
}

// AuthCounts is what a switch made of the credentials that it saw.
type AuthCounts struct {
	Challenges     int // 401 and 407 sent
	Accepted       int // requests with good credentials
	Trusted        int // requests taken from a trusted address without credentials
	Stale          int // good credentials with a nonce of ours that was too old
	ForeignNonces  int // credentials with a nonce that this switch did not mint
	WrongPasswords int // a nonce of ours, and a response that does not fit
	WrongOpaque    int // a nonce of ours with an opaque that is not
}

// guard challenges and checks (RFC 3261 section 22). Its nonces are a time and a MAC of it, so it remembers none; those of
// another switch are strangers to it, as they are in production.
type guard struct {
	accounts  map[string]Account // by aorKey; nil: everybody may do everything
	realms    map[string]string  // by domain of an account
	key       [32]byte
	opaque    string
	algorithm string
	age       time.Duration // of a nonce
	next      bool          // hand out the next nonce with every success
	trusted   []netip.Addr
	vouched   []netip.Addr // for calls
	now       func() time.Time

	challenges, accepted, trust, stale, foreign, wrong, wrongOpaque atomic.Int64
}

const nonceMAC = 12 // bytes

func newGuard(o SwitchOptions) *guard {
	g := &guard{opaque: o.Opaque, algorithm: o.Algorithm, age: o.NonceAge, next: o.NextNonce, trusted: o.Trusted, vouched: o.TrustedCalls, now: o.Now}
	rand.Read(g.key[:])
	if o.Accounts != nil {
		g.accounts, g.realms = make(map[string]Account, len(o.Accounts)), make(map[string]string)
	}
	for _, a := range o.Accounts {
		_, domain, _ := strings.Cut(a.AoR, "@")
		a.Realm = cmp.Or(a.Realm, domain)
		g.accounts[aorKey(a.AoR)] = a
		g.realms[strings.ToLower(domain)] = a.Realm
	}
	return g
}

// account returns the account of an address-of-record.
func (g *guard) account(key string) (Account, bool) {
	a, known := g.accounts[key]
	return a, known
}

func (g *guard) counts() AuthCounts {
	return AuthCounts{
		Challenges: int(g.challenges.Load()), Accepted: int(g.accepted.Load()), Trusted: int(g.trust.Load()), Stale: int(g.stale.Load()),
		ForeignNonces: int(g.foreign.Load()), WrongPasswords: int(g.wrong.Load()), WrongOpaque: int(g.wrongOpaque.Load()),
	}
}

func (g *guard) nonce() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(g.now().UnixNano()))
	return base64.RawURLEncoding.EncodeToString(append(b, g.mac(b)...))
}

func (g *guard) mac(b []byte) []byte {
	m := hmac.New(sha256.New, g.key[:])
	m.Write(b)
	return m.Sum(nil)[:nonceMAC]
}

// minted says whether a nonce is ours, and whether it is still good.
func (g *guard) minted(nonce string) (ours, fresh bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 8+nonceMAC || !hmac.Equal(b[8:], g.mac(b[:8])) {
		return false, false
	}
	at := time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	return true, g.now().Sub(at) <= g.age
}

// verdict is what a guard says of a request.
type verdict struct {
	by    string // who it is; empty: refuse with code
	code  int
	stale bool
}

// check reads the credentials in a header of that name.
func (g *guard) check(req *sip.Request, a Account, header string, code int) verdict {
	v := verdict{code: code}
	for _, h := range req.GetHeaders(header) {
		p, ok := digestParams(h.Value())
		if !ok || p["realm"] != a.Realm {
			continue
		}
		ours, fresh := g.minted(p["nonce"])
		if !ours {
			g.foreign.Add(1)
			continue
		}
		if p["opaque"] != g.opaque {
			g.wrongOpaque.Add(1)
		}
		user, _, _ := strings.Cut(a.AoR, "@")
		want := digest(g.algorithm, user, a.Realm, a.Password, req.Method.String(), p["uri"], p["nonce"], p["nc"], p["cnonce"], p["qop"])
		switch {
		case p["username"] != user || p["qop"] != "auth" || !strings.EqualFold(p["response"], want):
			g.wrong.Add(1)
		case !fresh:
			g.stale.Add(1)
			v.stale = true
		default:
			g.accepted.Add(1)
			return verdict{by: "digest"}
		}
	}
	return v
}

// trusts says whether a REGISTER or an INVITE is taken without credentials: it comes from an address that is trusted with
// those and asserts the identity of the account (RFC 3325).
func (g *guard) trusts(req *sip.Request, key string) bool {
	var who []netip.Addr
	switch req.Method {
	case sip.REGISTER:
		who = g.trusted
	case sip.INVITE:
		who = g.vouched
	}
	from, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return false
	}
	for _, t := range who {
		if t != from.Addr().Unmap() {
			continue
		}
		for _, h := range req.GetHeaders("P-Asserted-Identity") {
			var u sip.Uri
			if _, err := sip.ParseAddressValue(h.Value(), &u, nil); err == nil && aorKey(u.User+"@"+u.Host) == key {
				return true
			}
		}
	}
	return false
}
