package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"hash/fnv"
	"strings"
	"unsafe"

	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A sealer signs and verifies tokens and derives branches. Each shard has its own, used under the shard's lock, since
// a running HMAC is state. Several keys verify, the first signs: rotation under living calls loses nothing.
type sealer struct {
	keys []sealKey
	flow hash.Hash // of the binding key
	sum  [sha256.Size]byte
	buf  [maxToken + macSize]byte
	raw  [maxToken + macSize]byte
	text []byte // what is being hashed: one Write costs less than many
}

type sealKey struct {
	tag uint16 // hash of the key's id: travels in the clear, so that the right key is tried
	mac hash.Hash
}

func newSealer(keys []signKey, binding []byte) *sealer {
	s := &sealer{flow: hmac.New(sha256.New, binding)}
	for _, k := range keys {
		s.keys = append(s.keys, sealKey{tag: k.tag, mac: hmac.New(sha256.New, k.secret)})
	}
	return s
}

// signKey is one token key: 32 bytes, named by its id.
type signKey struct {
	id     string
	tag    uint16
	secret []byte
}

// signer is the key that named a request's transaction, or, when a reload has taken it away, the one that signs now.
func (s *sealer) signer(tag uint16) *sealKey {
	for i := range s.keys {
		if s.keys[i].tag == tag {
			return &s.keys[i]
		}
	}
	return &s.keys[0]
}

// appendToken appends p sealed for a dialog: Call-ID and the initiator's tag.
func (s *sealer) appendToken(dst []byte, p *pin, callID, tag []byte) []byte {
	k := &s.keys[0]
	b := p.appendFields(s.buf[:0], k.tag)
	mac := s.mac(k.mac, b, callID, tag)
	b = append(b, mac...)
	return tokenCode.AppendEncode(dst, b)
}

// mac returns the 128-bit MAC, valid until the next call.
func (s *sealer) mac(h hash.Hash, fields, callID, tag []byte) []byte {
	b := binary.BigEndian.AppendUint16(s.text[:0], uint16(len(fields)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(callID)))
	b = append(append(append(b, fields...), callID...), tag...)
	s.text = b
	return s.digest(h)[:macSize]
}

// digest returns the MAC of s.text, valid until the next call.
func (s *sealer) digest(h hash.Hash) []byte {
	h.Reset()
	h.Write(s.text)
	return h.Sum(s.sum[:0])
}

// open decodes and verifies a token. towardsB says which of the tags was the initiator's. The pin's tenant is valid
// until the next call.
func (s *sealer) open(p *pin, token, callID, fromTag, toTag []byte) (towardsB, ok bool) {
	if len(token) > tokenCode.EncodedLen(len(s.raw)) {
		return false, false
	}
	n, ok := decodeToken(s.raw[:], token)
	if !ok || n < macSize+12 {
		return false, false
	}
	fields, mac := s.raw[:n-macSize], s.raw[n-macSize:n]
	tag, ok := p.decodeFields(fields)
	if !ok {
		return false, false
	}
	for i := range s.keys { // the ids of two keys may share a tag
		if s.keys[i].tag != tag {
			continue
		}
		h := s.keys[i].mac
		switch {
		case subtle.ConstantTimeCompare(s.mac(h, fields, callID, fromTag), mac) == 1:
			return true, true
		case len(toTag) > 0 && subtle.ConstantTimeCompare(s.mac(h, fields, callID, toTag), mac) == 1:
			return false, true
		}
	}
	return false, false
}

// Branches. The upstream key names a request as it reached us; the branch adds where it goes. Both are pure functions
// of the message, so a restarted edge (or, with one `via:` name, another edge) forwards a retransmission as the same
// transaction.

const (
	branchCookie = "z9hG4bK"
	branchMark   = "h0" // ours, layout 0
	branchLen    = len(branchCookie) + len(branchMark) + 4 + 26
)

var branchCode = base32.HexEncoding.WithPadding(base32.NoPadding)

// upstreamKey hashes what identifies a request upstream: Call-ID, From-tag, CSeq number, the top Via's branch, where
// answers go, the listener, and the class (INVITE, its CANCEL and its hop ACK are one). For a peer of RFC 2543, whose
// branch means nothing, the whole top Via and the Request-URI stand in (RFC 3261 section 16.11).
func (s *sealer) upstreamKey(k hash.Hash, m *wire.Message, via *wire.Via, class []byte, reply []byte, listener uint16) (key choice.Key) {
	raw := m.Raw
	b := appendField(s.text[:0], m.CallID.Of(raw))
	b = appendField(b, m.From.Tag.Of(raw))
	b = binary.BigEndian.AppendUint32(b, m.CSeq)
	b = binary.BigEndian.AppendUint16(b, listener)
	if x := via.Branch.Of(raw); len(x) > len(branchCookie) && string(x[:len(branchCookie)]) == branchCookie {
		b = appendField(b, x)
	} else {
		b = appendField(b, via.Host.Of(raw))
		b = appendField(b, x)
		if m.Request {
			b = appendField(b, m.RequestURI.Of(raw))
		}
	}
	b = appendField(b, reply)
	s.text = appendField(b, class)
	copy(key[:], s.digest(k))
	return key
}

func appendField(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(b))), b...)
}

// branchID is the 128 bits of a branch: the upstream key, the upstream sent-by and the next hop.
type branchID [16]byte

func (s *sealer) branch(k hash.Hash, key choice.Key, sentBy []byte, target []byte) (id branchID) {
	s.text = appendField(appendField(append(s.text[:0], key[:]...), sentBy), target)
	copy(id[:], s.digest(k))
	return id
}

// appendBranch writes cookie, mark, key id and MAC. Lower case: some peers fold the case of tokens.
func appendBranch(dst []byte, key uint16, id branchID) []byte {
	dst = append(dst, branchCookie+branchMark...)
	const hexDigits = "0123456789abcdef"
	dst = append(dst, hexDigits[key>>12&15], hexDigits[key>>8&15], hexDigits[key>>4&15], hexDigits[key&15])
	n := len(dst)
	dst = branchCode.AppendEncode(dst, id[:])
	lower(dst[n:])
	return dst
}

// parseBranch reads a branch that appendBranch wrote.
func parseBranch(b []byte) (key uint16, id branchID, ok bool) {
	if len(b) != branchLen || string(b[:len(branchCookie)+len(branchMark)]) != branchCookie+branchMark {
		return 0, id, false
	}
	b = b[len(branchCookie)+len(branchMark):]
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			key = key<<4 | uint16(c-'0')
		case c >= 'a' && c <= 'f':
			key = key<<4 | uint16(c-'a'+10)
		default:
			return 0, id, false
		}
	}
	var up [26]byte
	for i, c := range b[4:] {
		if c >= 'a' && c <= 'v' {
			c -= 'a' - 'A'
		}
		up[i] = c
	}
	n, err := branchCode.Decode(id[:], up[:])
	const last = "048CGKOS" // the 26th character carries three bits: it has no other spelling
	return key, id, err == nil && n == len(id) && strings.IndexByte(last, up[25]) >= 0
}

func lower(b []byte) {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// Names travel as hashes: short, equal on every edge.

func hash16(name string) uint16 { h := hash32(name); return uint16(h ^ h>>16) }

func hash32(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

func hash64(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// view reads bytes as a string without a copy: valid as long as the bytes are, and never kept.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
