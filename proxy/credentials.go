package proxy

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Credentials answer a challenge, and a challenge is one platform's: the other can not check them, says 401, and the
// phone asks its user for a password. So a challenge carries its platform on the way out (in opaque, which no digest
// covers), and on the way in:
//
//	of the platform that the request goes to    its own opaque is put back
//	of the other platform                       taken out; if a challenge follows, it says stale=true, once
//	of nobody that we know                      they pass; if a challenge follows, it says stale=true, once
//
// stale=true lets the phone answer again with the password that it has. A wrong password costs one more try.

const (
	challengeAge = 32 // seconds in which an answer still goes to who asked: 64*T1
	nonceAge     = 24 * 3600
	nonceEntries = 1 << 16
)

// answering is the platform whose challenge the request answers just now: it goes there, whatever the policy has become,
// so that a flip between 401 and answer costs nothing.
//
// Not so a phone that says good-bye: the platform that serves is to hear of it. Nor one that registers, if the platform that
// serves takes no REGISTER of ours: nobody would hand it over.
func (s *shard) answering(a *arrival, serves policy.Platform) policy.Platform {
	m := a.m
	switch {
	case m.Is("REGISTER"):
		if leaves(m) || !a.topo.takesOurs(a.poolFor(serves)) {
			return policy.NoPlatform
		}
	case !m.Is("INVITE") && !m.Is("SUBSCRIBE"):
		return policy.NoPlatform
	}
	for i := range m.Headers {
		if !carriesCredentials(m.Headers[i].ID) {
			continue
		}
		if o, known := s.origin(m, unfolded(m, i), a.now); known && o.SameCall && a.now/1e9-o.At < challengeAge {
			return policy.Platform(o.Platform)
		}
	}
	return policy.NoPlatform
}

// unfolded is the value of a header on one line.
func unfolded(m *wire.Message, i int) []byte {
	if !m.Headers[i].Folded {
		return m.Value(i)
	}
	return m.AppendUnfolded(nil, m.Headers[i].Value)
}

func carriesCredentials(id wire.HeaderID) bool {
	return id == wire.HAuthorization || id == wire.HProxyAuthorization
}

// origin says whose challenge a header of credentials answers: by its opaque, else by its nonce.
func (s *shard) origin(m *wire.Message, value []byte, now int64) (o digest.Origin, known bool) {
	callID := m.CallID.Of(m.Raw)
	o, known = s.auth.Open(value, callID)
	if known {
		return o, true
	}
	var p digest.Params
	if !digest.ParseCredentials(&p, value) {
		return o, false
	}
	nonce := p.Nonce.In(value)
	if platform, at, _, ok := s.edge.nonces.Origin(s.ofCall(nonce, callID), now/1e9); ok {
		return digest.Origin{Ours: o.Ours, Platform: platform, At: at, SameCall: true}, true
	}
	platform, at, _, ok := s.edge.nonces.Origin(nonce, now/1e9)
	return digest.Origin{Ours: o.Ours, Platform: platform, At: at}, ok
}

// spliceCredentials edits the credentials of a request to a platform's target.
func (s *shard) spliceCredentials(sp *wire.Splice, m *wire.Message, r *request) {
	for i := range m.Headers {
		if !carriesCredentials(m.Headers[i].ID) {
			continue
		}
		value := unfolded(m, i)
		o, known := s.origin(m, value, r.began)
		switch {
		case known && policy.Platform(o.Platform) != r.hop.platform || o.Ours && !known: // the other's, or under a key that is gone
			sp.DeleteHeader(i)
			s.edge.count.credentials.Add(credentialsStripped, 1)
			r.noteNonce(m.Headers[i].ID, value)
		case known:
			if o.Ours { // by its opaque; one that is known by its nonce has none of ours in it
				if back := digest.AppendRestored(nil, value, o); string(back) != string(value) {
					sp.Replace(m.Headers[i].Value, back)
				}
			}
		default:
			s.edge.count.credentials.Add(credentialsUnknown, 1)
			r.noteNonce(m.Headers[i].ID, value)
		}
	}
}

// noteNonce remembers the nonce that a challenge may have to call stale. A phone may answer two challenges in one request, a
// registrar's and a proxy's: each is renewed by its own kind of challenge.
func (r *request) noteNonce(id wire.HeaderID, value []byte) {
	var p digest.Params
	if digest.ParseCredentials(&p, value) {
		n := &r.nonce[kindOf(id)]
		*n = append((*n)[:0], p.Nonce.In(value)...)
	}
}

// kindOf tells the pairs of headers apart: 0 for WWW-Authenticate and its answer, 1 for Proxy-Authenticate and its own.
func kindOf(id wire.HeaderID) int {
	if id == wire.HProxyAuthenticate || id == wire.HProxyAuthorization {
		return 1
	}
	return 0
}

// ofCall is a nonce as one Call-ID knows it: registrars give all phones that come in one second the same nonce, and each of
// them is to be asked again once.
func (s *shard) ofCall(nonce, callID []byte) []byte {
	s.nonce = append(append(append(s.nonce[:0], callID...), 0), nonce...)
	return s.nonce
}

// spliceChallenge marks the challenges of a response that a platform gives to a phone or a customer's PBX.
func (s *shard) spliceChallenge(sp *wire.Splice, m *wire.Message, r *request, now int64) {
	var stale [2]bool
	callID := m.CallID.Of(m.Raw)
	learn := func(nonce []byte) {
		p, hash := uint8(r.hop.platform), s.auth.CallHash(callID)
		s.edge.nonces.Learn(nonce, p, hash, now/1e9)
		s.edge.nonces.Learn(s.ofCall(nonce, callID), p, hash, now/1e9)
	}
	for i := range m.Headers {
		value := unfolded(m, i)
		switch m.Headers[i].ID {
		case wire.HWWWAuthenticate, wire.HProxyAuthenticate:
			var p digest.Params
			if !digest.ParseChallenge(&p, value) {
				continue
			}
			learn(p.Nonce.In(value))
			out, ok := s.auth.AppendChallenge(nil, value, uint8(r.hop.platform), now/1e9, callID)
			if !ok {
				out = append([]byte(nil), value...)
			}
			if k := kindOf(m.Headers[i].ID); len(r.nonce[k]) > 0 && (stale[k] || s.edge.nonces.StaleOnce(s.ofCall(r.nonce[k], callID), now/1e9)) {
				stale[k] = true
				out = digest.AppendStale(nil, out)
				s.edge.count.credentials.Add(credentialsStale, 1)
			}
			sp.Replace(m.Headers[i].Value, out)
		case wire.HAuthenticationInfo:
			var p digest.Params
			if digest.ParseInfo(&p, value) && p.NextNonce.Present() {
				learn(p.NextNonce.In(value))
			}
		}
	}
}

// What happened to credentials, for the metric.
const (
	credentialsStripped = iota // of the other platform: taken out
	credentialsUnknown         // of no platform that we know: passed
	credentialsStale           // a challenge was made to say stale=true
)

var credentialWords = []string{"stripped", "unknown", "stale"}
