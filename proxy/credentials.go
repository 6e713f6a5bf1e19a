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
func (s *shard) answering(a *arrival) policy.Platform {
	m := a.m
	if !m.Is("REGISTER") && !m.Is("INVITE") && !m.Is("SUBSCRIBE") {
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
	platform, at, call, ok := s.edge.nonces.Origin(p.Nonce.In(value), now/1e9)
	if !ok {
		return o, false
	}
	return digest.Origin{Ours: o.Ours, Platform: platform, At: at, SameCall: call == s.auth.CallHash(callID)}, true
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
			r.noteNonce(value)
		case known:
			if o.Ours { // by its opaque; one that is known by its nonce has none of ours in it
				if back := digest.AppendRestored(nil, value, o); string(back) != string(value) {
					sp.Replace(m.Headers[i].Value, back)
				}
			}
		default:
			s.edge.count.credentials.Add(credentialsUnknown, 1)
			r.noteNonce(value)
		}
	}
}

// noteNonce remembers the nonce that a challenge may have to call stale.
func (r *request) noteNonce(value []byte) {
	var p digest.Params
	if digest.ParseCredentials(&p, value) {
		r.nonce = append(r.nonce[:0], p.Nonce.In(value)...)
	}
}

// spliceChallenge marks the challenges of a response that a platform gives to a phone or a customer's PBX.
func (s *shard) spliceChallenge(sp *wire.Splice, m *wire.Message, r *request, now int64) {
	stale := false
	for i := range m.Headers {
		value := unfolded(m, i)
		switch m.Headers[i].ID {
		case wire.HWWWAuthenticate, wire.HProxyAuthenticate:
			var p digest.Params
			if !digest.ParseChallenge(&p, value) {
				continue
			}
			platform, callID := uint8(r.hop.platform), m.CallID.Of(m.Raw)
			s.edge.nonces.Learn(p.Nonce.In(value), platform, s.auth.CallHash(callID), now/1e9)
			out, ok := s.auth.AppendChallenge(nil, value, platform, now/1e9, callID)
			if !ok {
				out = append([]byte(nil), value...)
			}
			if len(r.nonce) > 0 && (stale || s.edge.nonces.StaleOnce(r.nonce, now/1e9)) {
				stale = true
				out = digest.AppendStale(nil, out)
				s.edge.count.credentials.Add(credentialsStale, 1)
			}
			sp.Replace(m.Headers[i].Value, out)
		case wire.HAuthenticationInfo:
			var p digest.Params
			if digest.ParseInfo(&p, value) && p.NextNonce.Present() {
				s.edge.nonces.Learn(p.NextNonce.In(value), uint8(r.hop.platform), s.auth.CallHash(m.CallID.Of(m.Raw)), now/1e9)
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
