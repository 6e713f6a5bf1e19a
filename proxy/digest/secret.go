package digest

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

const (
	anyRealm = "*"
	hidden   = "(secret)"
)

// A Secret answers challenges for one user: by HA1, of one realm, or by password. A
// hash of zeros is none. It prints as "(secret)", whatever the verb or encoder; a struct
// that holds one in an unexported field must not be printed, since package fmt then
// can not ask it.
type Secret struct {
	Username  string
	Realm     string // "" or "*": any; only with a password
	HA1MD5    [16]byte
	HA1SHA256 [32]byte
	Password  string
}

func (s *Secret) ha1MD5() string {
	if s.HA1MD5 == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(s.HA1MD5[:])
}

func (s *Secret) ha1SHA256() string {
	if s.HA1SHA256 == [32]byte{} {
		return ""
	}
	return hex.EncodeToString(s.HA1SHA256[:])
}

// The ways in which a value gets into a log, a dump or an answer of the admin API.

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) Format(w fmt.State, _ rune)   { _, _ = io.WriteString(w, hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }

func (Secrets) String() string               { return hidden }
func (Secrets) GoString() string             { return hidden }
func (Secrets) Format(w fmt.State, _ rune)   { _, _ = io.WriteString(w, hidden) }
func (Secrets) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (Secrets) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
func (Secrets) LogValue() slog.Value         { return slog.StringValue(hidden) }
