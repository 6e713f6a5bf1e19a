package choice

// index finds the slot of a key: open addressing with linear probing, never more
// than half full. A Go map was tried on paper: deleting and inserting makes it
// grow now and then, which allocates on the way of a message.
type index struct {
	cells []uint32 // slot + 1; 0: empty
}

func newIndex(slots int) index { return index{make([]uint32, 2*slots)} }

func (x *index) home(k Key) int { return int(k.hash()>>20) & (len(x.cells) - 1) }

func (x *index) find(p *part, k Key) (slot uint32, ok bool) {
	i, ok := x.cell(p, k)
	if !ok {
		return 0, false
	}
	return x.cells[i] - 1, true
}

// cell returns where k is, or the empty cell where its search ended.
func (x *index) cell(p *part, k Key) (int, bool) {
	if len(x.cells) == 0 {
		return 0, false
	}
	i := x.home(k)
	for x.cells[i] != 0 {
		if p.key(x.cells[i]-1) == k {
			return i, true
		}
		i = (i + 1) & (len(x.cells) - 1)
	}
	return i, false
}

// insert adds a slot whose key is not there.
func (x *index) insert(p *part, slot uint32) {
	i, _ := x.cell(p, p.key(slot))
	x.cells[i] = slot + 1
}

// remove takes k out and moves up what probed past it, so that no cell has to be
// marked as deleted.
func (x *index) remove(p *part, k Key) {
	hole, ok := x.cell(p, k)
	if !ok {
		return
	}
	mask := len(x.cells) - 1
	for i := (hole + 1) & mask; x.cells[i] != 0; i = (i + 1) & mask {
		home := x.home(p.key(x.cells[i] - 1))
		if (i-home)&mask >= (i-hole)&mask { // its search passes the hole
			x.cells[hole] = x.cells[i]
			hole = i
		}
	}
	x.cells[hole] = 0
}
