package callrecord

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
)

// Find returns the records of a Call-ID, oldest first; of very many the newest. What the disk no longer has is left out.
func (l *Log) Find(callID string) []Record {
	return l.read(maxFound, func(r *Record) bool { return r.CallID == callID || r.CallID == valid(callID) },
		func() []place { return l.index.byCallID(callID, maxFound) }, true)
}

// Recent returns the n latest records of a tenant, or of all with tenant "", newest first.
func (l *Log) Recent(tenant string, n int) []Record {
	return l.read(n, func(r *Record) bool { return tenant == "" || r.Tenant == tenant },
		func() []place { return l.index.latest(tenant, n) }, false)
}

// read collects what waits, what is being written and what is on disk, newest first, at most limit; then it turns the
// order round if oldestFirst.
func (l *Log) read(limit int, match func(*Record) bool, places func() []place, oldestFirst bool) []Record {
	var out []Record
	take := func(r *Record) {
		if r != nil && len(out) < limit && match(r) {
			out = append(out, *r)
		}
	}
	l.mu.Lock()
	for i := range l.n {
		take(l.waiting[(l.head+l.n-1-i)%queueLen])
	}
	for _, r := range slices.Backward(l.writing) {
		take(r)
	}
	at := places()
	l.mu.Unlock()

	dir := reader{files: l.files}
	defer dir.close()
	for _, p := range at {
		if len(out) >= limit {
			break
		}
		if r, ok := dir.record(p); ok {
			take(&r)
		}
	}
	if oldestFirst {
		slices.Reverse(out)
	}
	return out
}

// reader keeps the file of the last record open: neighbours mostly share it.
type reader struct {
	files  *files
	h      *os.File
	number uint64
	buf    []byte
}

func (d *reader) record(p place) (Record, bool) {
	if d.h == nil || d.number != p.file {
		d.close()
		h, err := os.Open(d.files.path(p.file))
		if err != nil {
			return Record{}, false // rotated away
		}
		d.h, d.number = h, p.file
	}
	d.buf = slices.Grow(d.buf[:0], int(p.length))[:p.length]
	if _, err := d.h.ReadAt(d.buf, p.offset); err != nil {
		return Record{}, false
	}
	var r Record
	return r, json.Unmarshal(d.buf, &r) == nil
}

func (d *reader) close() {
	if d.h != nil {
		d.h.Close()
		d.h = nil
	}
}

// scan calls add for the records on disk, oldest first. It reads only as many of the newest files as hold maxIndex
// lines: what the index would forget again costs nothing at start.
func (f *files) scan(maxIndex int, add func(callID, tenant string, p place)) error {
	first, lines := len(f.list), 0
	for first > 0 && lines < maxIndex {
		first--
		n, err := f.countLines(f.list[first].number)
		if err != nil {
			return err
		}
		lines += n
	}
	for _, e := range f.list[first:] {
		if err := f.scanFile(e.number, add); err != nil {
			return err
		}
	}
	return nil
}

func (f *files) countLines(number uint64) (int, error) {
	h, err := os.Open(f.path(number))
	if err != nil {
		return 0, err
	}
	defer h.Close()
	buf := make([]byte, 64<<10)
	n := 0
	for {
		k, err := h.Read(buf)
		n += bytes.Count(buf[:k], []byte{'\n'})
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// scanFile passes over lines that are too long or no record.
func (f *files) scanFile(number uint64, add func(callID, tenant string, p place)) error {
	h, err := os.Open(f.path(number))
	if err != nil {
		return err
	}
	defer h.Close()
	r := bufio.NewReaderSize(h, maxLine)
	offset, whole := int64(0), true
	for {
		line, err := r.ReadSlice('\n')
		if whole && err == nil {
			if id, tenant, ok := head(line); ok {
				add(id, tenant, place{number, offset, int32(len(line) - 1)})
			}
		}
		offset += int64(len(line))
		whole = err == nil // else the rest of a line that is too long follows
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// head reads Call-ID and tenant off the beginning of a line, where Record's order puts them, and leaves the rest alone:
// reading all of it would take an edge's restart a second or more.
func head(line []byte) (callID, tenant string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", "", false
	}
	for {
		key, err := d.Token()
		if err != nil {
			return "", "", false
		}
		value, err := d.Token()
		if err != nil {
			return "", "", false
		}
		s, isString := value.(string)
		switch {
		case key == "callId" && isString && s != "":
			callID = s
		case key == "tenant" && isString:
			tenant = s
		case key == "method":
			return callID, tenant, callID != ""
		case !isString:
			return "", "", false
		}
	}
}
