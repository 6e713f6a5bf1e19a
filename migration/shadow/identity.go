package shadow

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/proxy/tap"
)

// identity makes the names of everything of ours, so that nothing of a live call is in them and none can be guessed.
type identity struct {
	secret []byte
	count  uint64 // branches and tags made since the start
	boot   string
}

// token is 8*n bits of HMAC over a kind and parts, in hex.
func (i *identity) token(n int, kind string, parts ...string) string {
	h := hmac.New(sha256.New, i.secret)
	h.Write([]byte("hotcut shadow " + kind))
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:n])
}

// fresh is a token that no other call of it returns, in this process or another.
func (i *identity) fresh(kind string) string {
	i.count++
	return i.token(8, kind, i.boot, strconv.FormatUint(i.count, 36))
}

const (
	branchCookie = "z9hG4bKhs"
	markHeader   = "X-Hotcut-Shadow" // tap.Header, as it is written
	sinkPrefix   = tap.SinkUser
)

func (i *identity) branch() string { return branchCookie + i.fresh("branch") }

// mark is the value of X-Hotcut-Shadow: an id and its MAC.
func (i *identity) mark(id string) string { return id + ";" + i.token(8, "mark", id) }

// marked reads a mark of ours; false: it is none.
func (i *identity) marked(value string) (id string, ok bool) {
	id, mac, ok := strings.Cut(strings.TrimSpace(value), ";")
	if !ok || len(id) > 64 {
		return "", false
	}
	return id, subtle.ConstantTimeCompare([]byte(mac), []byte(i.token(8, "mark", id))) == 1
}
