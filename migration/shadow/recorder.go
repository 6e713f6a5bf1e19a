package shadow

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/proxy/tap"
)

// A Recorder is a Mirror without a dark core: it writes the live side of every mirrored call to a file, for Replay. A line holds whole
// messages, with the numbers that a dark core must see to route them, so it is sealed with the secret of Options: who has the file
// alone has nothing. Lines older than the retention go when the file is opened, and no more is written than Limit.
type Recorder struct {
	// Set once by NewRecorder.
	o         Options
	path      string
	limit     int64
	retention time.Duration
	ring      *tap.Ring

	stats atomic.Pointer[Stats]
}

// RecorderOptions are where and how much is recorded.
type RecorderOptions struct {
	Path      string
	Limit     int64         // bytes of the file; 1 GiB
	Retention time.Duration // 30 days
}

// NewRecorder checks the options: of Options it needs Edge, Policy and Secret, and heeds the bounds.
func NewRecorder(o Options, r RecorderOptions) (*Recorder, error) {
	o.defaults()
	set(&r.Limit, 1<<30)
	set(&r.Retention, 30*24*time.Hour)
	switch {
	case len(o.Secret) < 16:
		return nil, errors.New("shadow recorder: the secret has fewer than 16 bytes: it seals what people dialled")
	case o.Policy == nil:
		return nil, errors.New("shadow recorder: nobody says which tenants are recorded")
	case r.Path == "":
		return nil, errors.New("shadow recorder: no file")
	}
	o.Dark = nil // there is none
	x := &Recorder{o: o, path: r.Path, limit: r.Limit, retention: r.Retention, ring: tap.NewRing(o.Slots, o.SlotSize)}
	x.stats.Store(&Stats{})
	return x, nil
}

// Put is the edge's tap: it copies and returns. Any goroutine may call it.
func (r *Recorder) Put(ev *tap.Event, raw []byte) *tap.Cell { return r.ring.Put(ev, raw) }

// Stats is what the recorder has done, as of its last second.
func (r *Recorder) Stats() Stats { return *r.stats.Load() }

// Run records until ctx ends. Calls that live then are written as far as they were seen.
func (r *Recorder) Run(ctx context.Context) (err error) {
	defer r.o.caught(&err, func(why string) { r.stats.Store(stopped(r.stats.Load(), why)) })
	oldest := r.o.Now() - int64(r.retention)
	if _, err := Prune(r.path, func(_ string, at int64) bool { return at >= oldest }); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f := &journal{path: r.path}
	if err := f.reopen(); err != nil {
		return err
	}
	defer f.close()
	seal := newSeal(r.o.Secret)
	var failed error
	x := newMachine(&r.o, nil)
	x.recorded = func(live *record.Exchange) {
		line, err := seal.line(live)
		if err != nil || f.size+int64(len(line)) > r.limit {
			x.drop(DropFile)
			return
		}
		failed = errors.Join(failed, f.write(line))
	}
	x.start(r.o.Now())
	buf := make([]byte, 0, r.o.SlotSize)
	tick := time.NewTicker(lookRing)
	defer tick.Stop()
	published := int64(0)
	for ctx.Err() == nil && failed == nil {
		now := r.o.Now()
		buf = r.take(x, now, buf)
		x.advance(now)
		if now-published >= int64(statsEvery) {
			published = now
			r.publish(x)
			failed = errors.Join(failed, f.reopen())
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	r.take(x, r.o.Now(), buf)
	for _, c := range x.calls {
		c.cut("the recorder ended")
		c.finish()
	}
	r.publish(x)
	return failed
}

// take empties the ring.
func (r *Recorder) take(x *machine, now int64, buf []byte) []byte {
	var ev tap.Event
	for {
		b, ok := r.ring.Take(&ev, buf)
		if !ok {
			return buf
		}
		buf = b
		x.tapped(now, &ev, b)
	}
}

func (r *Recorder) publish(x *machine) {
	s := x.snapshotStats()
	full, large := r.ring.Dropped()
	for d, n := range map[Drop]uint64{DropRing: full, DropTooLarge: large} {
		if n > 0 {
			s.Dropped[d.String()] += n
		}
	}
	r.stats.Store(s)
}

// nowhere is what a recorder has for a dark core: nothing is ever sent to it.
func nowhere() *dark { return &dark{Dark: Dark{Name: "none"}, sink: netip.AddrPort{}} }

// journal is the file that is written to. Somebody may put another one in its place (Prune).
type journal struct {
	path string
	file *os.File
	size int64
}

// reopen opens the file that is at the path now, where that is another one.
func (j *journal) reopen() error {
	if j.file != nil {
		there, err := os.Stat(j.path)
		if ours, err2 := j.file.Stat(); err == nil && err2 == nil && os.SameFile(there, ours) {
			return nil
		}
		j.close()
	}
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := whole(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		f.Close()
		return err
	}
	j.file, j.size = f, size
	return nil
}

// whole is the length of a file up to its last line end. What stands behind it is of a process that died in the middle of a line, or
// of a full disk: a line after it would be unreadable, and so would the file.
func whole(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

func (j *journal) write(line []byte) error {
	n, err := j.file.Write(line)
	j.size += int64(n)
	return err
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}
