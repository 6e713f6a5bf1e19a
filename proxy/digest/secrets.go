package digest

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unique"
)

const (
	maxLines = 1_000_000
	maxLine  = 1 << 10 // bytes
	anyUser  = "*"
)

// Secrets are those of a secrets file. They do not change: a file that changed is
// loaded anew. Safe for concurrent use.
type Secrets struct {
	of map[who]Secret
}

// who is a line's left side. Domains and realms are few and shared.
type who struct {
	user          string // "*": whoever has no line of his own
	domain, realm unique.Handle[string]
}

// LoadSecrets reads a secrets file: one secret per line, at most 1,000,000 lines of
// 1,024 bytes; empty lines and those that begin with # do not count as secrets.
//
//	USER@DOMAIN REALM ha1-md5:HEX [ha1-sha256:HEX]
//	USER@DOMAIN REALM|* password:TEXT TO THE END OF THE LINE
//	*@DOMAIN    REALM|* password:TEXT TO THE END OF THE LINE
//
// A realm with white space stands between quotes. REALM * is any realm, USER * every
// user of the domain who has no line. Where the platform's digest username is not USER,
// username:NAME stands after the realm. Errors name the line and quote nothing of it.
func LoadSecrets(r io.Reader) (*Secrets, error) {
	s := &Secrets{of: make(map[who]Secret)}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine+2), maxLine+2) // and its line end
	n := 0
	for lines.Scan() {
		if n++; n > maxLines {
			return nil, fmt.Errorf("line %d: more than %d lines", n, maxLines)
		}
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("line %d: %w", n, errTooLong)
		}
		if t := strings.TrimLeft(line, " \t"); t == "" || t[0] == '#' {
			continue
		}
		w, secret, err := readSecret(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if _, twice := s.of[w]; twice {
			return nil, fmt.Errorf("line %d: %w", n, errTwice)
		}
		s.of[w] = secret
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d: %w", n+1, errTooLong)
	case err != nil:
		return nil, fmt.Errorf("after line %d: %w", n, err)
	}
	return s, nil
}

// What is wrong with a line. No text of the line is ever part of an error: a misplaced
// space turns a password into a realm.
var (
	errTooLong  = fmt.Errorf("longer than %d bytes", maxLine)
	errTwice    = errors.New("a second secret for the same user, domain and realm")
	errControl  = errors.New("control character")
	errUser     = errors.New("must begin with USER@DOMAIN")
	errRealm    = errors.New("a realm must follow: a word, \"words\" or *")
	errName     = errors.New("username: must name somebody, without quotes or backslashes")
	errNothing  = errors.New("ha1-md5:HEX, ha1-sha256:HEX or password:TEXT must follow the realm")
	errWord     = errors.New("neither ha1-md5:HEX nor ha1-sha256:HEX")
	errMD5      = errors.New("ha1-md5 must be 32 hexadecimal digits, and given once")
	errSHA256   = errors.New("ha1-sha256 must be 64 hexadecimal digits, and given once")
	errEmpty    = errors.New("password: is empty")
	errAnyRealm = errors.New("realm * needs a password: a HA1 is of one realm")
	errAnyUser  = errors.New("user * needs a password, and takes no username: a HA1 is of one user")
)

func readSecret(line string) (w who, s Secret, err error) {
	for i := range len(line) {
		if isControl(line[i]) && line[i] != '\t' {
			return w, s, errControl
		}
	}
	word, rest := cutWord(line)
	at := strings.LastIndexByte(word, '@')
	if at <= 0 || at == len(word)-1 || !quotable(word[:at]) {
		return w, s, errUser
	}
	user, domain := word[:at], word[at+1:]
	realm, rest, ok := cutRealm(rest)
	if !ok {
		return w, s, errRealm
	}
	s = Secret{Username: strings.Clone(user), Realm: strings.Clone(realm)}
	w = who{s.Username, unique.Make(strings.ToLower(domain)), unique.Make(s.Realm)}

	rest = strings.TrimLeft(rest, " \t")
	if strings.HasPrefix(rest, "username:") {
		word, rest = cutWord(rest)
		name := strings.TrimPrefix(word, "username:")
		if name == "" || !quotable(name) {
			return w, s, errName
		}
		if user == anyUser {
			return w, s, errAnyUser
		}
		s.Username = strings.Clone(name)
		rest = strings.TrimLeft(rest, " \t")
	}
	if password, is := strings.CutPrefix(rest, "password:"); is {
		if password == "" {
			return w, s, errEmpty
		}
		s.Password = strings.Clone(password)
		return w, s, nil
	}
	if err := s.readHashes(rest); err != nil {
		return w, s, err
	}
	switch {
	case user == anyUser:
		return w, s, errAnyUser
	case realm == anyRealm:
		return w, s, errAnyRealm
	}
	return w, s, nil
}

func (s *Secret) readHashes(rest string) error {
	words := strings.Fields(rest)
	if len(words) == 0 {
		return errNothing
	}
	for _, word := range words {
		kind, digits, _ := strings.Cut(word, ":")
		switch kind {
		case "ha1-md5":
			if !readHash(s.HA1MD5[:], digits) {
				return errMD5
			}
		case "ha1-sha256":
			if !readHash(s.HA1SHA256[:], digits) {
				return errSHA256
			}
		default:
			return errWord
		}
	}
	return nil
}

// readHash reads digits into dst, which must be empty and have just that size. Zeros
// mean that there is no hash.
func readHash(dst []byte, digits string) bool {
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(dst) || !zero(dst) || zero(b) {
		return false
	}
	copy(dst, b)
	return true
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func cutWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// cutRealm cuts a word, or what is between quotes. A word with a colon that looks like
// a secret's is a line whose realm was forgotten.
func cutRealm(s string) (realm, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	if quoted, is := strings.CutPrefix(s, `"`); is {
		realm, rest, ok = strings.Cut(quoted, `"`)
		return realm, rest, ok && realm != "" && (rest == "" || isSpace(rest[0]))
	}
	realm, rest = cutWord(s)
	for _, kind := range []string{"password:", "ha1-md5:", "ha1-sha256:", "username:"} {
		if strings.HasPrefix(realm, kind) {
			return "", "", false
		}
	}
	return realm, rest, realm != ""
}

// Find returns the secret of a user for a realm: his own for the realm, his own for any
// realm, that of the domain for the realm, that of the domain for any. Domains compare
// without case, users and realms with it.
func (s *Secrets) Find(user, domain, realm string) (Secret, bool) {
	if s == nil {
		return Secret{}, false
	}
	d := unique.Make(strings.ToLower(domain))
	r, whichever := unique.Make(realm), unique.Make(anyRealm)
	for _, w := range []who{{user, d, r}, {user, d, whichever}, {anyUser, d, r}, {anyUser, d, whichever}} {
		found, ok := s.of[w]
		if !ok {
			continue
		}
		if w.user == anyUser {
			found.Username = user
		}
		return found, true
	}
	return Secret{}, false
}

// Len is how many secrets there are.
func (s *Secrets) Len() int {
	if s == nil {
		return 0
	}
	return len(s.of)
}
