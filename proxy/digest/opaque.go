package digest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"slices"
)

const (
	mark       = "hc1." // no base64 and no hex has a dot, so hardly a platform's own
	macLen     = 12
	callLen    = 6
	headLen    = 1 + 1 + 4 + callLen    // platform, flags, time, Call-ID hash
	sealLen    = headLen + macLen       // 24: exactly sealChars characters
	sealChars  = sealLen / 3 * 4        //
	maxOpaque  = 256                    // of a platform, that we still wrap
	flagOpaque = 1                      // the platform had an opaque of its own
	purpose    = "hotcut digest opaque" // what the sub-key is for
)

var blobCode = base64.RawURLEncoding.Strict()

// A Sealer wraps and opens opaque. It holds the state of a running HMAC: not for
// concurrent use, each shard has its own.
type Sealer struct {
	mac  hash.Hash
	sum  [sha256.Size]byte
	head [headLen + 3]byte // one byte of kind in front, the length of the opaque behind
	blob [sealLen + maxOpaque]byte
	one  [1]byte
}

// NewSealer takes the key that does not rotate. What is under other keys will not
// open. The key may serve other purposes too: a key of its own is derived from it.
func NewSealer(key []byte) *Sealer {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	return &Sealer{mac: hmac.New(sha256.New, h.Sum(nil))}
}

// Origin is what credentials say of the challenge that they answer.
type Origin struct {
	Ours     bool  // the opaque has our mark, whether or not it could be verified
	Platform uint8 // as given to AppendChallenge
	At       int64 // unix seconds: when the challenge passed
	SameCall bool  // the Call-ID is that of the challenge

	verified bool
	opaque   Span // ours, as it lies in the credentials
	name     int  // where the parameter begins
	had      bool // there was an opaque before
}

// CallHash is a keyed hash of a Call-ID, the same on every edge.
func (s *Sealer) CallHash(callID []byte) uint64 {
	s.mac.Reset()
	s.one[0] = 'c'
	s.mac.Write(s.one[:])
	s.mac.Write(callID)
	return binary.BigEndian.Uint64(s.mac.Sum(s.sum[:0]))
}

// AppendChallenge appends a challenge with its opaque wrapped, or with one, if it had
// none. now is in unix seconds. False: it is no Digest challenge, or its opaque is
// longer than 256 bytes: dst is returned as it was, the caller lets the challenge pass
// and remembers its nonce in a table.
func (s *Sealer) AppendChallenge(dst, value []byte, platform uint8, now int64, callID []byte) ([]byte, bool) {
	var p Params
	if !ParseChallenge(&p, value) || p.Opaque.Len > maxOpaque {
		return dst, false
	}
	head := s.head[1 : 1+headLen]
	head[0], head[1] = platform, 0
	if p.Opaque.Present() {
		head[1] = flagOpaque
	}
	binary.BigEndian.PutUint32(head[2:], uint32(now))
	var call [8]byte
	binary.BigEndian.PutUint64(call[:], s.CallHash(callID))
	copy(head[6:], call[:callLen])
	opaque := p.Opaque.In(value)
	blob := append(s.blob[:0], head...)
	blob = append(blob, s.seal(opaque, p.Realm.In(value))...)
	blob = append(blob, opaque...)

	if p.Opaque.Present() {
		dst = append(dst, value[:p.Opaque.Off]...)
		dst = append(dst, mark...)
		dst = blobCode.AppendEncode(dst, blob)
		return append(dst, value[p.Opaque.end():]...), true
	}
	dst = append(dst, value[:p.last]...)
	dst = append(dst, `, opaque="`+mark...)
	dst = blobCode.AppendEncode(dst, blob)
	dst = append(dst, '"')
	return append(dst, value[p.last:]...), true
}

