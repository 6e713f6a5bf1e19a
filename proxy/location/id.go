package location

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
)

// ID names a binding: the same on every edge, at every refresh, under every rev and token key. It is what registrars see
// as the user of a Contact of ours, or in our Path.
type ID [10]byte

// IDLen is the length of an ID in text.
const IDLen = 16

// Text of an ID is base32hex (RFC 4648 section 7) in lower case without padding: 80 bits are 16 digits, all of them used.
const digits = "0123456789abcdefghijklmnopqrstuv"

// Append writes the 16 characters of the id.
func (id ID) Append(dst []byte) []byte {
	for i := 0; i < len(id); i += 5 {
		v := uint64(id[i])<<32 | uint64(binary.BigEndian.Uint32(id[i+1:]))
		for shift := 35; shift >= 0; shift -= 5 {
			dst = append(dst, digits[v>>shift&31])
		}
	}
	return dst
}

func (id ID) String() string {
	var b [IDLen]byte
	return string(id.Append(b[:0]))
}

// ParseID reads what Append wrote. An id has one spelling: upper case is none.
func ParseID(b []byte) (id ID, ok bool) {
	if len(b) != IDLen {
		return ID{}, false
	}
	for half := range 2 {
		var v uint64
		for _, c := range b[half*8 : half*8+8] {
			switch {
			case '0' <= c && c <= '9':
				c -= '0'
			case 'a' <= c && c <= 'v':
				c -= 'a' - 10
			default:
				return ID{}, false
			}
			v = v<<5 | uint64(c)
		}
		id[half*5] = byte(v >> 32)
		binary.BigEndian.PutUint32(id[half*5+1:], uint32(v))
	}
	return id, true
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return id.Append(make([]byte, 0, IDLen)), nil }

var errID = errors.New("a binding id is 16 characters of 0-9 a-v")

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) error {
	v, ok := ParseID(b)
	if !ok {
		return errID
	}
	*id = v
	return nil
}

// A Namer computes ids. It is not safe for concurrent use.
type Namer struct {
	mac hash.Hash
	buf []byte
}

// NewNamer returns a Namer under a key that all edges share and that never rotates: with another key every phone is
// another binding to both platforms.
func NewNamer(key []byte) *Namer { return &Namer{mac: hmac.New(sha256.New, key)} }

// The field that begins the MAC's input keeps ids apart from whatever else the key may sign.
const idDomain = "hotcut binding id"

// maxNamed is how much of the input the Namer keeps room for between calls.
const maxNamed = 16 << 10

// ID returns the first 80 bits of an HMAC-SHA-256 over the fields, each with its length before it. instance and regID
// are the values of +sip.instance and reg-id (RFC 5626), empty where the Contact has none.
func (n *Namer) ID(tenant, aor string, uri, instance, regID []byte) ID {
	b := binary.BigEndian.AppendUint32(n.buf[:0], uint32(len(idDomain)))
	b = append(b, idDomain...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(tenant)))
	b = append(b, tenant...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(aor)))
	b = append(b, aor...)
	for _, f := range [...][]byte{uri, instance, regID} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	n.mac.Reset()
	n.mac.Write(b)
	b = n.mac.Sum(b[:0])
	id := ID(b[:10])
	if n.buf = b; cap(b) > maxNamed {
		n.buf = nil
	}
	return id
}
