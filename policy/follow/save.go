package follow

import (
	"context"
	"time"
)

// saveAgain is how long a failed write of the disk copy waits for the next try.
const saveAgain = 5 * time.Second

// runSaves writes the disk copy, many revs at once if they come fast, and once more at the end.
func (f *Follower) runSaves(ctx context.Context) {
	again := time.NewTicker(saveAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			f.saveNow()
			return
		case <-f.save:
		case <-again.C:
		}
		f.saveNow()
	}
}

func (f *Follower) saveNow() {
	f.mu.Lock()
	s, changes, dirty := f.base, f.unsaved, f.dirty
	f.unsaved, f.dirty = nil, false
	f.mu.Unlock()
	if !dirty || s == nil {
		return
	}
	err := f.cfg.Disk.Save(s, changes)
	f.mu.Lock()
	was := f.badDisk
	f.badDisk = err != nil
	if err == nil {
		f.stored = s.Rev()
	} else {
		f.dirty, f.unsaved = true, nil
	}
	f.mu.Unlock()
	if err != nil && !was {
		f.cfg.Log.Error("the policy could not be written to disk; it serves from memory", "rev", s.Rev(), "err", err)
	}
	nudge(f.report)
}
