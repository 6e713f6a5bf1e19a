package location

import (
	"math"
	"sync/atomic"
	"time"
)

// Gone is when a binding is to be forgotten: Grace after nobody needs it any more and after its last news.
func Gone(b *Binding) time.Time {
	last := max(b.Stamp, b.Holds[0].Stamp, b.Holds[1].Stamp)
	return time.Unix(max(b.Until(), last/1_000_000), 0).Add(Grace)
}

// groupSize is how many buckets share a moment before which nothing of them is Gone.
const groupSize = 64

// expect notes when a binding of bucket i will be Gone. It is called after the binding is in its place: a sweep that
// forgets the note sees the binding.
func (t *Table) expect(i int, b *Binding) { lower(&t.due[i/groupSize], Gone(b).Unix()) }

func lower(a *atomic.Int64, v int64) {
	for old := a.Load(); v < old && !a.CompareAndSwap(old, v); old = a.Load() {
	}
}

// Sweep forgets what is Gone, and returns how many that were. Where nothing can be due it does not look.
func (t *Table) Sweep(now time.Time) (dropped int) {
	for g := range t.due {
		if t.due[g].Load() >= now.Unix() {
			continue
		}
		t.due[g].Store(math.MaxInt64)
		for i := g * groupSize; i < (g+1)*groupSize; i++ {
			dropped += t.sweep(i, now)
		}
	}
	t.swept.Add(uint64(dropped))
	return dropped
}

func (t *Table) sweep(i int, now time.Time) (dropped int) {
	s := &t.stripes[i%stripes]
	s.Lock()
	defer s.Unlock()
	link := &t.buckets[i]
	for n := link.Load(); n != nil; n = link.Load() {
		if b := n.b.Load(); !Gone(b).Before(now) {
			t.expect(i, b)
			link = &n.next
			continue
		}
		// A reader that stands on n still finds the way on.
		link.Store(n.next.Load())
		t.index.remove(n)
		t.count.Add(-1)
		if t.disk != nil {
			t.disk.live.Add(-int64(n.size.Swap(0)))
		}
		dropped++
	}
	return dropped
}
