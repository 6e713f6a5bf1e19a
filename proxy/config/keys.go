package config

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// KeyEnv names the environment variable that holds the keys, or the path of their file, when the configuration has none.
const KeyEnv = "HOTCUT_KEYS"

// Bounds of a key file.
const (
	MaxKeys    = 64
	MaxKeyFile = 16 << 10 // bytes
	KeyBytes   = 32
	MaxKeyID   = 16 // characters
)

// Key is one token key.
type Key struct {
	ID     string // [A-Za-z0-9]{1,16}, unique within a ring
	Secret [KeyBytes]byte
}

// String hides the secret: a Key that is printed by mistake gives nothing away.
func (k Key) String() string { return k.ID }

// GoString hides the secret from %#v.
func (k Key) GoString() string { return "config.Key(" + k.ID + ")" }

// KeyRing holds the token keys of all edges: the first signs, all verify. It is never empty. Last stands, if the file
// has it, the binding key.
type KeyRing []Key

// BindingKey is the id of the key that names bindings and seals flows into Path. It signs no dialog and never rotates: a
// registrar that sees another name sees another phone.
const BindingKey = "binding"

// Tokens are the keys of dialogs.
func (r KeyRing) Tokens() KeyRing {
	if last := len(r) - 1; r[last].ID == BindingKey {
		return r[:last]
	}
	return r
}

// Binding is the key that does not rotate. Without a line of its own it is made from the last key of the file: then it
// holds for as long as that one stays.
func (r KeyRing) Binding() (secret [KeyBytes]byte, own bool) {
	last := r[len(r)-1]
	if last.ID == BindingKey {
		return last.Secret, true
	}
	return sha256.Sum256(append([]byte("hotcut binding\n"), last.Secret[:]...)), false
}

// Signer is the key that seals new tokens.
func (r KeyRing) Signer() *Key { return &r[0] }

// IDs lists the key ids; the first signs.
func (r KeyRing) IDs() []string {
	ids := make([]string, len(r))
	for i := range r {
		ids[i] = r[i].ID
	}
	return ids
}

// ErrNoKeys is returned by LoadKeys when neither the configuration nor the environment names keys.
var ErrNoKeys = errors.New("no token keys: name their file in keys, or set " + KeyEnv)

// LoadKeys reads a key ring: from the lines in value if they are keys, else from the file that value names. An empty
// value means that of HOTCUT_KEYS. Errors never quote a line: it may be a key.
func LoadKeys(value string) (KeyRing, error) {
	if value == "" {
		value = os.Getenv(KeyEnv)
	}
	if value == "" {
		return nil, ErrNoKeys
	}
	if inlineKeys(value) {
		return ParseKeys([]byte(value))
	}
	f, err := os.Open(value)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxKeyFile+1))
	if err != nil {
		return nil, err
	}
	return ParseKeys(b)
}

// inlineKeys tells keys from a path: they have white space in them and no file has that name. So a key with a slip of
// the pen is still read, and reported, as a key: an error about a path would quote it.
func inlineKeys(value string) bool {
	if !strings.ContainsAny(strings.TrimSpace(value), " \t\n") {
		return false
	}
	_, err := os.Stat(value)
	return err != nil
}

// ParseKeys reads lines of "KID BASE64-OF-32-BYTES". Empty lines and lines that begin with # are skipped.
func ParseKeys(b []byte) (KeyRing, error) {
	if len(b) > MaxKeyFile {
		return nil, fmt.Errorf("more than %d bytes: a key file holds a line of at most 64 characters per key", MaxKeyFile)
	}
	var ring KeyRing
	seen := make(map[string]bool)
	n := 0
	for line := range bytes.Lines(b) {
		n++
		words := bytes.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if len(words) != 2 {
			return nil, fmt.Errorf("key line %d has %d words: a line is KID BASE64, `hotcut keys new` prints one", n, len(words))
		}
		k := Key{ID: string(words[0])}
		if !validKeyID(k.ID) {
			return nil, fmt.Errorf("key line %d: the key id must be 1 to %d letters and digits", n, MaxKeyID)
		}
		if seen[k.ID] {
			return nil, fmt.Errorf("key line %d: the key id %s stands twice: give each key its own", n, k.ID)
		}
		seen[k.ID] = true
		secret, err := base64.StdEncoding.DecodeString(string(words[1]))
		if err != nil || len(secret) != KeyBytes {
			return nil, fmt.Errorf("key line %d: the second word is not base64 of %d bytes: `hotcut keys new` prints a line", n, KeyBytes)
		}
		copy(k.Secret[:], secret)
		if ring = append(ring, k); len(ring) > MaxKeys {
			return nil, fmt.Errorf("more than %d keys: remove those that sign no living call", MaxKeys)
		}
	}
	if i := slices.IndexFunc(ring, func(k Key) bool { return k.ID == BindingKey }); i >= 0 {
		ring = append(slices.Delete(slices.Clone(ring), i, i+1), ring[i])
	}
	if len(ring) == 0 || ring[0].ID == BindingKey {
		return nil, errors.New("holds no key that signs: `hotcut keys new` prints a line")
	}
	return ring, nil
}

func validKeyID(s string) bool {
	for _, c := range []byte(s) {
		if !isAlnum(c) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= MaxKeyID
}

// MintKeyLine makes a line for the key file: a random id of four bytes in hex, and 32 random bytes in base64.
func MintKeyLine() string {
	var id [4]byte
	rand.Read(id[:]) // never fails since Go 1.24
	return mintLine(hex.EncodeToString(id[:]))
}

// MintBindingLine makes the line of the binding key.
func MintBindingLine() string { return mintLine(BindingKey) }

func mintLine(id string) string {
	var secret [KeyBytes]byte
	rand.Read(secret[:])
	return id + " " + base64.StdEncoding.EncodeToString(secret[:])
}
