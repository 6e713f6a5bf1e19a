package media

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	journalName = "media.sessions"
	lockName    = "media.lock"
	maxRecord   = 256 << 10
	journalSlop = 1024 // lines over twice the living sessions before the file is written anew
)

// A journal remembers the living sessions, so that a process that starts after a kill -9 binds the same ports and the
// calls keep their audio. It is a file of JSON lines, the newest line of a key counts; a torn last line is ignored.
//
// Invariant: nobody waits for the disk. mark notes that a session changed; one goroutine writes its state as it is
// then, so a hundred changes of one session are one line, and what waits is bounded by the sessions. A kill in the few
// microseconds between loses the newest change, which the next packet or re-INVITE brings back. Nothing is
// synced: what the kernel was given survives the process, and no call survives the machine.
type journal struct {
	// Set once by openJournal.
	path string
	lock *os.File
	kick chan struct{}

	mu    sync.Mutex // guards dirty, and unsaved and over of each session
	dirty []*Session

	// Owned by run, and before and after it by the engine.
	file  *os.File
	lines int
	buf   bytes.Buffer

	failed atomic.Uint64
}

// openJournal reads the journal of a folder; without a folder there is none. One process has it at a time.
func openJournal(dir string) (*journal, []record, error) {
	if dir == "" {
		return nil, nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("media: journal: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("media: journal: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("media: another process relays with the state in %s: %w", dir, err)
	}
	j := &journal{path: filepath.Join(dir, journalName), lock: lock, kick: make(chan struct{}, 1)}
	records, err := readJournal(j.path)
	if err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("media: journal: %w", err)
	}
	return j, records, nil
}

// readJournal returns the newest record of every session that lives. Lines that make no sense are skipped: a journal
// must never keep a relay from starting.
func readJournal(path string) ([]record, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var order []SessionKey
	newest := make(map[SessionKey]record)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxRecord)
	for lines.Scan() {
		var r record
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Key.check() != nil {
			continue
		}
		if _, known := newest[r.Key]; !known {
			order = append(order, r.Key)
		}
		newest[r.Key] = r
	}
	var living []record
	for _, k := range order {
		if r := newest[k]; !r.Ended {
			living = append(living, r)
		}
	}
	return living, nil // a line over maxRecord ends the reading: it is none of ours
}

// mark notes that a session has changed. One that is over does not come back: its key may be another's by now.
func (j *journal) mark(s *Session) { j.put(s, false) }

// end notes that a session is over.
func (j *journal) end(s *Session) { j.put(s, true) }

func (j *journal) put(s *Session, over bool) {
	if j == nil {
		return
	}
	j.mu.Lock()
	if !s.unsaved && !s.over {
		s.unsaved = true
		j.dirty = append(j.dirty, s)
	}
	s.over = s.over || over
	j.mu.Unlock()
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// run writes until quit is closed, and then once more.
func (j *journal) run(quit <-chan struct{}, e *Engine) {
	if j == nil {
		return
	}
	for {
		select {
		case <-j.kick:
			j.flush()
			if j.lines > 2*e.living()+journalSlop {
				j.note(j.compact(e.Sessions()))
			}
		case <-quit:
			j.flush()
			return
		}
	}
}

// flush writes what is marked.
func (j *journal) flush() {
	j.mu.Lock()
	dirty := j.dirty
	j.dirty = nil
	records := make([]record, len(dirty))
	for i, s := range dirty {
		s.unsaved = false
		records[i] = s.record()
	}
	j.mu.Unlock()
	j.buf.Reset()
	for i := range records {
		j.append(&records[i])
	}
	j.lines += len(records)
	if len(dirty) > 0 {
		_, err := j.file.Write(j.buf.Bytes())
		j.note(err)
	}
}

func (j *journal) append(r *record) {
	line, err := json.Marshal(r)
	j.note(err)
	j.buf.Write(line)
	j.buf.WriteByte('\n')
}

// compact writes the living sessions to a new file and puts it in the old one's place.
func (j *journal) compact(living iter.Seq[*Session]) error {
	if j == nil {
		return nil
	}
	j.buf.Reset()
	n := 0
	for s := range living {
		j.mu.Lock()
		r := s.record()
		j.mu.Unlock()
		j.append(&r)
		n++
	}
	next, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("media: journal: %w", err)
	}
	_, err = next.Write(j.buf.Bytes())
	if err == nil {
		err = os.Rename(next.Name(), j.path)
	}
	if err != nil {
		next.Close()
		return fmt.Errorf("media: journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.lines = next, n
	return nil
}

func (j *journal) note(err error) {
	if err != nil {
		j.failed.Add(1)
	}
}

func (j *journal) failures() uint64 {
	if j == nil {
		return 0
	}
	return j.failed.Load()
}

func (j *journal) close() {
	if j == nil {
		return
	}
	if j.file != nil {
		j.flush()
		j.file.Close()
	}
	j.lock.Close()
}
