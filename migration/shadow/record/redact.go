package record

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/wire"
)

// An Address is who a message names, redacted and with all ways to write it made one:
//
//	+4930x8~bcdfghjklmnp      a number in E.164: country and area, a token for the rest, which is 8 digits
//	x3~bcdfghjklmnp           an extension or a local number, of 3 digits
//	*~bcdfghjklmnp            a feature code; of at most four characters as it stands: "*98"
//	n~bcdfghjklmnp            a name
//	anonymous, voicemail      the few names that are nobody's, see words.go
//	h-bcdfghjklmnp.invalid    no user: a host, or its network "192.0.2.0"
type Address string

// Kind is the class of an address in words: what a report may say of two that differ.
func (a Address) Kind() string {
	s := string(a)
	open, _, token := strings.Cut(s, "~")
	switch {
	case s == "":
		return "nobody"
	case s[0] == '+':
		country, _, _ := strings.Cut(open, "x")
		return "a number in " + country
	case token && s[0] == 'x':
		return "an extension of " + open[1:] + " digits"
	case s[0] == '*' || s[0] == '#':
		return "a feature code"
	case s == "anonymous" || s == "restricted" || s == "unavailable" || s == "unknown" || s == "private":
		return "anonymous"
	case token:
		return "a name"
	case strings.Contains(s, ".") || strings.Contains(s, ":"):
		return "a host"
	}
	return s
}

// Digits is how many digits a number in E.164 or an extension has; 0: it is none, or was kept before numbers told that.
func (a Address) Digits() int {
	open, _, _ := strings.Cut(string(a), "~")
	shown, hidden, ok := strings.Cut(open, "x")
	if !ok || shown != "" && shown[0] != '+' {
		return 0
	}
	n, err := strconv.Atoi(hidden)
	if err != nil || n <= 0 || n > maxDigits {
		return 0
	}
	return n + len(strings.TrimPrefix(shown, "+"))
}

// Within reports whether two numbers in E.164 show the same country and area, as far as both show one: a number that has lost a digit may
// show less.
func (a Address) Within(b Address) bool {
	shown := func(a Address) string { s, _, _ := strings.Cut(string(a), "x"); return s }
	return strings.HasPrefix(shown(a), shown(b)) || strings.HasPrefix(shown(b), shown(a))
}

// maxDigits is how many digits of a number or an extension are counted.
const maxDigits = 99

// A Redactor makes tokens for one tenant. It may be used by several goroutines.
type Redactor struct {
	key     []byte // nil: every token is the same
	numbers func(dst []byte, user string) []byte
	mem     *memory // nil: of several goroutines
	yield   func()  // may be nil
}

// NewRedactor returns the redactor of a tenant. country is its calling code ("49"), for numbers without one; "" knows
// only numbers with +. Redactors of the same key and tenant make the same tokens; nobody without the key can tell what
// a token stands for, nor whether two tenants call the same number.
func NewRedactor(key []byte, tenant, country string) *Redactor {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("hotcut shadow redact " + tenant))
	format := "national:" + country
	return &Redactor{
		key:     h.Sum(nil),
		numbers: func(dst []byte, user string) []byte { return policy.AppendNormalised(dst, format, user) },
	}
}

// WithNumbers is r with another reading of dialled numbers: it appends "+E164" to dst[:0], or nothing for what is no number.
// policy.Record.Normalise knows a tenant's area and its prefix for an outside line, which a country alone does not.
func (r *Redactor) WithNumbers(numbers func(dst []byte, user string) []byte) *Redactor {
	return &Redactor{key: r.key, numbers: numbers, yield: r.yield}
}

// Yielding is r that calls f after each message of an exchange that it redacts or reads: who has something more urgent has its turn.
func (r *Redactor) Yielding(f func()) *Redactor {
	return &Redactor{key: r.key, numbers: r.numbers, mem: r.mem, yield: f}
}

func (r *Redactor) pause() {
	if r.yield != nil {
		r.yield()
	}
}

// CallID is the token of a Call-ID.
func (r *Redactor) CallID(id string) string { return r.tagged("c~", id) }

// Address is the redacted form of a URI, or of a user part alone.
func (r *Redactor) Address(s string) Address {
	b := []byte(s)
	if a, ok := wire.ParseAddr(b); ok {
		return Address(network(a))
	}
	if u, ok := wire.ParseURI(b); ok {
		return r.uri(b, &u)
	}
	if strings.HasSuffix(s, ".invalid") {
		return Address(r.host(b))
	}
	return r.user(b)
}

