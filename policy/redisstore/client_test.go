package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/hotcut/hotcut/policy/redisstore"
)

func TestNamespace(t *testing.T) {
	for _, c := range []struct{ url, plain, ns string }{
		{"redis://h:6379/2", "redis://h:6379/2", "default"},
		{"redis://h/0?ns=a", "redis://h/0", "a"},
		{"redis+sentinel://u:p@h?master_name=m&ns=a.b&addr=i", "redis+sentinel://u:p@h?addr=i&master_name=m", "a.b"},
	} {
		if plain, ns, err := redisstore.Namespace(c.url); plain != c.plain || ns != c.ns || err != nil {
			t.Errorf("%s: %s, %s, %v", c.url, plain, ns, err)
		}
	}
	if _, _, err := redisstore.Namespace("redis://u:s3%ZZcr3t@h"); err == nil || strings.Contains(err.Error(), "cr3t") {
		t.Error(err)
	}
}

func TestDial(t *testing.T) {
	m := miniredis.RunT(t)
	c, err := redisstore.Dial("redis://"+m.Addr()+"?ns=a", 2, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := c.Conn(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Set(t.Context(), redisstore.DataPrefix(c.NS, "kind")+"x", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if v, err := m.Get("{hotcut:a:kind}:x"); v != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	for _, bad := range []string{"redis://h?ns=a}b", "redis://h?ns=", "http://u:s3cr3t@h", "redis://u:s3cr3t@h?nonsense=1"} {
		if _, err := redisstore.Dial(bad, 2, time.Second); err == nil || strings.Contains(err.Error(), "cr3t") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
