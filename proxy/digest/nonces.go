package digest

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"time"
)

const (
	stripes = 64
	ways    = 8
)

// Nonces remembers which platform minted a nonce, for phones that drop opaque and for
// the nextnonce of Authentication-Info, and which nonces were called stale already. It
// is set-associative, as proxy/limit's Sources: a nonce can lie in any of the 8 entries
// of its set, and the one unused for longest makes room.
//
// What platforms minted and what strangers invented have entries of their own: credentials
// with a million made-up nonces evict nothing that was learned. They can evict each
// other's marks; then a phone gets one stale=true more. Nonces are known by a hash under
// a secret seed, so nobody can aim at the set of another. All methods may be called by
// any goroutine.
type Nonces struct {
	age  uint32 // seconds
	seed maphash.Seed
	mask uint64 // sets - 1

	locks [stripes]lock
	sets  []set // of set number n: guarded by locks[n%stripes]
}

type lock struct {
	sync.Mutex
	_ [56]byte // its own cache line
}

type set struct {
	minted [ways]minted
	marked [ways]marked
}

// minted is a nonce that a platform gave.
type minted struct {
	key      uint64 // 0: empty
	call     uint64
	at, seen uint32 // unix seconds: when it was given, when it was last asked for
	platform uint8
	stale    bool // stale=true was given for it
}

// marked is a nonce of unknown origin that stale=true was given for.
type marked struct {
	key  uint64 // 0: empty
	seen uint32
}

// NewNonces makes a table for at least so many nonces of platforms, and as many marks
// for unknown ones; 48 bytes for each pair, and it never grows. What has not been used
// for longer than age is forgotten.
func NewNonces(entries int, age time.Duration) *Nonces {
	n := uint64(1) << bits.Len64(uint64(max(entries, stripes*ways))-1)
	return &Nonces{
		age:  uint32(age / time.Second),
		seed: maphash.MakeSeed(),
		mask: n/ways - 1,
		sets: make([]set, n/ways),
	}
}

// Learn remembers that a platform gave this nonce at now (unix seconds) for a call
// (Sealer.CallHash). A nonce given again keeps its stale mark.
func (t *Nonces) Learn(nonce []byte, platform uint8, callHash uint64, now int64) {
	key, s, l := t.lock(nonce)
	defer l.Unlock()
	at := uint32(now)
	m := t.find(s, key, at)
	if m == nil {
		m = s.oldestMinted()
		*m = minted{key: key}
		if x := t.findMark(s, key, at); x != nil {
			m.stale = true
			*x = marked{}
		}
	}
	m.platform, m.call = platform, callHash
	m.at, m.seen = at, max(m.seen, at)
}

// Origin says who gave a nonce, when (unix seconds) and for which call. Asking keeps it
// remembered.
func (t *Nonces) Origin(nonce []byte, now int64) (platform uint8, at int64, callHash uint64, ok bool) {
	key, s, l := t.lock(nonce)
	defer l.Unlock()
	m := t.find(s, key, uint32(now))
	if m == nil {
		return 0, 0, 0, false
	}
	m.seen = max(m.seen, uint32(now))
	return m.platform, int64(m.at), m.call, true
}

// StaleOnce is true exactly once for a nonce, known or not, as long as it is remembered.
func (t *Nonces) StaleOnce(nonce []byte, now int64) bool {
	key, s, l := t.lock(nonce)
	defer l.Unlock()
	at := uint32(now)
	if m := t.find(s, key, at); m != nil {
		first := !m.stale
		m.stale, m.seen = true, max(m.seen, at)
		return first
	}
	if x := t.findMark(s, key, at); x != nil {
		x.seen = max(x.seen, at)
		return false
	}
	*s.oldestMark() = marked{key: key, seen: at}
	return true
}

// Len counts the platforms' nonces that are held, those too old to be told included.
func (t *Nonces) Len() int {
	n := 0
	for i := range t.sets {
		l := &t.locks[i%stripes]
		l.Lock()
		for _, m := range t.sets[i].minted {
			if m.key != 0 {
				n++
			}
		}
		l.Unlock()
	}
	return n
}

// lock returns a nonce's key and its set, locked.
func (t *Nonces) lock(nonce []byte) (key uint64, s *set, l *lock) {
	key = max(maphash.Bytes(t.seed, nonce), 1)
	n := key >> 1 & t.mask
	l = &t.locks[n%stripes]
	l.Lock()
	return key, &t.sets[n], l
}

func (t *Nonces) find(s *set, key uint64, now uint32) *minted {
	for i := range s.minted {
		if m := &s.minted[i]; m.key == key {
			if t.tooOld(m.seen, now) {
				*m = minted{}
				return nil
			}
			return m
		}
	}
	return nil
}

func (t *Nonces) findMark(s *set, key uint64, now uint32) *marked {
	for i := range s.marked {
		if m := &s.marked[i]; m.key == key {
			if t.tooOld(m.seen, now) {
				*m = marked{}
				return nil
			}
			return m
		}
	}
	return nil
}

// tooOld also holds when a clock stepped back: then nothing is.
func (t *Nonces) tooOld(seen, now uint32) bool { return now > seen && now-seen > t.age }

func (s *set) oldestMinted() *minted {
	oldest := &s.minted[0]
	for i := range s.minted {
		if s.minted[i].seen < oldest.seen { // an empty one is oldest of all
			oldest = &s.minted[i]
		}
	}
	return oldest
}

func (s *set) oldestMark() *marked {
	oldest := &s.marked[0]
	for i := range s.marked {
		if s.marked[i].seen < oldest.seen {
			oldest = &s.marked[i]
		}
	}
	return oldest
}
