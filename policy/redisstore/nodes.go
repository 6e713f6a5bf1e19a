package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Bounds of the roster.
const (
	maxNodeName = 128
	maxNode     = 1 << 20 // bytes of one state
	maxNodes    = 4096
)

// Report implements policy.Store. SeenAt is Redis' time, so that edges with wrong clocks are judged by one.
func (s *Store) Report(ctx context.Context, n policy.NodeState) error {
	if n.Edge == "" || len(n.Edge) > maxNodeName {
		return fmt.Errorf("edge name %.140q: 1 to %d bytes", n.Edge, maxNodeName)
	}
	n.SeenAt = 0
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if len(b) > maxNode {
		return fmt.Errorf("the state of edge %s is %d bytes, at most %d", n.Edge, len(b), maxNode)
	}
	taken, err := reportScript.Run(ctx, s.read, []string{s.key.nodes()}, n.Edge, b, maxNodes).Int()
	if err != nil {
		return s.fault(err)
	}
	if taken != 1 {
		return fmt.Errorf("the roster holds %d edges already: `hotcut edges forget` those that are gone", maxNodes)
	}
	return nil
}

// Nodes implements policy.Store.
func (s *Store) Nodes(ctx context.Context) ([]policy.NodeState, error) {
	all, err := s.read.HGetAll(ctx, s.key.nodes()).Result()
	if err != nil {
		return nil, s.fault(err)
	}
	out := make([]policy.NodeState, 0, len(all))
	for edge, v := range all {
		n, err := parseNode(edge, v)
		if err != nil {
			// Listed all the same: an edge is never left out of the count because its entry is damaged.
			n = policy.NodeState{Edge: edge, State: policy.NoRev, Alarms: []string{"roster_entry_damaged"}}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b policy.NodeState) int { return cmp.Compare(a.Edge, b.Edge) })
	return out, nil
}

// parseNode reads "milliseconds state".
func parseNode(edge, v string) (policy.NodeState, error) {
	var n policy.NodeState
	at, body, ok := strings.Cut(v, " ")
	if !ok {
		return n, errNotOurs
	}
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal([]byte(body), &n); err != nil {
		return n, err
	}
	if n.Edge != edge {
		return n, errNotOurs
	}
	n.SeenAt = ms
	return n, nil
}

// Forget implements policy.Store.
func (s *Store) Forget(ctx context.Context, edge string) error {
	return s.fault(s.read.HDel(ctx, s.key.nodes(), edge).Err())
}

// TakeLease makes holder the one whose automation may commit, for ttl, or renews that. It returns the fence to put into
// changes of kind auto; 0 while somebody else holds the lease. Each new holder raises the fence, so that what the one
// before still sends is refused.
func (s *Store) TakeLease(ctx context.Context, holder string, ttl time.Duration) (uint64, error) {
	if holder == "" {
		return 0, fmt.Errorf("a lease needs a holder")
	}
	n, err := leaseScript.Run(ctx, s.read, []string{s.key.lease()}, holder, ttl.Milliseconds()).Int64()
	return uint64(max(n, 0)), s.fault(err)
}
