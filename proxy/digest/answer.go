package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Why a challenge can not be answered. The errors of AppendAuthorization wrap one of
// these and say more. Of several challenges the first that can be answered is the one
// to take (RFC 8760 section 2.4): a caller tries them in order.
var (
	ErrRealm     = errors.New("the secret is for another realm")
	ErrAlgorithm = errors.New("unknown digest algorithm")
	ErrNoHash    = errors.New("no HA1 for this algorithm, and no password")
	ErrQOP       = errors.New("no quality of protection that we speak")
	ErrWriting   = errors.New("can not be written into a header")
)

// algorithm is a row of RFC 7616 section 6.1 as RFC 8760 lets SIP use it.
type algorithm struct {
	name string // in lower case
	sum  func(...string) string
	ha1  func(*Secret) string // the stored one in hex, "" if there is none
	sess bool
}

var algorithms = []algorithm{
	{"md5", md5Hex, (*Secret).ha1MD5, false},
	{"md5-sess", md5Hex, (*Secret).ha1MD5, true},
	{"sha-256", sha256Hex, (*Secret).ha1SHA256, false},
	{"sha-256-sess", sha256Hex, (*Secret).ha1SHA256, true},
}

// AppendAuthorization appends the value of Authorization or Proxy-Authorization that
// answers a challenge (ch is what ParseChallenge read from value) for a request without
// a body: qop auth; auth-int where auth is not offered; the form of RFC 2069 where no
// qop is. nc counts the uses of this nonce from 1; cnonce is fresh and random.
func AppendAuthorization(dst []byte, ch *Params, value []byte, sec Secret, method, uri string, nc uint32, cnonce string) ([]byte, error) {
	realm, nonce := string(ch.Realm.In(value)), string(ch.Nonce.In(value))
	if sec.Realm != "" && sec.Realm != anyRealm && sec.Realm != realm {
		return dst, fmt.Errorf("%w: have one for %q, challenged for %q", ErrRealm, shown(sec.Realm), shown(realm))
	}
	alg, err := ch.algorithm(value)
	if err != nil {
		return dst, err
	}
	qop, err := ch.pickQOP(value)
	if err != nil {
		return dst, err
	}
	switch {
	case !quotable(sec.Username):
		return dst, fmt.Errorf("username %w", ErrWriting)
	case !quotable(uri):
		return dst, fmt.Errorf("URI %w", ErrWriting)
	case !quotable(cnonce):
		return dst, fmt.Errorf("cnonce %w", ErrWriting)
	}

	ha1 := alg.ha1(&sec)
	switch {
	case sec.Password != "":
		ha1 = alg.sum(sec.Username, realm, sec.Password)
	case ha1 == "":
		return dst, fmt.Errorf("%w (%s)", ErrNoHash, alg.name)
	case sec.Realm != realm: // a HA1 has its realm inside
		return dst, fmt.Errorf("%w: a HA1 needs a realm of its own", ErrRealm)
	}
	if alg.sess {
		ha1 = alg.sum(ha1, nonce, cnonce)
	}
	ha2 := alg.sum(method, uri)
	if qop == "auth-int" {
		ha2 = alg.sum(method, uri, alg.sum(""))
	}
	count := fmt.Sprintf("%08x", nc)
	response := alg.sum(ha1, nonce, ha2)
	if qop != "" {
		response = alg.sum(ha1, nonce, count, cnonce, qop, ha2)
	}

	dst = fmt.Appendf(dst, `Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`,
		sec.Username, realm, nonce, uri, response)
	if ch.Algorithm.Len > 0 {
		dst = fmt.Appendf(dst, ", algorithm=%s", ch.Algorithm.In(value))
	}
	if qop != "" || alg.sess {
		dst = fmt.Appendf(dst, `, cnonce="%s"`, cnonce)
	}
	if ch.Opaque.Present() {
		dst = fmt.Appendf(dst, `, opaque="%s"`, ch.Opaque.In(value))
	}
	if qop != "" {
		dst = fmt.Appendf(dst, ", qop=%s, nc=%s", qop, count)
	}
	return dst, nil
}

// algorithm is the one a challenge asks for; without a word, MD5 (RFC 7616 section 3.3).
func (p *Params) algorithm(value []byte) (*algorithm, error) {
	name := p.Algorithm.In(value)
	if len(name) == 0 {
		return &algorithms[0], nil
	}
	for i := range algorithms {
		if equalFold(name, algorithms[i].name) {
			return &algorithms[i], nil
		}
	}
	return nil, fmt.Errorf("%w %q", ErrAlgorithm, shown(string(name)))
}

// pickQOP takes auth, else auth-int; "" if the challenge offers none at all.
func (p *Params) pickQOP(value []byte) (string, error) {
	offer := p.QOP.In(value)
	picked, some := "", false
	for i := 0; i < len(offer); {
		if isSpace(offer[i]) || offer[i] == ',' {
			i++
			continue
		}
		start := i
		for i < len(offer) && !isSpace(offer[i]) && offer[i] != ',' {
			i++
		}
		some = true
		switch {
		case equalFold(offer[start:i], "auth"):
			return "auth", nil
		case equalFold(offer[start:i], "auth-int"):
			picked = "auth-int"
		}
	}
	if some && picked == "" {
		return "", fmt.Errorf("%w: %q", ErrQOP, shown(string(offer)))
	}
	return picked, nil
}

// md5Hex is H of RFC 7616 section 3.4.1 over its arguments, joined by colons.
func md5Hex(parts ...string) string {
	sum := md5.Sum(joined(parts))
	return hex.EncodeToString(sum[:])
}

func sha256Hex(parts ...string) string {
	sum := sha256.Sum256(joined(parts))
	return hex.EncodeToString(sum[:])
}

func joined(parts []string) []byte {
	var b []byte
	for i, p := range parts {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, p...)
	}
	return b
}

// shown keeps what a peer wrote short enough for a log.
func shown(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
