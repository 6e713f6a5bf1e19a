package record

import (
	"crypto/hmac"
	"crypto/sha256"
)

// An Address is who a message names, redacted and with all ways to write it made one:
//
//	+4930~bcdfghjklmnp   a number in E.164: country and area, a token for the rest
//	x3~bcdfghjklmnp      an extension or a local number of 3 digits
//	*~bcdfghjklmnp       a feature code
//	n~bcdfghjklmnp       a name
//	anonymous            as it stands; so are "restricted", "unavailable", "unknown", "private"
//	h~bcdfghjklmnp       no user: a host
type Address string

// A Redactor makes tokens for one tenant. It may be used by several goroutines.
type Redactor struct {
	key     []byte
	country string
}

// NewRedactor returns the redactor of a tenant. country is its calling code ("49"), for numbers without one; "" knows
// only numbers with +. Redactors of the same key and tenant make the same tokens.
func NewRedactor(key []byte, tenant, country string) *Redactor {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("hotcut shadow redact " + tenant))
	return &Redactor{key: h.Sum(nil), country: country}
}

// CallID is the token of a Call-ID.
func (r *Redactor) CallID(id string) string { return "c~" + r.token("call-id", id) }

// Message is a redacted copy of a message, still SIP: see message.go for what stays. What does not scan gives nil.
func (r *Redactor) Message(raw []byte) []byte { return nil }

// token is 48 bits of an HMAC in twelve consonants: no digits that could pass for a number, no vowels that make words.
func (r *Redactor) token(kind, value string) string {
	const letters = "bcdfghjklmnpqrst"
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(value))
	sum := h.Sum(nil)
	out := make([]byte, 0, 12)
	for _, b := range sum[:6] {
		out = append(out, letters[b>>4], letters[b&15])
	}
	return string(out)
}
