package filestore

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/policy"
)

// Disk is an edge's last-good copy of the policy: what it serves from after a restart with no store in sight. It is a
// checkpoint and a log of the changes since; the pair before is kept, for the day the newest is torn. One process and
// one goroutine at a time.
type Disk struct {
	dir string

	seq   uint64 // of the pair in use
	size  int64  // of its checkpoint, bytes
	off   int64  // end of its log
	count int    // records in it
	rev   uint64 // what the pair holds
	chain string
	fresh bool // the next Save must write a checkpoint
}

const diskLog = 1000 // records before a new checkpoint

// OpenDisk makes the directory if need be, and writes nothing else.
func OpenDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	return &Disk{dir: dir, fresh: true}, nil
}

func (d *Disk) file(seq uint64, kind string) string {
	return filepath.Join(d.dir, fmt.Sprintf("policy-%d.%s", seq, kind))
}

// sequences lists the pairs, newest first.
func (d *Disk) sequences() ([]uint64, error) {
	names, err := filepath.Glob(filepath.Join(d.dir, "policy-*.ckpt"))
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, n := range names {
		n = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(n), "policy-"), ".ckpt")
		if seq, err := strconv.ParseUint(n, 10, 64); err == nil {
			out = append(out, seq)
		}
	}
	slices.SortFunc(out, func(a, b uint64) int { return cmp.Compare(b, a) })
	return out, nil
}

// Load returns the newest policy that is whole, nil if there is none. torn says what had to be passed over for it (nil:
// nothing); err is about the directory itself.
func (d *Disk) Load() (s *policy.Snapshot, torn, err error) {
	seqs, err := d.sequences()
	if err != nil {
		return nil, nil, err
	}
	var faults []error
	for _, seq := range seqs {
		s, err := readCheckpoint(d.file(seq, "ckpt"))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		count, bad := 0, false
		var end int64
		end, err = lines(d.file(seq, "log"), 0, func(record []byte, _, _ int64) error {
			c, err := policy.ParseChange(record)
			if err != nil {
				return err
			}
			next, err := s.Apply(c)
			if err != nil {
				return err
			}
			s = next
			count++
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			faults, bad = append(faults, err), true
		}
		d.seq, d.off, d.count, d.rev, d.chain = seq, end, count, s.Rev(), s.Chain()
		if st, err := os.Stat(d.file(seq, "ckpt")); err == nil {
			d.size = st.Size()
		}
		d.fresh = bad || seq != seqs[0]
		if d.fresh {
			d.seq = seqs[0]
		}
		return s, errors.Join(faults...), nil
	}
	if len(seqs) > 0 {
		d.seq = seqs[0]
	}
	return nil, errors.Join(faults...), nil
}

// Save stores s. changes may lead from what was saved last to s: then they are appended; otherwise, and when the log
// has grown longer than it is worth, the whole of s is written. s is on the platter when Save returns.
func (d *Disk) Save(s *policy.Snapshot, changes []policy.Change) error {
	if !d.fresh && s.Rev() == d.rev && s.Chain() == d.chain {
		return nil
	}
	if d.fresh || d.count+len(changes) > diskLog || d.off > max(d.size, 1<<20) || !d.leads(s, changes) {
		return d.checkpoint(s)
	}
	if err := d.append(changes); err != nil {
		d.fresh = true
		return err
	}
	d.count += len(changes)
	d.rev, d.chain = s.Rev(), s.Chain()
	return nil
}

// leads: the changes go from what is stored to s without a gap.
func (d *Disk) leads(s *policy.Snapshot, changes []policy.Change) bool {
	rev, chain := d.rev, d.chain
	for i := range changes {
		c := &changes[i]
		if c.Rev != rev+1 || policy.ChainOf(chain, c) != c.Chain {
			return false
		}
		rev, chain = c.Rev, c.Chain
	}
	return rev == s.Rev() && chain == s.Chain()
}

func (d *Disk) append(changes []policy.Change) error {
	var buf []byte
	var err error
	for i := range changes {
		if buf, err = appendLine(buf, &changes[i]); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(d.file(d.seq, "log"), os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(d.off); err != nil {
		return err
	}
	if _, err := f.WriteAt(buf, d.off); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	d.off += int64(len(buf))
	return nil
}

// checkpoint begins a new pair and leaves the one before in place.
func (d *Disk) checkpoint(s *policy.Snapshot) error {
	d.fresh = true // until it is whole
	seqs, err := d.sequences()
	if err != nil {
		return err
	}
	seq := d.seq + 1
	if len(seqs) > 0 {
		seq = max(seq, seqs[0]+1)
	}
	if err := replaceBytes(d.file(seq, "log"), nil); err != nil {
		return err
	}
	if err := writeCheckpoint(d.file(seq, "ckpt"), s); err != nil {
		return err
	}
	st, err := os.Stat(d.file(seq, "ckpt"))
	if err != nil {
		return err
	}
	d.seq, d.size, d.off, d.count, d.rev, d.chain, d.fresh = seq, st.Size(), 0, 0, s.Rev(), s.Chain(), false
	for i, old := range seqs {
		if i >= 1 { // seqs[0] is the pair before
			os.Remove(d.file(old, "ckpt"))
			os.Remove(d.file(old, "log"))
		}
	}
	return nil
}
