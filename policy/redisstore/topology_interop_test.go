//go:build interop

package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/policy/redisstore/redistest"
	"github.com/hotcut/hotcut/policy/storetest"
)

// Every key of a commit is in one slot, and the commit finds the node that owns it.
func TestRealCluster(t *testing.T) {
	srv := redistest.Start(t, redistest.Cluster())
	if got := srv.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383"); got != "+OK" {
		t.Fatal(got)
	}
	until(t, func() bool { return srv.Do("SET", "probe", "1") == "+OK" }) // the cluster is up
	storetest.Run(t, func(t *testing.T) policy.Store {
		s, err := redisstore.Open(context.Background(), fmt.Sprintf("redis+cluster://127.0.0.1:%d", srv.Port()),
			fmt.Sprint("ns", nsCount.Add(1)), redisstore.CheckpointEvery(40, 3))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

// Sentinel: the master dies, the replica is promoted, and the same store commits there. What was replicated is there.
func TestRealSentinel(t *testing.T) {
	master := redistest.Start(t)
	redistest.Start(t, redistest.Args("--replicaof", fmt.Sprintf("127.0.0.1 %d", master.Port())))
	sentinel := redistest.Start(t, redistest.Sentinel("hot", master))
	s, err := redisstore.Open(context.Background(), fmt.Sprintf("redis+sentinel://127.0.0.1:%d?master_name=hot", sentinel.Port()), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	until(t, func() bool { return sentinelKnows(sentinel) })
	snap := storetest.Seed(t, s, 1)
	var h policy.Head
	until(t, func() bool { // until the replica acknowledges
		var d policy.Durability
		var err error
		h, d, err = s.Apply(t.Context(), storetest.Rollback(snap, "t0"))
		return err == nil && d.Replicas == 1
	})
	master.Kill()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		next, _, err := s.Apply(ctx, storetest.Rollback(snap, "t0"))
		cancel()
		if err == nil {
			if next.Rev <= h.Rev {
				t.Errorf("after the failover rev %d, before it %d was replicated", next.Rev, h.Rev)
			}
			break
		}
		if !errors.Is(err, policy.ErrUnreachable) && !errors.Is(err, policy.ErrUnknownOutcome) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("during the failover: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no failover in 30 s: %v", err)
		}
	}
	if tip := storetest.Load(t, s); tip.Rev() <= h.Rev {
		t.Errorf("loaded rev %d", tip.Rev())
	}
}

func sentinelKnows(s *redistest.Server) bool {
	return s.Do("SENTINEL", "REPLICAS", "hot") != "*0"
}

// An edge's Redis user reads everything and writes nodes, and nothing else.
func TestRealEdgeUser(t *testing.T) {
	srv := redistest.Start(t)
	admin := openNS(t, srv, "acl")
	snap := storetest.Seed(t, admin, 1)
	if got := srv.Do(append([]string{"ACL", "SETUSER", "edge", "on", ">s3cr3t"}, redisstore.EdgeRules("acl")...)...); got != "+OK" {
		t.Fatal(got)
	}
	s, err := redisstore.Open(context.Background(), "redis://edge:s3cr3t@"+srv.Addr(), "acl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if got := storetest.Load(t, s); got.Head() != snap.Head() {
		t.Errorf("loaded %+v", got.Head())
	}
	if err := s.Report(t.Context(), policy.NodeState{Edge: "edge-1"}); err != nil {
		t.Error(err)
	}
	if _, err := s.ChainAt(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if _, err := s.Since(t.Context(), 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Watch(ctx, func(policy.Head) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
	if _, _, err := s.Apply(t.Context(), storetest.Rollback(snap, "t0")); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("an edge writes the policy: %v", err)
	}
	if h, err := admin.Head(t.Context()); err != nil || h != snap.Head() {
		t.Errorf("%+v, %v", h, err)
	}
}
