package ng

import (
	"bytes"
	"errors"
)

// MaxMessage is the longest message that UDP over IPv4 carries, in bytes.
const MaxMessage = 65507

// MaxCookie bounds a cookie, in bytes. rtpengine and Kamailio use less than 40.
const MaxCookie = 128

var errCookie = errors.New("a message does not begin with a cookie of 1 to 128 printable characters and a space")

// cutMessage divides a message into its cookie and its dictionary, which may be empty.
func cutMessage(b []byte) (cookie string, body []byte, err error) {
	i := bytes.IndexByte(b[:min(len(b), MaxCookie+1)], ' ')
	if i <= 0 {
		return "", nil, errCookie
	}
	for _, c := range b[:i] {
		if c < '!' || c > '~' {
			return "", nil, errCookie
		}
	}
	return string(b[:i]), b[i+1:], nil
}

func appendMessage(dst []byte, cookie string, d Dict) []byte {
	return appendDict(append(append(dst, cookie...), ' '), d)
}
