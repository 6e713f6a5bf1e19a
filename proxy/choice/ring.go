package choice

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Choice is where an INVITE was sent.
type Choice struct {
	Key      Key
	Platform uint8
	Target   uint64 // hash of the target's name
	Rev      uint64 // of the policy that decided
	Ringing  bool   // a 1xx above 100 was seen
	Final    bool   // a final response was seen
	Answered bool   // it was a 2xx
	Listener uint16
	At       int64 // when it was chosen, Unix nanoseconds
}

const (
	// Age is how long a choice is good for: 64*T1.
	Age = int64(32 * time.Second)
	// RingingAge is how long one is whose target has it: Timer C and then 64*T1.
	RingingAge = int64(3*time.Minute+30*time.Second) + Age
)

const (
	choiceKind  = 0x31_63_74_6f_68 // "hotc1"
	choiceBytes = 64
	ways        = 8
	stripes     = 64

	flagRinging  = 1
	flagFinal    = 2
	flagAnswered = 4
)

// Ring is the table of choices, set-associative: a key can lie in any of the 8
// slots of its set, and Put into a full set evicts the oldest there. All methods
// may be called by any goroutine; after Close they do nothing.
type Ring struct {
	file *file
	sets uint64
	seq  atomic.Uint64 // orders two slots of one key

	locks [stripes]stripe
}

type stripe struct {
	sync.Mutex // guards the sets whose number ends in this stripe's, and slots
	slots      []byte
	_          [64 - 8 - 24]byte // its own cache line
}

// Open maps the ring at path with slots (a power of two, 8 or more). A file of the
// same version and size keeps its content, any other starts empty.
func Open(path string, slots int) (*Ring, error) {
	if err := checkSlots(slots); err != nil {
		return nil, err
	}
	f, err := openFile(path, choiceKind, slots, choiceBytes)
	if err != nil {
		return nil, err
	}
	r := &Ring{file: f, sets: uint64(slots / ways)}
	all := f.slots()
	for i := range r.locks {
		r.locks[i].slots = all
	}
	last := uint64(0)
	for at := 0; at < len(all); at += choiceBytes {
		if s := all[at:][:choiceBytes]; valid(s) {
			last = max(last, order.Uint64(s[seqAt:]))
		}
	}
	r.seq.Store(last)
	return r, nil
}

// Put stores c, replacing what its key had.
func (r *Ring) Put(c Choice) {
	var b [choiceBytes]byte
	encode(&b, &c, r.seq.Add(1))
	set, l := r.lock(c.Key)
	defer l.Unlock()
	if set == nil {
		return
	}
	old := find(set, c.Key)
	into := victim(set, old)
	write(into, b[:])
	if old != nil {
		clearSlot(old)
	}
}

// Get returns the choice of k if it is not too old at now (Unix nanoseconds).
func (r *Ring) Get(k Key, now int64) (Choice, bool) {
	set, l := r.lock(k)
	defer l.Unlock()
	slot := find(set, k)
	if slot == nil || !live(slot, now) {
		return Choice{}, false
	}
	return decode(slot), true
}

// Mark notes that a 1xx, or a final response, was seen. What was noted
// stays. A key that is not there stays away.
func (r *Ring) Mark(k Key, ringing, final bool) {
	var flags uint32
	if ringing {
		flags |= flagRinging
	}
	if final {
		flags |= flagFinal
	}
	r.mark(k, flags)
}

// MarkAnswered notes that a 2xx was seen, which is final.
func (r *Ring) MarkAnswered(k Key) { r.mark(k, flagRinging|flagFinal|flagAnswered) }

func (r *Ring) mark(k Key, flags uint32) {
	set, l := r.lock(k)
	defer l.Unlock()
	if slot := find(set, k); slot != nil {
		w := word(slot, wordAt)
		w.Store(w.Load() | flags)
	}
}

// Finished returns the choice of k, if a final response to its INVITE was seen:
// however old it is, as long as nothing newer has taken its place.
func (r *Ring) Finished(k Key) (c Choice, ok bool) {
	set, l := r.lock(k)
	defer l.Unlock()
	slot := find(set, k)
	if slot == nil {
		return c, false
	}
	c = decode(slot)
	return c, c.Final
}

// Len counts the choices that are good at now.
func (r *Ring) Len(now int64) int {
	n := 0
	for set := range r.sets {
		l := &r.locks[set%stripes]
		l.Lock()
		if l.slots != nil {
			b := l.slots[set*ways*choiceBytes:][:ways*choiceBytes]
			for i := range ways {
				if s := b[i*choiceBytes:][:choiceBytes]; valid(s) && live(s, now) {
					n++
				}
			}
		}
		l.Unlock()
	}
	return n
}

// Close unmaps and unlocks the file; its content stays.
func (r *Ring) Close() error {
	for i := range r.locks {
		r.locks[i].Lock()
		defer r.locks[i].Unlock()
	}
	if r.locks[0].slots == nil {
		return errors.New("choice ring: closed already")
	}
	for i := range r.locks {
		r.locks[i].slots = nil
	}
	return r.file.close()
}

// lock returns the set of k, nil after Close, under its lock.
func (r *Ring) lock(k Key) ([]byte, *stripe) {
	set := k.hash() >> 32 & (r.sets - 1)
	l := &r.locks[set%stripes]
	l.Lock()
	if l.slots == nil {
		return nil, l
	}
	return l.slots[set*ways*choiceBytes:][:ways*choiceBytes], l
}

// find returns the valid slot of k with the highest sequence.
func find(set []byte, k Key) []byte {
	var found []byte
	for ; len(set) > 0; set = set[choiceBytes:] {
		s := set[:choiceBytes]
		if Key(s[keyAt:]) != k || !valid(s) {
			continue
		}
		if found == nil || order.Uint64(s[seqAt:]) > order.Uint64(found[seqAt:]) {
			found = s
		}
	}
	return found
}

// victim returns the slot to write: an empty one, else the oldest. It is never
// keep, so that an update leaves one valid slot at every moment.
func victim(set, keep []byte) []byte {
	var oldest []byte
	for ; len(set) > 0; set = set[choiceBytes:] {
		s := set[:choiceBytes]
		if keep != nil && &s[0] == &keep[0] {
			continue
		}
		if !valid(s) {
			return s
		}
		if oldest == nil || long(s, timeAt).Load() < long(oldest, timeAt).Load() {
			oldest = s
		}
	}
	return oldest
}

// live says whether the slot is young enough. A clock that was set back makes a
// young slot one of the future: it is good for as long.
func live(slot []byte, now int64) bool {
	most := Age
	if word(slot, wordAt).Load()&flagRinging != 0 {
		most = RingingAge
	}
	age := now - long(slot, timeAt).Load()
	return -most < age && age < most
}
