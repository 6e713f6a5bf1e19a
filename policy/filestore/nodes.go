package filestore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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

// Report implements policy.Store: a file per edge, replaced as a whole. It needs no lock and no policy.
func (s *Store) Report(ctx context.Context, n policy.NodeState) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := s.nodePath(n.Edge)
	if err != nil {
		return err
	}
	n.SeenAt = time.Now().UnixMilli()
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if len(b) > maxNode {
		return fmt.Errorf("the state of edge %s is %d bytes, at most %d", n.Edge, len(b), maxNode)
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	return replaceVolatile(path, b)
}

// replaceVolatile is replaceBytes without fsync: a roster entry is written every second and is worth nothing after a
// power cut, since the edge writes it again.
func replaceVolatile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(fileMode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func (s *Store) nodePath(edge string) (string, error) {
	if edge == "" || len(edge) > maxNodeName {
		return "", fmt.Errorf("edge name %.140q: 1 to %d bytes", edge, maxNodeName)
	}
	return s.path(filepath.Join("nodes", url.QueryEscape(edge)+".json")), nil
}

// Nodes implements policy.Store: every edge that ever reported and was not forgotten, sorted by name.
func (s *Store) Nodes(ctx context.Context) ([]policy.NodeState, error) {
	entries, err := os.ReadDir(s.path("nodes"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var out []policy.NodeState
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		if len(out) == maxNodes {
			return nil, fmt.Errorf("more than %d edges in %s", maxNodes, s.path("nodes"))
		}
		b, err := os.ReadFile(s.path(filepath.Join("nodes", e.Name())))
		if os.IsNotExist(err) {
			continue // forgotten just now
		}
		if err != nil {
			return nil, err
		}
		var n policy.NodeState
		if err := json.Unmarshal(b, &n); err != nil || url.QueryEscape(n.Edge) != name {
			// Listed all the same: an edge is never left out of the count because its file is damaged.
			edge, _ := url.QueryUnescape(name)
			n = policy.NodeState{Edge: edge, State: policy.NoRev, Alarms: []string{"roster_entry_damaged"}}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b policy.NodeState) int { return cmp.Compare(a.Edge, b.Edge) })
	return out, nil
}

// Forget implements policy.Store.
func (s *Store) Forget(ctx context.Context, edge string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := s.nodePath(edge)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
