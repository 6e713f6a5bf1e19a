package location

import (
	"context"
	"sync"
	"time"
)

// Run writes the log and sweeps once a second, until ctx ends; then it writes what is owed and closes the log. The table
// can be read afterwards. It returns nil.
func (t *Table) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if t.disk != nil {
		wg.Go(func() { t.disk.run(ctx) })
	}
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.Sweep(t.now())
			}
		}
	})
	wg.Wait()
	return nil
}

// Close closes the log of a table that was opened and not Run. What was put into it is not written.
func (t *Table) Close() error {
	if t.disk == nil {
		return nil
	}
	return t.disk.close()
}

// Stats of a table. Counters count since Open.
type Stats struct {
	Bindings int    // held, tombstones included
	Limit    int    //
	Full     uint64 // news of unknown bindings refused because the table was full
	Oversize uint64 // news refused because its record would be longer than MaxRecord
	Swept    uint64 // bindings forgotten after their end

	LogBytes    int64  // length of the log; 0: in memory only
	LogLive     int64  // of which count
	LogBad      uint64 // lines that Open could not read
	LogErrors   uint64 // writes, syncs and compactions that failed
	LogFailing  bool   // the last try failed: a restart would not know the newest bindings
	LogWaiting  int    // changes not yet written, as far as listed
	Compactions uint64

	ShareWaiting int // changes not yet taken by the share, as far as listed
}

// Stats returns what the table has counted.
func (t *Table) Stats() Stats {
	s := Stats{
		Bindings: t.Len(), Limit: t.limit,
		Full: t.full.Load(), Oversize: t.oversize.Load(), Swept: t.swept.Load(),
	}
	if d := t.disk; d != nil {
		s.LogBytes, s.LogLive = d.bytes.Load(), d.live.Load()
		s.LogBad, s.LogErrors, s.LogFailing = d.bad.Load(), d.faults.Load(), d.failing.Load() || d.stuck.Load()
		s.Compactions = d.compact.Load()
		s.LogWaiting, _ = d.feed.waiting()
	}
	if f := t.news.Load(); f != nil {
		s.ShareWaiting, _ = f.waiting()
	}
	return s
}
