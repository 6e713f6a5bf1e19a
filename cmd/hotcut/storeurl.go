package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/filestore"
)

// openStore opens the store that a URL names. It does not connect yet: whether the store answers is known by the first
// question.
func openStore(raw string) (policy.Store, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, fmt.Errorf("store %q is no URL: write redis://host:6379/0 or file:///path", raw)
	}
	switch scheme {
	case "file":
		if !strings.HasPrefix(rest, "/") {
			return nil, fmt.Errorf("store %q: the path must be absolute: file:///path", raw)
		}
		return filestore.Open(rest)
	case "redis", "rediss", "redis+sentinel", "redis+cluster":
		return openRedis(raw)
	}
	return nil, fmt.Errorf("store %q: no store is called %s; write redis://, rediss://, redis+sentinel://, redis+cluster:// or file://", redacted(raw), scheme)
}

// redacted is a store's URL without its password, for what people and logs see.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		scheme, _, _ := strings.Cut(raw, "://")
		return scheme + "://..."
	}
	return u.Redacted()
}

// isRedis reports whether a URL names a Redis in any of its forms.
func isRedis(url string) bool { return strings.HasPrefix(url, "redis") && strings.Contains(url, "://") }
