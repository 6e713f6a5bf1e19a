package callrecord

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds that no configuration changes.
const (
	queueLen = 4096     // records that wait for the writer
	maxLine  = 16 << 10 // bytes of one record on disk; a longer one is dropped
	maxFound = 64       // records of one Call-ID that Find returns: the newest

	// How long a record may wait for others: waking up for each costs several times what writing it does. A kill -9 loses
	// what waits, a crash of the machine loses more.
	gather = 100 * time.Millisecond
)

// Log takes records from the edge's readers and brings them to disk.
//
// Put appends to a ring under a short lock; Run lets records gather, takes everything that waits, writes it with one
// system call, and only then enters it into the index, under the same lock. A record can therefore be found at every moment: waiting, being
// written, or on disk. No lock is held over a system call, so a stalled disk costs records and never a call.
type Log struct {
	files *files
	wake  chan struct{} // gets a token with the first record that waits, and when half the queue is full

	mu      sync.Mutex // guards all below
	waiting []*Record  // ring: oldest at head
	head, n int
	writing []*Record // taken by Run and not yet in the index; oldest first
	index   index

	dropped atomic.Uint64
	failed  atomic.Uint64
}

// Open reads what is in dir (made if it is not there) and is ready for Put. The files together hold at most maxBytes
// (at least 1 MiB), the index at most maxIndex records.
func Open(dir string, maxBytes int64, maxIndex int) (*Log, error) {
	f, err := openFiles(dir, max(maxBytes, 1<<20))
	if err != nil {
		return nil, err
	}
	l := &Log{files: f, wake: make(chan struct{}, 1), waiting: make([]*Record, queueLen), index: newIndex(max(maxIndex, 1))}
	if err := f.scan(max(maxIndex, 1), l.index.add); err != nil {
		f.close()
		return nil, err
	}
	return l, nil
}

// Put hands a finished call over; the caller must not change r afterwards. It never waits. When the queue is full its
// oldest record goes and Dropped grows.
func (l *Log) Put(r *Record) {
	l.mu.Lock()
	if l.n == queueLen {
		l.head, l.n = (l.head+1)%queueLen, l.n-1
		l.dropped.Add(1)
	}
	l.waiting[(l.head+l.n)%queueLen] = r
	l.n++
	due := l.n == 1 || l.n == queueLen/2
	l.mu.Unlock()
	if !due {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Dropped counts records that are on no disk: the queue was full, the record too long, or the disk refused.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Failed counts writes that the disk refused.
func (l *Log) Failed() uint64 { return l.failed.Load() }

// Len is the number of records that the index knows.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.len()
}

// Run writes until ctx ends, then writes what still waits and closes the files. Call it once. A disk that fails does
// not end it: an edge without call records still carries calls.
func (l *Log) Run(ctx context.Context) error {
	var buf []byte
	for {
		select {
		case <-ctx.Done():
			l.write(buf)
			return l.files.close()
		case <-l.wake:
		}
		select {
		case <-ctx.Done():
		case <-l.wake: // half full
		case <-time.After(gather):
		}
		buf = l.write(buf)
	}
}

// write brings all that waits to disk. It returns buf for the next time.
func (l *Log) write(buf []byte) []byte {
	batch := l.take()
	buf = buf[:0]
	ends := make([]int, len(batch)) // of each record's line in buf; equal to the one before: no line
	for i, r := range batch {
		from := len(buf)
		var err error
		if buf, err = appendLine(buf, r); err != nil || len(buf)-from > maxLine {
			buf = buf[:from]
			l.dropped.Add(1)
		}
		ends[i] = len(buf)
	}
	places, err := l.files.append(buf, ends)
	l.mu.Lock()
	for i, r := range batch[:len(places)] {
		if places[i].length > 0 {
			l.index.add(r.CallID, r.Tenant, places[i])
		}
	}
	l.writing = nil
	l.mu.Unlock()
	if err != nil {
		l.failed.Add(1)
		for i := len(places); i < len(ends); i++ {
			if ends[i] > start(ends, i) {
				l.dropped.Add(1)
			}
		}
	}
	if cap(buf) > 1<<20 {
		return nil
	}
	return buf
}

func (l *Log) take() []*Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := make([]*Record, l.n)
	for i := range batch {
		slot := (l.head + i) % queueLen
		batch[i], l.waiting[slot] = l.waiting[slot], nil
	}
	l.head, l.n, l.writing = 0, 0, batch
	return batch
}
