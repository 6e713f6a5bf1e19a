//go:build interop

package redisstore_test

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy/redisstore/redistest"
)

// A real Redis says what Check looks for, and changing it changes the answer.
func TestRealCheck(t *testing.T) {
	srv := redistest.Start(t)
	s := openReal(t, srv)
	found := func() string {
		list, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, f := range list {
			out += fmt.Sprintf("%s=%s ", f.Check, f.Level)
		}
		return out
	}
	o, err := redis.ParseURL(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	defer c.Close()
	for _, set := range [][2]string{{"maxmemory-policy", "noeviction"}, {"appendonly", "yes"}} {
		if err := c.ConfigSet(t.Context(), set[0], set[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(); got != "eviction=ok aof=ok replicas=warn " {
		t.Errorf("safe: %s", got)
	}
	for _, set := range [][2]string{{"maxmemory-policy", "allkeys-lru"}, {"appendonly", "no"}} {
		if err := c.ConfigSet(t.Context(), set[0], set[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(); got != "eviction=fail aof=warn replicas=warn " {
		t.Errorf("a cache: %s", got)
	}
}
