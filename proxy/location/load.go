package location

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// Open returns a table with what its log holds: torn and damaged lines are counted and passed over, what is Gone is
// dropped. It fails if the log can not be read or another process writes it; a full disk is no failure.
func Open(o Options) (*Table, error) {
	t := newTable(o)
	if o.Path == "" {
		return t, nil
	}
	d := &disk{t: t, path: o.Path, os: realSystem}
	d.feed = newFeed(t, owedToDisk)
	f, err := os.OpenFile(o.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	switch {
	case err == nil:
		if err := errors.Join(lock(f), d.load(f)); err != nil {
			return nil, fmt.Errorf("bindings on disk: %w", errors.Join(err, f.Close()))
		}
		d.f = f
	case !noRoom(err):
		return nil, fmt.Errorf("bindings on disk: %w", err)
	}
	t.disk = d
	return t, nil
}

// span is where the newest record of an id is.
type span struct {
	at     int64
	length int
}

const lineHead = 9 // checksum and space

// load reads the log twice: once for where the newest whole record of each id is, and then those.
func (d *disk) load(f *os.File) error {
	newest, err := d.scan(f)
	if err != nil {
		return err
	}
	spans := slices.SortedFunc(func(yield func(span) bool) {
		for _, s := range newest {
			if !yield(s) {
				return
			}
		}
	}, func(a, b span) int { return cmp.Compare(a.at, b.at) })
	workers := min(runtime.GOMAXPROCS(0), 4)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		part := spans[len(spans)*w/workers : len(spans)*(w+1)/workers]
		wg.Go(func() { errs[w] = d.take(f, part) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if n := d.bad.Load(); n > 0 {
		d.rewrite = true
		d.t.log.Warn("lines of the bindings on disk could not be read: passed over", "path", d.path, "lines", n, "bindings", d.t.Len())
	}
	return nil
}

// scan finds the records and sets where the log ends.
func (d *disk) scan(f *os.File) (map[ID]span, error) {
	newest := make(map[ID]span)
	r := bufio.NewReaderSize(f, 32<<10) // more than a line
	var at int64
	for {
		line, err := r.ReadSlice('\n')
		begin := at
		at += int64(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			d.bad.Add(1)
			for errors.Is(err, bufio.ErrBufferFull) {
				line, err = r.ReadSlice('\n')
				at += int64(len(line))
			}
			line = nil
		}
		if errors.Is(err, io.EOF) {
			if len(line) > 0 {
				d.bad.Add(1)
			}
			if at > d.size && f.Truncate(d.size) != nil {
				d.torn, d.size = true, at
			}
			d.bytes.Store(d.size)
			return newest, nil
		}
		if err != nil {
			return nil, err
		}
		d.size = at
		if len(line) <= 1 {
			continue // the end of a torn line before
		}
		id, ok := whole(line[:len(line)-1])
		if _, known := newest[id]; !ok || !known && len(newest) >= 4*d.t.limit {
			d.bad.Add(1)
			continue
		}
		newest[id] = span{begin, len(line)}
	}
}

var idField = []byte(`{"id":"`)

// whole checks a line's checksum and returns the id of its record.
func whole(line []byte) (id ID, ok bool) {
	if len(line) < lineHead+len(idField)+IDLen || len(line) > lineHead+MaxRecord || line[lineHead-1] != ' ' {
		return ID{}, false
	}
	sum, err := strconv.ParseUint(string(line[:lineHead-1]), 16, 32)
	if err != nil || crc32.Checksum(line[lineHead:], castagnoli) != uint32(sum) {
		return ID{}, false
	}
	rest, ok := bytes.CutPrefix(line[lineHead:], idField)
	if !ok {
		return ID{}, false
	}
	return ParseID(rest[:IDLen])
}

// take reads the records at the spans into the table.
func (d *disk) take(f *os.File, spans []span) error {
	now := d.t.now()
	buf := make([]byte, lineHead+MaxRecord+1)
	for _, s := range spans {
		line := buf[:s.length]
		if _, err := f.ReadAt(line, s.at); err != nil {
			return err
		}
		b, err := ParseRecord(line[lineHead : len(line)-1])
		if err != nil {
			d.bad.Add(1)
			continue
		}
		if Gone(b).Before(now) {
			continue
		}
		if n, _, _ := d.t.store(b); n != nil {
			d.live.Add(int64(s.length) - int64(n.size.Swap(uint32(s.length))))
		}
	}
	return nil
}
