package redisstore

import (
	"fmt"
	"strings"
	"testing"
)

func TestJudgeInfo(t *testing.T) {
	for _, c := range []struct{ name, info, want string }{
		{"safe", "# Memory\r\nmaxmemory_policy:noeviction\r\n\r\n# Persistence\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n",
			"eviction ok, aof ok, replicas ok"},
		{"a cache", "maxmemory_policy:allkeys-lru\naof_enabled:0\nconnected_slaves:0\n", "eviction fail, aof warn, replicas warn"},
		{"mute", "", "eviction skip, aof skip, replicas skip"},
		{"half mute", "# Memory\r\nmaxmemory_policy:volatile-ttl\r\n", "eviction fail, aof skip, replicas skip"},
	} {
		var got []string
		for _, f := range judgeInfo("n:1", c.info) {
			got = append(got, f.Check+" "+f.Level)
			if strings.Contains(f.Detail, "%") || f.Detail == "" || (f.Fix == "") != (f.Level == "ok" || f.Level == "skip") || f.Node != "n:1" {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
	if d := fmt.Sprint(judgeInfo("", "maxmemory_policy:allkeys-lru\nconnected_slaves:3")); !strings.Contains(d, "is allkeys-lru:") || !strings.Contains(d, "3 connected") {
		t.Error(d)
	}
}
