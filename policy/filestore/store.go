package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Store is a policy.Store in a directory. Several processes of one machine may have it open.
type Store struct {
	dir   string
	every uint64 // revs between checkpoints
	keep  int    // checkpoints

	mu       sync.Mutex // guards what follows: the directory as last seen
	man      *manifest  // nil: no policy
	manStamp stamp
	logStamp stamp
	seg      segRef // the segment read last
	off      int64  // how far
	recs     []rec  // of all segments, by rev; gaps only at a resync
	keys     map[string]uint64
	snap     *policy.Snapshot // at the head
	lastAt   int64
}

// rec is where a change stands.
type rec struct {
	rev      uint64
	chain    string
	key      string
	seg      segRef
	from, to int64
}

var (
	_ policy.Store    = (*Store)(nil)
	_ policy.Ancestry = (*Store)(nil)
)

// Option of Open.
type Option func(*Store)

// CheckpointEvery sets how many revs lie between two checkpoints (default 1,000), and how many are kept (default 5);
// the log reaches back to the oldest.
func CheckpointEvery(revs uint64, keep int) Option {
	return func(s *Store) { s.every, s.keep = max(revs, 1), max(keep, 1) }
}

// Open returns the store in the directory path. It touches nothing: a directory that is not there holds no policy, and
// is made by the first write.
func Open(path string, opts ...Option) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(abs); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("store %s is a file: name a directory", path)
	}
	s := &Store{dir: abs, every: 1000, keep: 5}
	for _, o := range opts {
		o(s)
	}
	return s, nil
}

// Close has nothing to give back: files are open only while they are used.
func (s *Store) Close() error { return nil }

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// Head implements policy.Store.
func (s *Store) Head(ctx context.Context) (policy.Head, error) {
	if err := ctx.Err(); err != nil {
		return policy.Head{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return policy.Head{}, err
	}
	return s.snap.Head(), nil
}

// LoadAt implements policy.Store.
func (s *Store) LoadAt(ctx context.Context, rev uint64) (*policy.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, err
	}
	head := s.snap.Rev()
	if rev == 0 || rev == head {
		return s.snap, nil
	}
	if rev > head {
		return nil, fmt.Errorf("rev %d is ahead of the store, which is at %d", rev, head)
	}
	for i := len(s.man.Checkpoints) - 1; i >= -1; i-- {
		var base *policy.Snapshot
		if i < 0 {
			base = policy.Empty(s.man.Epoch)
		} else if s.man.Checkpoints[i] > rev {
			continue
		} else if c, err := readCheckpoint(s.path(s.man.checkpoint(i))); err == nil {
			base = c
		} else {
			continue // torn: the one before, and a longer replay
		}
		changes, err := s.between(ctx, base.Rev(), rev)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			if base, err = base.Apply(c); err != nil {
				return nil, fmt.Errorf("replaying rev %d: %w", c.Rev, err)
			}
		}
		return base, nil
	}
	return nil, policy.ErrTrimmed
}

// Since implements policy.Store.
func (s *Store) Since(ctx context.Context, rev uint64) ([]policy.Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return s.between(ctx, rev, s.snap.Rev())
}

// between reads the changes (after, upTo]. Called with mu held.
func (s *Store) between(ctx context.Context, after, upTo uint64) ([]policy.Change, error) {
	if after >= upTo {
		return nil, nil
	}
	i, ok := s.find(after + 1)
	if !ok {
		return nil, fmt.Errorf("rev %d: %w", after+1, policy.ErrTrimmed)
	}
	j, ok := s.find(upTo)
	if !ok || uint64(j-i) != upTo-after-1 {
		return nil, fmt.Errorf("revs %d to %d: %w", after+1, upTo, policy.ErrTrimmed)
	}
	out := make([]policy.Change, 0, j-i+1)
	var file *os.File
	defer func() { file.Close() }()
	for k, r := range s.recs[i : j+1] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if file == nil || s.recs[i+k-1].seg != r.seg {
			file.Close()
			var err error
			if file, err = os.Open(s.path(r.seg.file())); err != nil {
				return nil, err
			}
		}
		line := make([]byte, r.to-r.from-1)
		if _, err := file.ReadAt(line, r.from); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		b, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s at byte %d: %w", file.Name(), r.from, err)
		}
		c, err := policy.ParseChange(b)
		if err != nil {
			return nil, fmt.Errorf("%s at byte %d: %w", file.Name(), r.from, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// find returns the index of rev in recs.
func (s *Store) find(rev uint64) (int, bool) {
	return sort.Find(len(s.recs), func(i int) int {
		switch {
		case rev < s.recs[i].rev:
			return -1
		case rev > s.recs[i].rev:
			return 1
		}
		return 0
	})
}

// ByKey implements policy.Store. A key is known as long as its record is in the log.
func (s *Store) ByKey(ctx context.Context, key string) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); errors.Is(err, policy.ErrNoPolicy) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return s.keys[key], nil
}

// Watch implements policy.Store: two stat calls every 50 ms, and f when the head is another one.
func (s *Store) Watch(ctx context.Context, f func(policy.Head)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last policy.Head
	for {
		h, err := s.Head(ctx)
		if err != nil {
			return err
		}
		if h != last {
			last = h
			f(h)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Store) forgetAll() {
	s.man, s.manStamp, s.logStamp, s.seg, s.off = nil, stamp{}, stamp{}, segRef{}, 0
	s.recs, s.keys, s.snap, s.lastAt = nil, nil, nil, 0
}

// has: the segment has not been trimmed.
func (m *manifest) has(seg segRef) bool { return slices.Contains(m.Segments, seg) }