// Open says where the challenge came from that credentials answer. True: verified, and
// AppendRestored gives what the platform must see. False with Ours: our mark, but under
// another key, for another realm or forged; nobody knows whose nonce it is. False
// without: not wrapped by us, or no Digest credentials.
func (s *Sealer) Open(value []byte, callID []byte) (Origin, bool) {
	var p Params
	if !ParseCredentials(&p, value) {
		return Origin{}, false
	}
	coded, ours := bytes.CutPrefix(p.Opaque.In(value), []byte(mark))
	if !ours {
		return Origin{}, false
	}
	o := Origin{Ours: true}
	if len(coded) < sealChars || len(coded) > blobCode.EncodedLen(len(s.blob)) {
		return o, false
	}
	n, err := blobCode.Decode(s.blob[:], coded)
	if err != nil {
		return o, false
	}
	copy(s.head[1:], s.blob[:headLen])
	head := s.head[1 : 1+headLen]
	mac := s.seal(s.blob[sealLen:n], p.Realm.In(value))
	if subtle.ConstantTimeCompare(mac, s.blob[headLen:sealLen]) != 1 {
		return o, false
	}
	o.verified = true
	o.Platform = head[0]
	o.had = head[1]&flagOpaque != 0
	o.At = int64(binary.BigEndian.Uint32(head[2:]))
	var call [8]byte
	binary.BigEndian.PutUint64(call[:], s.CallHash(callID))
	o.SameCall = bytes.Equal(call[:callLen], head[6:])
	o.opaque, o.name = p.Opaque, int(p.opaqueName.Off)
	return o, true
}

// seal returns the MAC over s.head, the original opaque and the realm's text, valid
// until the next use of s. The realm counts without its quoted-pairs: a phone may write
// them in another way than the platform.
func (s *Sealer) seal(opaque, realm []byte) []byte {
	s.head[0] = 'o'
	binary.BigEndian.PutUint16(s.head[1+headLen:], uint16(len(opaque)))
	s.mac.Reset()
	s.mac.Write(s.head[:])
	s.mac.Write(opaque)
	for {
		i := bytes.IndexByte(realm, '\\')
		if i < 0 || i+1 == len(realm) {
			break
		}
		s.mac.Write(realm[:i])
		s.mac.Write(realm[i+1 : i+2])
		realm = realm[i+2:]
	}
	s.mac.Write(realm)
	return s.mac.Sum(s.sum[:0])[:macLen]
}

// AppendRestored appends credentials as the platform must see them: with its own
// opaque in place of ours, or without the parameter and its comma if it had none. o is
// what Open said of this value; without a true from Open the value is appended as it is.
func AppendRestored(dst, value []byte, o Origin) []byte {
	if !o.verified {
		return append(dst, value...)
	}
	start, end := int(o.opaque.Off), o.opaque.end()
	quoted := isQuoted(value, o.opaque)
	if !o.had {
		if quoted {
			end++
		}
		from, to := cutParam(value, o.name, end)
		dst = append(dst, value[:from]...)
		return append(dst, value[to:]...)
	}
	dst = append(dst, value[:start]...)
	at := len(dst)
	coded := value[start+len(mark)+sealChars : end]
	dst = slices.Grow(dst, blobCode.DecodedLen(len(coded))+2)
	n, _ := blobCode.Decode(dst[at:cap(dst)], coded) // Open has decoded it before
	dst = dst[:at+n]
	if !quoted && !bareable(dst[at:]) {
		dst = slices.Insert(dst, at, '"')
		dst = append(dst, '"')
	}
	return append(dst, value[end:]...)
}

// cutParam returns what goes with the parameter at [start, end): the comma in front of
// it, or, for the first one, the comma behind it.
func cutParam(value []byte, start, end int) (from, to int) {
	from = start
	for from > 0 && isSpace(value[from-1]) {
		from--
	}
	if from > 0 && value[from-1] == ',' {
		return from - 1, end
	}
	to = skipSpace(value, end)
	if to < len(value) && value[to] == ',' {
		to = skipSpace(value, to+1)
	}
	return start, to
}
