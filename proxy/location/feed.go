package location

import (
	"sync"
)

// feedRoom is how many ids a feed lists. Whatever more has changed it finds by walking the table.
const feedRoom = 8192

// A Feed tells one follower which bindings have changed, each once however often it changed meanwhile.
//
// A node's flag says that it is owed to the feed; the list of ids only spares the follower a walk over the table. When
// the list is full the flag stays, and the walk finds it: a follower that is away for a day costs 8,192 ids of memory
// and loses nothing. A follower clears the flag first and reads the binding then, so a change in between is owed again.
type Feed struct {
	t     *Table
	bit   uint32
	ready chan struct{}

	mu   sync.Mutex // guards what follows; a leaf
	ids  []ID       // ring
	at   int        // of the first
	n    int
	over bool // something is owed that is not listed
	walk int  // bucket at which the next walk begins
}

func newFeed(t *Table, bit uint32) *Feed {
	return &Feed{t: t, bit: bit, ready: make(chan struct{}, 1), ids: make([]ID, feedRoom)}
}

// Ready has a value when Take may have something.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// owe notes that the node's binding changed.
func (f *Feed) owe(n *node) {
	if n.flags.Or(f.bit)&f.bit != 0 {
		return
	}
	f.mu.Lock()
	f.push(n.b.Load().ID)
	f.mu.Unlock()
	f.wake()
}

// push needs mu.
func (f *Feed) push(id ID) bool {
	if f.n == len(f.ids) {
		f.over = true
		return false
	}
	f.ids[(f.at+f.n)%len(f.ids)] = id
	f.n++
	return true
}

func (f *Feed) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// Owe puts a binding's id (back) into the feed: it was taken and could not be written.
func (f *Feed) Owe(id ID) {
	if n := f.t.find(id); n != nil {
		f.owe(n)
	}
}

// Take appends up to limit changed bindings, as they are now. What it leaves is announced by Ready.
func (f *Feed) Take(dst []*Binding, limit int) []*Binding {
	f.mu.Lock()
	if f.n == 0 && f.over {
		f.refill()
	}
	for ; f.n > 0 && limit > 0; f.n-- {
		id := f.ids[f.at]
		f.at = (f.at + 1) % len(f.ids)
		n := f.t.find(id)
		if n == nil || n.flags.And(^f.bit)&f.bit == 0 {
			continue // swept, or listed twice
		}
		dst = append(dst, n.b.Load())
		limit--
	}
	more := f.n > 0 || f.over
	f.mu.Unlock()
	if more {
		f.wake()
	}
	return dst
}

// refill lists what is owed, from where the last walk ended. It needs mu.
func (f *Feed) refill() {
	f.over = false
	for range f.t.buckets {
		for n := f.t.buckets[f.walk].Load(); n != nil; n = n.next.Load() {
			if n.flags.Load()&f.bit != 0 && !f.push(n.b.Load().ID) {
				return
			}
		}
		f.walk = (f.walk + 1) % len(f.t.buckets)
	}
}

// waiting is how many are listed, and whether there are more.
func (f *Feed) waiting() (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n, f.over
}