// uri is the address that a URI names: its user, else its host.
func (r *Redactor) uri(b []byte, u *wire.URI) Address {
	scheme := u.Scheme.Of(b)
	switch {
	case wire.EqualFold(scheme, "tel"):
		return r.user(u.Rest.Of(b)) // its phone-context says what a local number is
	case wire.EqualFold(scheme, "sip"), wire.EqualFold(scheme, "sips"):
		if !u.User.Empty() {
			return r.user(u.User.Of(b))
		}
		return Address(r.host(u.Host.Of(b)))
	}
	return r.name(b)
}

// user is the address of a user part, as it stands in a URI.
func (r *Redactor) user(escaped []byte) Address {
	switch {
	case len(escaped) == 0:
		return ""
	case len(escaped) > maxUserBytes:
		return r.name(escaped)
	}
	b := wire.AppendUnescaped(nil, escaped)
	if s := string(b); isToken(s) {
		return Address(s)
	}
	if w := nobodys.word(b); w != "" {
		return Address(w)
	}
	if r.numbers != nil {
		if e164 := r.numbers(nil, string(escaped)); len(e164) > 0 {
			open, hidden := splitNumber(string(e164))
			return Address(open + "x" + strconv.Itoa(len(hidden)) + "~" + r.token("number", open+hidden))
		}
	}
	number, _, _ := bytes.Cut(b, []byte(";"))
	digits, codes, ok := dialled(number)
	switch {
	case !ok:
		return r.name(b)
	case codes == 0:
		return Address("x" + strconv.Itoa(len(digits)) + "~" + r.token("extension", digits))
	case len(digits) <= 4:
		return Address(digits)
	}
	return Address("*~" + r.token("code", digits))
}

// dialled leaves out visual separators (RFC 3966 section 3) and counts what is no digit.
func dialled(b []byte) (digits string, codes int, ok bool) {
	out := make([]byte, 0, 24)
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
		case c == '*' || c == '#':
			codes++
		case c == '+' && i == 0, c == '-', c == '.', c == '(', c == ')', c == ' ':
			continue
		default:
			return "", 0, false
		}
		if len(out) == cap(out) {
			return "", 0, false
		}
		out = append(out, c)
	}
	return string(out), codes, len(out) > 0
}

func (r *Redactor) name(b []byte) Address { return Address(r.tagged("n~", string(bytes.ToLower(b)))) }

// host is the network of an address (/24, /48), or a name that no resolver knows. Two names that are the same by RFC 4343
// stay the same.
func (r *Redactor) host(b []byte) string {
	if a, ok := wire.ParseAddr(b); ok {
		return network(a)
	}
	h := string(wire.AppendHost(nil, b))
	if name, ours := strings.CutSuffix(h, ".invalid"); ours {
		if t, ok := strings.CutPrefix(name, "h-"); ok && isLetters(t) || name == "anonymous" || name == "tel" || name == "uri" {
			return h
		}
	}
	return "h-" + r.token("host", h) + ".invalid"
}

// network is an address without its host: "192.0.2.0", "2001:db8:1::".
func network(a netip.Addr) string {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil { // a zone, which no reader lets through
		return "0.0.0.0"
	}
	return p.Addr().String()
}

// tagged is a token of its kind, or s if it is one already.
func (r *Redactor) tagged(kind, s string) string {
	if t, ok := strings.CutPrefix(s, kind); ok && isLetters(t) {
		return s
	}
	return kind + r.token(kind, s)
}

const (
	letters   = "bcdfghjklmnpqrst"
	tokenSize = 12
)

// makeToken is 48 bits of an HMAC in twelve consonants: no digits that could pass for a number, no vowels that make words.
func (r *Redactor) makeToken(kind, value string) string {
	var sum [sha256.Size]byte
	if r.key != nil {
		r.sum(sum[:0], kind, value)
	}
	out := hex.AppendEncode(make([]byte, 0, tokenSize), sum[:tokenSize/2])
	for i, c := range out {
		if c >= 'a' {
			c -= 'a' - '0' - 10
		}
		out[i] = letters[c-'0']
	}
	return string(out)
}

// isLetters reports whether s is the letters of a token.
func isLetters(s string) bool {
	return len(s) == tokenSize && strings.Trim(s, letters) == ""
}

// isToken reports whether s is an address that has been redacted before. Who sends one on purpose stays as he is.
func isToken(s string) bool {
	open, t, ok := strings.Cut(s, "~")
	if !ok || !isLetters(t) || open == "" {
		return false
	}
	digits := func(s string, most int) bool { return s != "" && len(s) <= most && strings.Trim(s, "0123456789") == "" }
	switch open[0] {
	case '+':
		shown, hidden, counted := strings.Cut(open[1:], "x")
		return digits(shown, 6) && (!counted || digits(hidden, 2)) // one that was kept before numbers told their length has no count
	case 'x':
		return digits(open[1:], 2)
	case 'n', '*':
		return len(open) == 1
	}
	return false
}
