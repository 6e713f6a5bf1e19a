package proxy

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// The fuse cuts loops that nothing in the message tells of: a platform that answers calls and makes them anew (a B2BUA) gives
// every round another Call-ID, no Via and a fresh Max-Forwards, and two platforms that forward to each other would fill both.
// Every such loop comes back to us from a platform, with the same From and Request-URI in every round, and faster than people
// call. So INVITEs that begin a call from a platform have a budget for each pair of From and Request-URI; who exceeds it hears
// 482, and the operators are told. Parameters and the case of hosts do not make another pair.
const (
	fuseBurst   = 40              // calls of one pair at once
	fuseEvery   = time.Second / 4 // gives one back
	fuseEntries = 1 << 14
	fuseWays    = 4
	fuseAlarm   = 10 * time.Minute // how long a warning is shown after the last cut
)

// fuse is a fixed table, striped. A pair that a fuller table forgets costs some more rounds, never a call.
type fuse struct {
	seed  maphash.Seed
	parts [16]struct {
		mu    sync.Mutex
		cells [fuseEntries / 16]struct{ key, level uint64 } // level: unix ns at which the pair has its whole budget again
	}

	mu       sync.Mutex // guards what follows
	last     int64      // unix ns of the newest cut
	from, to string     // of it
	cuts     uint64
}

// take charges a pair; false: it has used up its budget.
func (f *fuse) take(key uint64, now int64) bool {
	key |= 1
	p := &f.parts[key>>60]
	p.mu.Lock()
	defer p.mu.Unlock()
	set := p.cells[key>>8%uint64(len(p.cells)/fuseWays)*fuseWays:][:fuseWays]
	c := &set[0]
	for i := range set {
		if set[i].key == key {
			c = &set[i]
			break
		}
		if set[i].level < c.level { // the emptiest makes room
			c = &set[i]
		}
	}
	if c.key != key {
		c.key, c.level = key, 0
	}
	level := max(int64(c.level), now)
	if level > now+fuseBurst*int64(fuseEvery) { // the clock was set back
		level = now
	}
	if level += int64(fuseEvery); level > now+fuseBurst*int64(fuseEvery) {
		return false
	}
	c.level = uint64(level)
	return true
}

// pair hashes who calls whom.
func (f *fuse) pair(m *wire.Message) uint64 {
	var h maphash.Hash
	h.SetSeed(f.seed)
	for _, at := range [...]wire.Span{m.From.URI, m.RequestURI} {
		uri := at.Of(m.Raw)
		u, ok := wire.ParseURI(uri)
		if !ok || u.Host.Empty() && u.User.Empty() {
			h.Write(uri)
		}
		h.Write(u.User.Of(uri))
		h.WriteByte(0)
		for _, c := range u.Host.Of(uri) {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			h.WriteByte(c)
		}
		h.WriteByte(1)
	}
	return h.Sum64()
}

// fused: a request goes in circles that only its rate shows.
func (s *shard) fused(a *arrival) bool {
	m, f := a.m, &s.edge.fuse
	if a.who.kind != partyPlatform || !m.Is("INVITE") || !m.To.Tag.Empty() || f.take(f.pair(m), a.now) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.from, f.to = a.now, partyName(m, m.From.URI), partyName(m, m.RequestURI)
	f.cuts++
	return true
}

// warnings tell of a loop that was cut lately.
func (f *fuse) warnings(now int64) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cuts == 0 || now-f.last > int64(fuseAlarm) {
		return nil
	}
	return []string{fmt.Sprintf("calls from %s to %s went in circles between the platforms and were cut, last at %s: see who forwards to whom (%d calls cut since the start)",
		f.from, f.to, time.Unix(0, f.last).UTC().Format(time.RFC3339), f.cuts)}
}
