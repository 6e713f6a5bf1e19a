package share

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hotcut/hotcut/policy/redisstore"
	"github.com/hotcut/hotcut/proxy/location"
)

// Share keeps one edge's table and Redis together.
//
// One goroutine follows the news, one publishes what the table owes, a few answer Ask. They meet only in the table, which
// merges, and in the counters.
type Share struct {
	table  *location.Table
	feed   *location.Feed
	client *redisstore.Client
	key    keys
	log    *slog.Logger
	writer string // who we are in the stream: this run of this edge
	pace   pace

	asks askQueue

	mu      sync.Mutex // guards what follows
	live    bool
	since   time.Time
	lastErr string
	changed func(State) // of tests

	published, learned, dropped, foreign, scans atomic.Uint64
}

// pace is how long things take. Tests are in a hurry.
type pace struct {
	block    time.Duration // one look at the stream
	retryMin time.Duration // between two connections
	retryMax time.Duration
	refused  time.Duration // after Redis refused to write
	budget   time.Duration // of Ask
}

var usual = pace{
	block: 250 * time.Millisecond, retryMin: 250 * time.Millisecond, retryMax: 5 * time.Second,
	refused: time.Second, budget: 50 * time.Millisecond,
}

const (
	askWorkers = 8
	conns      = askWorkers + 4
	timeout    = 3 * time.Second // of one exchange with Redis
)

// keys names the keys of one namespace. Its value is their prefix.
type keys string

func (k keys) ids() string                   { return string(k) + "ids" }
func (k keys) news() string                  { return string(k) + "news" }
func (k keys) binding(id location.ID) string { return string(k) + id.String() }

// Open returns the share of a table through the Redis behind a URL, of the forms that redisstore.Open takes, with ?ns=.
// It connects to nothing: Run does.
func Open(url string, t *location.Table, log *slog.Logger) (*Share, error) {
	client, err := redisstore.Dial(url, conns, timeout)
	if err != nil {
		return nil, fmt.Errorf("sharing bindings: %w", err)
	}
	return &Share{
		table: t, feed: t.Feed(), client: client, key: keys(redisstore.DataPrefix(client.NS, "bindings")), log: log,
		writer: t.Node() + " " + strconv.FormatUint(rand.Uint64(), 36),
		pace:   usual, since: t.Now(), asks: newAskQueue(),
	}, nil
}

// Run shares until ctx ends; then it publishes what is owed, for a second at most, and closes its connections. It can be
// run once. It returns nil.
func (s *Share) Run(ctx context.Context) error {
	s.asks.open()
	var g errgroup.Group
	g.Go(func() error { s.connect(ctx); return nil })
	for range askWorkers {
		g.Go(func() error { s.answer(ctx); return nil })
	}
	g.Go(func() error { s.answerShed(ctx); return nil })
	g.Wait()
	s.asks.close(s.tell)
	s.setLive(false, nil)
	return s.client.Close()
}

// State says how sharing goes. Counters count since Open.
type State struct {
	Live      bool      // bindings of all edges are known and followed
	Since     time.Time // of Live, as it is
	LastError string    // why it is not live, or why Redis refused to write; "" when neither
	Published uint64    // records written
	Learned   uint64    // records that brought news
	Dropped   uint64    // records that could not be written: longer than location.MaxRecord
	Foreign   uint64    // values in Redis that no edge can have written
	Scans     uint64    // times that everything was read
	Asked     uint64    // by Ask
	AskShed   uint64    // of them, not sent to Redis: it was away, or too many were waiting
	AskLate   uint64    // of them, not answered in time
}

// State returns how sharing goes.
func (s *Share) State() State {
	s.mu.Lock()
	st := State{Live: s.live, Since: s.since, LastError: s.lastErr}
	s.mu.Unlock()
	st.Published, st.Learned, st.Dropped = s.published.Load(), s.learned.Load(), s.dropped.Load()
	st.Foreign, st.Scans = s.foreign.Load(), s.scans.Load()
	st.Asked, st.AskShed, st.AskLate = s.asks.asked.Load(), s.asks.shed.Load(), s.asks.late.Load()
	return st
}

func (s *Share) isLive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live
}

// setLive notes and says what changed.
func (s *Share) setLive(live bool, err error) {
	s.mu.Lock()
	was, wasErr := s.live, s.lastErr
	if s.live = live; was != live {
		s.since = s.table.Now()
	}
	if s.lastErr = ""; err != nil {
		s.lastErr = err.Error()
	}
	said, changed := s.lastErr, s.changed
	s.mu.Unlock()
	switch {
	case live && !was:
		s.log.Info("bindings are shared with the other edges", "redis", s.client.Addr, "bindings", s.table.Len())
	case err != nil && (was && !live || wasErr == ""):
		s.log.Warn("bindings are not shared with the other edges: each serves what it knows", "redis", s.client.Addr, "err", said)
	}
	if changed != nil && (was != live || said != wasErr) {
		changed(s.State())
	}
}
