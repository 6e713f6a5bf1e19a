package choice

import "sync"

// part is the slots of some keys, with an index in memory that is rebuilt from
// the file when it is opened.
type part struct {
	mu    sync.Mutex // guards all below
	bytes []byte
	index index
	free  []uint32 // slots that hold nothing, the next one to take at the end
	count int
}

func (p *part) init(b []byte, mine func(Key) bool) {
	p.bytes = b
	slots := len(b) / dialogBytes
	p.index = newIndex(slots)
	p.free = make([]uint32, 0, slots)
	for i := range slots {
		s := p.slot(uint32(i))
		if !valid(s) || !mine(Key(s[keyAt:])) {
			clearSlot(s)
			continue
		}
		// Two slots of a key: killed in mid-update. The later one is as good, or better.
		if j, ok := p.index.find(p, Key(s[keyAt:])); ok {
			older := p.slot(j)
			if long(older, timeAt).Load() > long(s, timeAt).Load() {
				clearSlot(s)
				continue
			}
			p.index.remove(p, Key(s[keyAt:]))
			clearSlot(older)
			p.count--
		}
		p.index.insert(p, uint32(i))
		p.count++
	}
	for i := slots - 1; i >= 0; i-- {
		if s := p.slot(uint32(i)); word(s, sumAt).Load() == 0 {
			p.free = append(p.free, uint32(i))
		}
	}
}

func (p *part) put(k Key, b *[dialogBytes]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes == nil {
		return false
	}
	old, again := p.index.find(p, k)
	if len(p.free) == 0 {
		if !again {
			return false
		}
		write(p.slot(old), b[:]) // no second slot is left for it
		return true
	}
	into := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	write(p.slot(into), b[:])
	if again {
		p.index.remove(p, k)
		p.drop(old)
	}
	p.index.insert(p, into)
	p.count++
	return true
}

func (p *part) touch(k Key, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := p.index.find(p, k); ok {
		long(p.slot(i), timeAt).Store(now)
	}
}

func (p *part) end(k Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := p.index.find(p, k); ok {
		p.index.remove(p, k)
		p.drop(i)
	}
}

// drop gives a slot back that is no longer in the index.
func (p *part) drop(i uint32) {
	clearSlot(p.slot(i))
	p.free = append(p.free, i)
	p.count--
}

func (p *part) at(i int) (Dialog, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes == nil {
		return Dialog{}, false
	}
	s := p.slot(uint32(i))
	if word(s, sumAt).Load() == 0 {
		return Dialog{}, false
	}
	return decodeDialog(s), true
}

func (p *part) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *part) slots() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.bytes) / dialogBytes
}

func (p *part) close() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes == nil {
		return false
	}
	p.bytes, p.free, p.count, p.index = nil, nil, 0, index{}
	return true
}

func (p *part) slot(i uint32) []byte { return p.bytes[int(i)*dialogBytes:][:dialogBytes] }

func (p *part) key(i uint32) Key { return Key(p.slot(i)[keyAt:]) }
