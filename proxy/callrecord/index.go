package callrecord

import "hash/maphash"

// place is where a record lies on disk.
type place struct {
	file   uint64
	offset int64
	length int32 // bytes, without the newline
}

// index finds records by Call-ID and by tenant. It holds the latest cap records and forgets the oldest. Strings are
// kept as hashes: whoever reads a record from its place compares the strings themselves.
//
// Records are numbered from 1 without end; number n lies in slot (n-1) % cap, and is known while n > last-cap. A link to a
// forgotten number is thereby recognised without having been cleared.
type index struct {
	seed    maphash.Seed
	cap     uint64
	last    uint64
	entries []entry
	byID    map[uint64]uint64 // hash of Call-ID -> number of its latest record
}

type entry struct {
	place
	id, tenant uint64
	before     uint64 // number of the record before it with the same id
}

func newIndex(n int) index {
	return index{seed: maphash.MakeSeed(), cap: uint64(n), byID: make(map[uint64]uint64)}
}

func (x *index) len() int { return int(min(x.last, x.cap)) }

func (x *index) known(n uint64) bool { return n > 0 && n+x.cap > x.last }

func (x *index) add(callID, tenant string, p place) {
	x.last++
	e := entry{place: p, id: maphash.String(x.seed, valid(callID)), tenant: maphash.String(x.seed, tenant)}
	e.before = x.byID[e.id]
	if slot := (x.last - 1) % x.cap; slot == uint64(len(x.entries)) {
		x.entries = append(x.entries, e)
	} else {
		if old := x.entries[slot].id; x.byID[old] == x.last-x.cap {
			delete(x.byID, old)
		}
		x.entries[slot] = e
	}
	x.byID[e.id] = x.last
}

// byCallID returns the places of a Call-ID's records, newest first, at most limit. Hashes may collide.
func (x *index) byCallID(callID string, limit int) []place {
	var out []place
	for n := x.byID[maphash.String(x.seed, valid(callID))]; x.known(n) && len(out) < limit; {
		e := &x.entries[(n-1)%x.cap]
		out = append(out, e.place)
		n = e.before
	}
	return out
}

// latest returns the places of a tenant's records ("": everybody's), newest first, at most limit.
func (x *index) latest(tenant string, limit int) []place {
	var out []place
	h := maphash.String(x.seed, tenant)
	for n := x.last; x.known(n) && len(out) < limit; n-- {
		if e := &x.entries[(n-1)%x.cap]; tenant == "" || e.tenant == h {
			out = append(out, e.place)
		}
	}
	return out
}

// valid is s as JSON gives it back: every byte that is no UTF-8 becomes U+FFFD.
func valid(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return string([]rune(s))
		}
	}
	return s
}
