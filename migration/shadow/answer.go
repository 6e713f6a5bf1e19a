package shadow

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/wire"
)

// maxChallenge is the longest challenge that is read, in bytes.
const maxChallenge = 2048

// Secrets find what was imported of a user of a domain, for a realm.
type Secrets func(user, domain, realm string) (digest.Secret, bool)

// Digest is an Options.Answer from imported HA1s and passwords: of the first challenge whose realm and algorithm there is
// something for (RFC 8760 section 2.4), by the domain of the address-of-record, else by the first domain of its tenant, under
// which a provider may have exported all of them. Nothing of a secret is in what it returns but the response, which the redaction
// at capture drops.
//
// It answers no challenge that asks for the integrity of a body (qop auth-int alone) of anything but a REGISTER, which has none.
func Digest(snapshot func() *policy.Snapshot, find Secrets) func(challenge *wire.Message, method, uri, aor string) string {
	return func(r *wire.Message, method, uri, aor string) string {
		u, ok := wire.ParseURI([]byte(aor))
		if !ok || u.User.Empty() {
			return ""
		}
		user, domain := string(wire.AppendUnescaped(nil, u.User.Of([]byte(aor)))), strings.ToLower(string(u.Host.Of([]byte(aor))))
		id, name := wire.HWWWAuthenticate, "Authorization: "
		if r.Status == 407 {
			id, name = wire.HProxyAuthenticate, "Proxy-Authorization: "
		}
		for i := range r.Headers {
			if r.Headers[i].ID != id || r.Headers[i].Value.Len() > maxChallenge {
				continue
			}
			value := r.AppendUnfolded(nil, r.Headers[i].Value)
			var ch digest.Params
			if !digest.ParseChallenge(&ch, value) {
				continue
			}
			secret, ok := secretOf(snapshot, find, user, domain, string(ch.Realm.In(value)))
			if !ok {
				continue
			}
			var c [8]byte
			rand.Read(c[:])
			line, err := digest.AppendAuthorization([]byte(name), &ch, value, secret, method, uri, 1, hex.EncodeToString(c[:]))
			if err != nil || method != "REGISTER" && strings.Contains(string(line), ", qop=auth-int,") {
				continue // the next one may be of an algorithm that we have a hash for
			}
			return string(line) + "\r\n"
		}
		return ""
	}
}

func secretOf(snapshot func() *policy.Snapshot, find Secrets, user, domain, realm string) (digest.Secret, bool) {
	if s, ok := find(user, domain, realm); ok {
		return s, true
	}
	if s := snapshot(); s != nil {
		if rec := s.ByDomain(domain); rec != nil && len(rec.Tenant.Domains) > 0 && rec.Tenant.Domains[0] != domain {
			return find(user, rec.Tenant.Domains[0], realm)
		}
	}
	return digest.Secret{}, false
}
