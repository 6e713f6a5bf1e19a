//go:build interop

package share

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/redisstore/redistest"
	"github.com/hotcut/hotcut/proxy/location"
)

func real(srv *redistest.Server) string { return srv.URL() + "?ns=test" }

// Two edges with all they have, on a Redis that is killed, comes back empty, stops answering, and fills up.
func TestRealOutages(t *testing.T) {
	srv := redistest.Start(t)
	a, b := start(t, "edge-a", real(srv)), start(t, "edge-b", real(srv))
	const n = 10_000
	for i := range n {
		a.table.Put(phone("edge-a", i))
		b.table.Put(phone("edge-b", n+i))
	}
	a.until("all", func() bool { return a.table.Len() == 2*n })
	b.until("all", func() bool { return b.table.Len() == 2*n })

	srv.Kill()
	a.until("it is noticed", func() bool { return !a.share.State().Live })
	meanwhile := phone("edge-a", 1)
	a.table.Put(meanwhile)
	srv.Restart()
	late := start(t, "edge-c", real(srv))
	late.until("all of both edges", func() bool { return late.table.Len() == 2*n && late.has(meanwhile) })
	b.until("news of the outage", func() bool { return b.has(meanwhile) })

	a.until("quiet", func() bool { return a.table.Stats().ShareWaiting == 0 && a.share.State().Live })
	srv.Pause()
	begin := time.Now()
	for i := range n {
		a.table.Put(phone("edge-a", i))
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the table waited %v for a Redis that hangs", took)
	}
	begin = time.Now()
	if a.ask(location.ID{1}); time.Since(begin) > 20*time.Second {
		t.Errorf("an answer took %v", time.Since(begin))
	}
	srv.Resume()
	last := phone("edge-a", 2)
	a.table.Put(last)
	b.until("news after the pause", func() bool { return b.has(last) })

	srv.Do("CONFIG", "SET", "maxmemory", "1")
	p := phone("edge-a", 3)
	a.table.Put(p)
	a.until("it is said", func() bool { return strings.Contains(a.share.State().LastError, "OOM") })
	srv.Do("CONFIG", "SET", "maxmemory", "0")
	b.until("news after the refusal", func() bool { return b.has(p) })
	a.until("it is over", func() bool { s := a.share.State(); return s.Live && s.LastError == "" })
}

// What Redis keeps is bounded however often phones refresh, and a follower that was trimmed past reads everything.
func TestRealTrim(t *testing.T) {
	srv := redistest.Start(t)
	a := start(t, "edge-a", real(srv))
	const n = 20_000
	for range 3 {
		before := a.share.State().Published
		for i := range n {
			a.table.Put(phone("edge-a", i))
		}
		a.until("published", func() bool { return a.share.State().Published == before+n })
	}
	var entries int
	if _, err := fmt.Sscanf(srv.Do("XLEN", prefix+"news"), ":%d", &entries); err != nil || entries < newsKept || entries > newsKept+1000 {
		t.Errorf("%d entries, %v", entries, err)
	}
	if got := srv.Do("ZCARD", prefix+"ids"); got != fmt.Sprintf(":%d", n) {
		t.Errorf("%s ids", got)
	}
	b := start(t, "edge-b", real(srv))
	b.until("all", func() bool { return b.table.Len() == n })
	srv.Do("XTRIM", prefix+"news", "MAXLEN", "10")
	p := phone("edge-a", 1)
	a.table.Put(p)
	b.until("news go on", func() bool { return b.has(p) })
}

func TestRealCluster(t *testing.T) {
	srv := redistest.Start(t, redistest.Cluster())
	if got := srv.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); got != "+OK" {
		t.Fatal(got)
	}
	url := "redis+cluster://" + srv.Addr() + "?ns=test"
	a, b := start(t, "edge-a", url), start(t, "edge-b", url)
	for i := range 1000 {
		a.table.Put(phone("edge-a", i))
	}
	b.until("all", func() bool { return b.table.Len() == 1000 })
	b.live()
	hidden := phone("edge-x", 5000)
	raw, err := location.AppendRecord(nil, hidden)
	if err != nil {
		t.Fatal(err)
	}
	srv.Do("SET", prefix+hidden.ID.String(), string(raw))
	b.share.Ask(hidden.ID, func(*location.Binding) {})
	b.until("asked", func() bool { return b.has(hidden) })
}

// The Redis user that the policy store gives to edges may share bindings too.
func TestRealEdgeUser(t *testing.T) {
	srv := redistest.Start(t)
	if got := srv.Do(append([]string{"ACL", "SETUSER", "edge", "on", ">s3cr3t"}, redisstore.EdgeRules("test")...)...); got != "+OK" {
		t.Fatal(got)
	}
	url := "redis://edge:s3cr3t@" + srv.Addr() + "/0?ns=test"
	a, b := start(t, "edge-a", url), start(t, "edge-b", url)
	p := phone("edge-a", 1)
	a.table.Put(p)
	b.until("news", func() bool { return b.has(p) })
	late := start(t, "edge-c", url)
	late.until("news", func() bool { return late.has(p) })
	srv.Do("ACL", "SETUSER", "edge", "reset")
	srv.Do("CLIENT", "KILL", "USER", "edge")
	a.until("it is said", func() bool { s := a.share.State(); return !s.Live && s.LastError != "" })
	if s := a.share.State().LastError; strings.Contains(s, "s3cr3t") {
		t.Error(s)
	}
}
