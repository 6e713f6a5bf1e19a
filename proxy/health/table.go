package health

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Target is one target of a pool. Pool names are unique over both platforms, or
// made so by their owner.
type Target struct{ Pool, Name string }

// Config says how to judge. Zero fields take the defaults.
type Config struct {
	Interval time.Duration // between probes of a target, default 10 s
	Jitter   float64       // part of Interval by which it varies either way, default 0.2
	Down     int           // misses in a row, default 3
	Up       int           // hits in a row, default 2
	MaxBusy  time.Duration // longest Retry-After that is believed, default 5 min
	Seed     uint64        // of the jitter
}

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = 10 * time.Second
	}
	if c.Jitter <= 0 || c.Jitter > 1 {
		c.Jitter = 0.2
	}
	if c.Down <= 0 {
		c.Down = 3
	}
	if c.Up <= 0 {
		c.Up = 2
	}
	if c.MaxBusy <= 0 {
		c.MaxBusy = 5 * time.Minute
	}
	return c
}

// Table is the health of the targets given to New, by their index there.
type Table struct {
	cfg     Config
	targets []target
	pools   [][]int // indexes of the targets of each pool

	mu     sync.Mutex // guards what targets do not name as atomic, and random
	random *rand.Rand
}

type target struct {
	// Set once by New.
	Target
	hash uint64
	pool int

	out   atomic.Bool // ejected: read by Pick without the lock
	clean atomic.Bool // no verdict and no misses: an answer changes nothing

	// Guarded by Table.mu.
	misses, hits int
	failing      bool
	busyUntil    int64  // Unix nanoseconds; 0: not busy
	verdict      int64  // when it became failing or busy
	since        int64  // when out last changed; 0: never
	reason       string // empty: no verdict
	next         int64  // probe; 0: not yet scheduled
}

// New makes a table in which every target is up.
func New(targets []Target, cfg Config) *Table {
	cfg = cfg.withDefaults()
	t := &Table{
		cfg:     cfg,
		targets: make([]target, len(targets)),
		random:  rand.New(rand.NewPCG(cfg.Seed, 0)),
	}
	pools := map[string]int{}
	for i, c := range targets {
		p, ok := pools[c.Pool]
		if !ok {
			p = len(t.pools)
			pools[c.Pool] = p
			t.pools = append(t.pools, nil)
		}
		t.pools[p] = append(t.pools[p], i)
		x := &t.targets[i]
		x.Target, x.hash, x.pool = c, nameHash(c), p
		x.clean.Store(true)
	}
	return t
}

// Keep takes over what old knows of the targets that both tables have, by pool and
// name: for a reload. It is called before the table is used by others.
func (t *Table) Keep(old *Table) {
	old.mu.Lock()
	defer old.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	index := map[Target]int{}
	for i := range old.targets {
		index[old.targets[i].Target] = i
	}
	for i := range t.targets {
		x := &t.targets[i]
		j, ok := index[x.Target]
		if !ok {
			continue
		}
		o := &old.targets[j]
		x.misses, x.hits, x.failing = o.misses, o.hits, o.failing
		x.busyUntil, x.verdict, x.since, x.reason, x.next = o.busyUntil, o.verdict, o.since, o.reason, o.next
		x.out.Store(o.out.Load())
		x.clean.Store(o.clean.Load())
	}
	for p := range t.pools { // a pool that shrank may have to take some back
		t.eject(p, 0)
	}
}

// Len returns the number of targets.
func (t *Table) Len() int { return len(t.targets) }

// Up says whether target i is not ejected.
func (t *Table) Up(i int) bool { return t.has(i) && !t.targets[i].out.Load() }

func (t *Table) has(i int) bool { return uint(i) < uint(len(t.targets)) }

// eject applies the verdicts of a pool: the first to fail go, up to half of it.
// now 0 keeps the time of what does not change.
func (t *Table) eject(pool int, now int64) {
	var failing []int
	for _, i := range t.pools[pool] {
		if x := &t.targets[i]; x.failing || x.busyUntil != 0 {
			failing = append(failing, i)
		}
	}
	slices.SortStableFunc(failing, func(a, b int) int {
		return cmp.Compare(t.targets[a].verdict, t.targets[b].verdict)
	})
	failing = failing[:min(len(failing), len(t.pools[pool])/2)]
	for _, i := range t.pools[pool] {
		x := &t.targets[i]
		if out := slices.Contains(failing, i); out != x.out.Load() {
			x.out.Store(out)
			x.since = now
		}
		x.clean.Store(!x.failing && x.busyUntil == 0 && x.misses == 0)
	}
}

// nameHash is the same on every edge and in every version.
func nameHash(c Target) uint64 {
	h := fnv.New64a()
	h.Write([]byte(c.Pool))
	h.Write([]byte{0})
	h.Write([]byte(c.Name))
	return h.Sum64()
}
