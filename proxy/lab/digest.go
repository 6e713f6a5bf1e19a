package lab

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest algorithms of the lab (RFC 3261 section 22.4, RFC 8760).
const (
	MD5    = "MD5"
	SHA256 = "SHA-256"
)

// challenge is what a 401 or 407 asks for.
type challenge struct {
	realm, nonce, opaque, algorithm, qop string
	stale                                bool
}

// String is the value of WWW-Authenticate or Proxy-Authenticate.
func (c challenge) String() string {
	s := fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=%s`, c.realm, c.nonce, c.algorithm)
	if c.qop != "" {
		s += fmt.Sprintf(`, qop="%s"`, c.qop)
	}
	if c.opaque != "" {
		s += fmt.Sprintf(`, opaque="%s"`, c.opaque)
	}
	if c.stale {
		s += ", stale=true"
	}
	return s
}

// parseChallenge reads one; false if it is of another scheme or an algorithm that the lab does not compute.
func parseChallenge(value string) (challenge, bool) {
	p, ok := digestParams(value)
	if !ok {
		return challenge{}, false
	}
	c := challenge{
		realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"],
		stale: strings.EqualFold(p["stale"], "true"),
	}
	if c.algorithm == "" {
		c.algorithm = MD5
	}
	for offer := range strings.SplitSeq(p["qop"], ",") {
		if strings.TrimSpace(offer) == "auth" {
			c.qop = "auth"
		}
	}
	return c, c.nonce != "" && hash(c.algorithm, "") != "" && (p["qop"] == "" || c.qop != "")
}

// answer is the value of Authorization or Proxy-Authorization: nc is the count of uses of this nonce.
func (c challenge) answer(user, password, method, uri string, nc uint32) string {
	cnonce := strings.ToLower(rand.Text()[:16])
	count := fmt.Sprintf("%08x", nc)
	response := digest(c.algorithm, user, c.realm, password, method, uri, c.nonce, count, cnonce, c.qop)
	s := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s`,
		user, c.realm, c.nonce, uri, response, c.algorithm)
	if c.qop != "" {
		s += fmt.Sprintf(`, cnonce="%s", qop=%s, nc=%s`, cnonce, c.qop, count)
	}
	if c.opaque != "" {
		s += fmt.Sprintf(`, opaque="%s"`, c.opaque)
	}
	return s
}

// digest computes a response (RFC 7616 section 3.4.1); without qop that of RFC 2069.
func digest(algorithm, user, realm, password, method, uri, nonce, nc, cnonce, qop string) string {
	ha1 := hash(algorithm, user+":"+realm+":"+password)
	ha2 := hash(algorithm, method+":"+uri)
	if qop == "" {
		return hash(algorithm, ha1+":"+nonce+":"+ha2)
	}
	return hash(algorithm, strings.Join([]string{ha1, nonce, nc, cnonce, qop, ha2}, ":"))
}

// hash is H of an algorithm in hexadecimal; empty for one that the lab does not compute.
func hash(algorithm, s string) string {
	switch {
	case strings.EqualFold(algorithm, MD5):
		sum := md5.Sum([]byte(s))
		return hex.EncodeToString(sum[:])
	case strings.EqualFold(algorithm, SHA256):
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	return ""
}

// digestParams reads the parameters of a Digest challenge or of Digest credentials, names in lower case, quotes removed.
func digestParams(value string) (map[string]string, bool) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(value), " ")
	if !found || !strings.EqualFold(scheme, "Digest") {
		return nil, false
	}
	params := make(map[string]string)
	for rest = strings.TrimLeft(rest, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
		name, after, found := strings.Cut(rest, "=")
		if !found {
			return nil, false
		}
		name = strings.ToLower(strings.TrimSpace(name))
		after = strings.TrimLeft(after, " \t")
		var word string
		if strings.HasPrefix(after, `"`) {
			if word, rest, found = quoted(after[1:]); !found {
				return nil, false
			}
		} else if end := strings.IndexByte(after, ','); end >= 0 {
			word, rest = strings.TrimSpace(after[:end]), after[end:]
		} else {
			word, rest = strings.TrimSpace(after), ""
		}
		if _, twice := params[name]; twice {
			return nil, false
		}
		params[name] = word
	}
	return params, true
}

// quoted reads up to the closing quote and returns what follows it.
func quoted(s string) (word, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}
