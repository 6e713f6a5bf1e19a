package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"github.com/hotcut/hotcut/proxy/wire"
)

// maxRemembered is how many tokens and URIs of one exchange are remembered; what comes after is worked out each time.
const maxRemembered = 512

// A memory is what a redactor has worked out for one exchange, in whose messages the same people, hosts and tags come again and
// again. One goroutine uses it.
type memory struct {
	mac    hash.Hash
	key    []byte            // scratch
	tokens map[string]string // kind, 0, value -> token
	uris   map[string]string // as it came -> as it is kept
	m      wire.Message      // scratch
}

// remembering is r for one goroutine and one exchange.
func (r *Redactor) remembering() *Redactor {
	if r.mem != nil {
		return r
	}
	return &Redactor{key: r.key, numbers: r.numbers, yield: r.yield, mem: &memory{
		mac: hmac.New(sha256.New, r.key), tokens: make(map[string]string), uris: make(map[string]string),
	}}
}

// sum is the HMAC of a value of a kind.
func (r *Redactor) sum(dst []byte, kind, value string) []byte {
	var mac hash.Hash
	if r.mem != nil {
		mac = r.mem.mac
		mac.Reset()
	} else {
		mac = hmac.New(sha256.New, r.key)
	}
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	return mac.Sum(dst)
}

// token is one in twelve consonants for a value of a kind.
func (r *Redactor) token(kind, value string) string {
	mem := r.mem
	if mem == nil {
		return r.makeToken(kind, value)
	}
	mem.key = append(append(append(mem.key[:0], kind...), 0), value...)
	if t, ok := mem.tokens[string(mem.key)]; ok {
		return t
	}
	t := r.makeToken(kind, value)
	if len(mem.tokens) < maxRemembered {
		mem.tokens[string(mem.key)] = t
	}
	return t
}

// redactURI is how a URI is kept.
func (r *Redactor) redactURI(b []byte) string {
	mem := r.mem
	if mem == nil {
		return r.makeURI(b)
	}
	if s, ok := mem.uris[string(b)]; ok {
		return s
	}
	s := r.makeURI(b)
	if len(mem.uris) < maxRemembered {
		mem.uris[string(b)] = s
	}
	return s
}
