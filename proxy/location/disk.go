package location

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// disk is the table's log: one record per line, the newest of an id is what counts.
//
//	CRC32C in 8 hex digits, a space, the binding as JSON, a line end
//
// One goroutine writes it, as many records at once as are owed, and syncs it once a second. When it is more than twice
// what lives in it, all that lives is written to a temporary file beside it, synced, and renamed over it.
//
// A write that fails costs nothing but disk: the bindings stay owed and are tried again every second. If the log can not
// be compacted it stops growing at a bound.
type disk struct {
	t    *Table
	path string
	feed *Feed
	os   system

	// Of the writer alone, after Open.
	f       *os.File // nil: it could not be made yet
	size    int64    // bytes
	torn    bool     // the last of them are no whole record
	rewrite bool     // there are lines in it that could not be read
	dirty   bool     // written, not synced
	retry   time.Time
	buf     []byte
	batch   []*Binding

	live    atomic.Int64 // bytes of the records that count
	bytes   atomic.Int64 // = size, for Stats
	bad     atomic.Uint64
	faults  atomic.Uint64
	compact atomic.Uint64
	failing atomic.Bool // the last write
	stuck   atomic.Bool // the last compaction
}

// system is what the log asks of the operating system and tests let fail.
type system struct {
	write  func(f *os.File, b []byte) (int, error)
	create func(path string) (*os.File, error)
}

var realSystem = system{
	write: func(f *os.File, b []byte) (int, error) { return f.Write(b) },
	create: func(path string) (*os.File, error) {
		return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	},
}

const (
	batchSize    = 512         // records per write
	logRoom      = 1 << 20     // a log below this is not worth compacting
	logBound     = 64 << 20    // how far a log that can not be compacted grows beyond four times what lives
	compactAgain = time.Minute // after a compaction that failed
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine writes a record with its checksum.
func appendLine(dst []byte, b *Binding) ([]byte, error) {
	at := len(dst)
	dst = append(dst, "00000000 "...)
	out, err := AppendRecord(dst, b)
	if err != nil {
		return dst[:at], err
	}
	const hex = "0123456789abcdef"
	sum := crc32.Checksum(out[at+9:], castagnoli)
	for i := range 8 {
		out[at+i] = hex[sum>>(28-4*i)&15]
	}
	return append(out, '\n'), nil
}

func (d *disk) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		ready := d.feed.Ready()
		if d.failing.Load() {
			ready = nil // once a second is often enough
		}
		select {
		case <-ctx.Done():
			d.finish()
			return
		case <-ready:
			d.fault(&d.failing, d.step())
		case <-tick.C:
			d.fault(&d.failing, errors.Join(d.step(), d.sync()))
		}
	}
}

// step writes one batch and compacts if that is due.
func (d *disk) step() error {
	if d.f == nil || d.rewrite || d.size > 2*d.live.Load()+logRoom {
		if now := d.t.now(); !now.Before(d.retry) {
			err := d.compactLog()
			if err != nil {
				d.retry = now.Add(compactAgain)
			}
			d.fault(&d.stuck, err)
		}
	}
	if d.f == nil {
		return fmt.Errorf("%s does not exist", d.path)
	}
	if d.size > 4*d.live.Load()+logBound {
		return fmt.Errorf("%s is %d bytes long and can not be compacted", d.path, d.size)
	}
	return d.append()
}

func (d *disk) append() error {
	d.batch = d.feed.Take(d.batch[:0], batchSize)
	defer clear(d.batch)
	if len(d.batch) == 0 {
		return nil
	}
	d.buf = d.buf[:0]
	if d.torn {
		d.buf = append(d.buf, '\n')
	}
	sizes := make([]int, len(d.batch))
	for i, b := range d.batch {
		at := len(d.buf)
		var err error
		if d.buf, err = appendLine(d.buf, b); err != nil {
			d.faults.Add(1) // Put has measured it: only a Learn-ed combination can be too long
			continue
		}
		sizes[i] = len(d.buf) - at
	}
	n, err := d.os.write(d.f, d.buf)
	if err != nil {
		if n > 0 && d.f.Truncate(d.size) != nil {
			d.torn = true
			d.grow(int64(n))
		}
		for _, b := range d.batch {
			d.feed.Owe(b.ID)
		}
		return err
	}
	d.torn, d.dirty = false, true
	d.grow(int64(n))
	for i, b := range d.batch {
		if n := d.t.find(b.ID); n != nil {
			d.live.Add(int64(sizes[i]) - int64(n.size.Swap(uint32(sizes[i]))))
		}
	}
	if cap(d.buf) > 1<<20 {
		d.buf = nil
	}
	return nil
}

func (d *disk) grow(n int64) {
	d.size += n
	d.bytes.Store(d.size)
}

func (d *disk) sync() error {
	if !d.dirty || d.f == nil {
		return nil
	}
	if err := d.f.Sync(); err != nil {
		return err
	}
	d.dirty = false
	return nil
}

// compactLog replaces the log by what lives.
func (d *disk) compactLog() (err error) {
	tmp := d.path + ".tmp"
	f, err := d.os.create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(tmp))
		}
	}()
	// The lock must be on the file before it has the name.
	if err := lock(f); err != nil {
		return err
	}
	var size int64
	buf := d.buf[:0]
	flush := func() error {
		n, err := d.os.write(f, buf)
		size += int64(n)
		buf = buf[:0]
		return err
	}
	now := d.t.now()
	for n := range d.t.nodes() {
		b := n.b.Load()
		if Gone(b).Before(now) {
			continue
		}
		at := len(buf)
		if buf, err = appendLine(buf, b); err != nil {
			d.faults.Add(1)
			continue
		}
		length := uint32(len(buf) - at)
		d.live.Add(int64(length) - int64(n.size.Swap(length)))
		if len(buf) > 256<<10 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(tmp, d.path); err != nil {
		return err
	}
	if d.f != nil {
		d.f.Close() // nothing in it is needed
	}
	d.f, d.size, d.torn, d.rewrite, d.dirty = f, size, false, false, false
	d.live.Store(size)
	d.bytes.Store(size)
	d.compact.Add(1)
	return syncDir(filepath.Dir(d.path))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

var errLocked = errors.New("another process has this log open")

func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s: %w", f.Name(), errLocked)
	}
	return err
}

// finish writes what is owed and closes the log.
func (d *disk) finish() {
	var err error
	for err == nil {
		if err = d.step(); len(d.batch) == 0 {
			break
		}
	}
	d.fault(&d.failing, errors.Join(err, d.sync(), d.close()))
}

func (d *disk) close() error {
	if d.f == nil {
		return nil
	}
	err := d.f.Close()
	d.f = nil
	return err
}

// fault counts an error of a write or a compaction, and says so when errors begin and end.
func (d *disk) fault(state *atomic.Bool, err error) {
	if err != nil {
		d.faults.Add(1)
	}
	switch was := state.Swap(err != nil); {
	case err != nil && !was:
		d.t.log.Error("bindings can not be written to disk: a restart would not know the newest; they serve from memory", "path", d.path, "err", err)
	case err == nil && was:
		d.t.log.Info("bindings are written to disk again", "path", d.path)
	}
}

// noRoom: the disk is full, which is no reason not to start.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, io.ErrShortWrite)
}
