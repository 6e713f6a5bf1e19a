package callrecord

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The files of a log: calls-NUMBER.jsonl. The last one is written to; the oldest goes when all together would exceed
// the limit. Only the writer uses files after Open, but for open, which readers use.
type files struct {
	dir    string
	limit  int64 // bytes of all files
	rotate int64 // bytes of one file

	list []file // oldest first; the last is being written to while cur is open
	cur  *os.File
}

type file struct {
	number uint64
	size   int64
}

// pieces is into how many files the limit is cut: a full log loses this fraction of its past at a time.
const pieces = 8

func openFiles(dir string, limit int64) (*files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f := &files{dir: dir, limit: limit, rotate: limit / pieces}
	entries, err := os.ReadDir(dir) // sorted by name: the numbers have a fixed width
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		n, ok := number(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return nil, err
		}
		f.list = append(f.list, file{n, fi.Size()})
	}
	if err := f.mendTail(); err != nil {
		return nil, err
	}
	return f, f.makeRoom(0)
}

func (f *files) path(n uint64) string {
	return filepath.Join(f.dir, fmt.Sprintf("calls-%012d.jsonl", n))
}

func number(name string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, "calls-")
	s, ok2 := strings.CutSuffix(s, ".jsonl")
	n, err := strconv.ParseUint(s, 10, 63)
	return n, ok && ok2 && len(s) == 12 && err == nil
}

// mendTail cuts off a last line that a crash left without its newline, so that what follows is not glued to it.
func (f *files) mendTail() error {
	if len(f.list) == 0 {
		return nil
	}
	last := &f.list[len(f.list)-1]
	h, err := os.OpenFile(f.path(last.number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer h.Close()
	tail := make([]byte, min(last.size, maxLine+1))
	if _, err := h.ReadAt(tail, last.size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	torn := int64(len(tail) - 1 - bytes.LastIndexByte(tail, '\n'))
	if torn == 0 {
		return nil
	}
	last.size -= torn
	return h.Truncate(last.size)
}

// makeRoom removes the oldest files until n more bytes fit.
func (f *files) makeRoom(n int64) error {
	total := n
	for _, e := range f.list {
		total += e.size
	}
	for len(f.list) > 1 && total > f.limit {
		if err := os.Remove(f.path(f.list[0].number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		total -= f.list[0].size
		f.list = f.list[1:]
	}
	return nil
}

// append writes lines, which end at ends, and says where each now lies. With an error, the places are those of the
// lines that are safely there.
func (f *files) append(buf []byte, ends []int) ([]place, error) {
	places := make([]place, 0, len(ends))
	from := 0
	for from < len(ends) {
		if err := f.current(); err != nil {
			return places, err
		}
		last := &f.list[len(f.list)-1]
		start := start(ends, from)
		to := from + 1 // at least one line, then as many as the file may take
		for to < len(ends) && last.size+int64(ends[to]-start) <= f.rotate {
			to++
		}
		if err := f.makeRoom(int64(ends[to-1] - start)); err != nil {
			return places, err
		}
		last = &f.list[len(f.list)-1]
		if _, err := f.cur.Write(buf[start:ends[to-1]]); err != nil {
			// Half a line may stand there now: the next write begins a new file behind it.
			f.abandon()
			return places, err
		}
		for ; from < to; from++ {
			at, end := fileOffset(last.size, start, ends, from)
			places = append(places, place{last.number, at, int32(max(end-at-1, 0))})
		}
		last.size += int64(ends[to-1] - start)
	}
	return places, nil
}

func start(ends []int, i int) int {
	if i == 0 {
		return 0
	}
	return ends[i-1]
}

// fileOffset is where line i lies in a file that was size bytes long when the bytes from start on were appended.
func fileOffset(size int64, from int, ends []int, i int) (at, end int64) {
	return size + int64(start(ends, i)-from), size + int64(ends[i]-from)
}

// current makes sure that cur can take at least one line more.
func (f *files) current() error {
	if f.cur != nil && f.list[len(f.list)-1].size < f.rotate {
		return nil
	}
	next := uint64(1)
	if n := len(f.list); n > 0 {
		last := f.list[n-1]
		next = last.number + 1
		if f.cur == nil && last.size < f.rotate && last.size >= 0 {
			h, err := os.OpenFile(f.path(last.number), os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				f.cur = h
				return nil
			}
		}
	}
	if err := f.close(); err != nil {
		return err
	}
	h, err := os.OpenFile(f.path(next), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	f.cur = h
	f.list = append(f.list, file{number: next})
	return nil
}

// abandon gives up the file that failed. Its size is set to the limit of one file so that it is not written to again.
func (f *files) abandon() {
	f.cur.Close()
	f.cur = nil
	last := &f.list[len(f.list)-1]
	last.size = max(last.size, f.rotate)
}

// close syncs and closes what is being written to.
func (f *files) close() error {
	if f.cur == nil {
		return nil
	}
	err := errors.Join(f.cur.Sync(), f.cur.Close())
	f.cur = nil
	return err
}
