package lab

import (
	"strings"

	"github.com/emiago/sipgo/sip"
)

// admit lets a request of an account pass, or answers it: a challenge, as registrars do it also for users of their domains
// that they do not know (they keep it to themselves who has an account), 403 for strange domains and for unknown users
// whom somebody trusted asserts. It returns who it is, "digest", "trust" or, at a switch without accounts, "open", and an
// empty string when it has answered.
func (s *Switch) admit(req *sip.Request, tx sip.ServerTransaction, key string) string {
	if s.guard.accounts == nil {
		return "open"
	}
	a, known := s.guard.account(key)
	trusted := s.guard.trusts(req, key)
	if !known {
		_, domain, _ := strings.Cut(key, "@")
		a.Realm = s.guard.realms[domain]
		if a.Realm == "" || trusted {
			s.refuse(req, tx, 403, "Forbidden")
			return ""
		}
	}
	header, answer, code, reason := "Authorization", "WWW-Authenticate", 401, "Unauthorized"
	if req.IsInvite() {
		header, answer, code, reason = "Proxy-Authorization", "Proxy-Authenticate", 407, "Proxy Authentication Required"
	}
	if trusted {
		s.guard.trust.Add(1)
		return "trust"
	}
	v := verdict{}
	if known {
		if v = s.guard.check(req, a, header, code); v.by != "" {
			return v.by
		}
	}
	s.guard.challenges.Add(1)
	c := challenge{
		realm: a.Realm, nonce: s.guard.nonce(), opaque: s.guard.opaque, algorithm: s.guard.algorithm, qop: "auth", stale: v.stale,
	}
	s.respond(req, tx, "", code, reason, nil, append(s.identity(), sip.NewHeader(answer, c.String()))...)
	return ""
}

// thanks is Authentication-Info with the next nonce (RFC 7615), where the switch hands them out.
func (s *Switch) thanks(by string) []sip.Header {
	if !s.guard.next || by != "digest" {
		return nil
	}
	return []sip.Header{sip.NewHeader("Authentication-Info", `nextnonce="`+s.guard.nonce()+`"`)}
}

// Auth is what the switch made of the credentials that it saw.
func (s *Switch) Auth() AuthCounts { return s.guard.counts() }

// aorKey is how an address-of-record is looked up: the domain does not tell upper from lower case.
func aorKey(aor string) string {
	user, domain, _ := strings.Cut(aor, "@")
	return user + "@" + strings.ToLower(domain)
}

// keyOf is the aorKey of a URI.
func keyOf(u sip.Uri) string { return aorKey(u.User + "@" + u.Host) }
