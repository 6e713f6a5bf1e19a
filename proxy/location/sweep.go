package location

import "time"

// Gone is when a binding is to be forgotten: Grace after nobody needs it any more and after its last news.
func Gone(b *Binding) time.Time {
	last := max(b.Stamp, b.Holds[0].Stamp, b.Holds[1].Stamp)
	return time.Unix(max(b.Until(), last/1_000_000), 0).Add(Grace)
}

// Sweep forgets what is Gone, and returns how many that were.
func (t *Table) Sweep(now time.Time) (dropped int) {
	for i := range t.buckets {
		if t.due(i, now) {
			dropped += t.sweep(i, now)
		}
	}
	t.swept.Add(uint64(dropped))
	return dropped
}

func (t *Table) due(i int, now time.Time) bool {
	for n := t.buckets[i].Load(); n != nil; n = n.next.Load() {
		if Gone(n.b.Load()).Before(now) {
			return true
		}
	}
	return false
}

func (t *Table) sweep(i int, now time.Time) (dropped int) {
	s := &t.stripes[i%stripes]
	s.Lock()
	defer s.Unlock()
	link := &t.buckets[i]
	for n := link.Load(); n != nil; n = link.Load() {
		if !Gone(n.b.Load()).Before(now) {
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
