package choice

import (
	"errors"
	"iter"
	"sync/atomic"
)

// Dialog is one living dialog.
type Dialog struct {
	Key      Key
	CallID   string // the first 96 bytes
	Tenant   string // 101 bytes or less
	Platform uint8
	Target   uint64 // hash of the target's name
	Rev      uint64 // of the policy that decided
	Since    int64  // Unix nanoseconds
	Seen     int64  // last request, Unix nanoseconds
}

const (
	dialogKind  = 0x31_64_74_6f_68 // "hotd1"
	dialogBytes = 256
)

// Dialogs is the table of living dialogs. It never evicts: a full table refuses
// and counts. It is cut into parts by key, each with a lock and slots of its own,
// so it can refuse a little before every slot is taken. All methods may be called
// by any goroutine; after Close they do nothing.
type Dialogs struct {
	file  *file
	parts []part
	lost  atomic.Uint64
}

// OpenDialogs maps the table at path with slots (a power of two, 8 or more). A file
// of the same version and size keeps its content, any other starts empty.
func OpenDialogs(path string, slots int) (*Dialogs, error) {
	if err := checkSlots(slots); err != nil {
		return nil, err
	}
	f, err := openFile(path, dialogKind, slots, dialogBytes)
	if err != nil {
		return nil, err
	}
	n := 1
	if slots >= 1024 {
		n = 16
	}
	d := &Dialogs{file: f, parts: make([]part, n)}
	each := slots / n * dialogBytes
	for i := range d.parts {
		d.parts[i].init(f.slots()[i*each:][:each:each], func(k Key) bool { return d.part(k) == &d.parts[i] })
	}
	return d, nil
}

// Put stores c, replacing what its key had. It is refused and counted by Lost when
// the table is full, or the tenant's id does not fit.
func (d *Dialogs) Put(c Dialog) {
	var b [dialogBytes]byte
	if !encodeDialog(&b, &c) || !d.part(c.Key).put(c.Key, &b) {
		d.lost.Add(1)
	}
}

// Touch notes that k was seen at now (Unix nanoseconds).
func (d *Dialogs) Touch(k Key, now int64) { d.part(k).touch(k, now) }

// End removes k.
func (d *Dialogs) End(k Key) { d.part(k).end(k) }

// Len returns how many dialogs live.
func (d *Dialogs) Len() int {
	n := 0
	for i := range d.parts {
		n += d.parts[i].len()
	}
	return n
}

// Lost returns how many dialogs Put has refused since OpenDialogs.
func (d *Dialogs) Lost() uint64 { return d.lost.Load() }

// All yields every dialog that lives from the start of the loop to its end, and
// some that began or ended meanwhile. No lock is held while the loop's body runs.
func (d *Dialogs) All() iter.Seq[Dialog] {
	return func(yield func(Dialog) bool) {
		for i := range d.parts {
			p := &d.parts[i]
			for slot := range p.slots() {
				if c, ok := p.at(slot); ok && !yield(c) {
					return
				}
			}
		}
	}
}

// Close unmaps and unlocks the file; its content stays.
func (d *Dialogs) Close() error {
	closed := false
	for i := range d.parts {
		closed = d.parts[i].close() || closed
	}
	if !closed {
		return errors.New("dialog table: closed already")
	}
	return d.file.close()
}

func (d *Dialogs) part(k Key) *part { return &d.parts[k.hash()>>60%uint64(len(d.parts))] }
