package redisstore

import (
	"regexp"
	"strings"
)

var secretParam = regexp.MustCompile(`(?i)([?&](?:sentinel_)?password=)[^&#]*`)

// Redact returns a store URL without its passwords, also of one that can not be parsed.
func Redact(rawURL string) string {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		// "user:secret@host" without a scheme
		if at := strings.LastIndexByte(rawURL, '@'); at >= 0 {
			return "xxxxx" + rawURL[at:]
		}
		return rawURL
	}
	rest = secretParam.ReplaceAllString(rest, "${1}xxxxx")
	// A password may hold / and ?, written by hand and unescaped: hide up to the last @.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, _, secret := strings.Cut(rest[:at], ":")
		if secret {
			user += ":xxxxx"
		}
		rest = user + rest[at:]
	}
	return scheme + "://" + rest
}
