package filestore

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/hotcut/hotcut/policy"
)

// refresh brings what is in memory up to what is in the directory. Without news it costs two stat calls. Called with
// mu held, with or without the flock. policy.ErrNoPolicy when there is nothing.
func (s *Store) refresh() error {
	for try := 0; ; try++ {
		err := s.refreshOnce()
		// Between the manifest and a segment another process may have trimmed: look again.
		if errors.Is(err, os.ErrNotExist) && try < 3 {
			s.forgetAll()
			continue
		}
		if err != nil {
			s.forgetAll()
		}
		return err
	}
}

func (s *Store) refreshOnce() error {
	ms, err := stampOf(s.path("MANIFEST"))
	if err != nil {
		return err
	}
	if s.man == nil || ms != s.manStamp {
		m, err := readManifest(s.dir)
		if err != nil {
			return err
		}
		if s.man == nil || m.Epoch != s.man.Epoch || m.Gen != s.man.Gen || !m.has(s.seg) {
			if err := s.load(m); err != nil {
				return err
			}
		}
		s.drop(m)
		s.man, s.manStamp, s.logStamp = m, ms, stamp{}
	}
	for _, seg := range s.man.Segments {
		if seg.From < s.seg.From {
			continue
		}
		path := s.path(seg.file())
		st, err := stampOf(path)
		if err != nil {
			return err
		}
		if seg == s.seg && st == s.logStamp {
			continue
		}
		if seg != s.seg {
			if seg.From != s.snap.Rev() {
				return fmt.Errorf("%s: %w: it starts after rev %d, the log before ends at %d", path, errTorn, seg.From, s.snap.Rev())
			}
			s.seg, s.off = seg, 0
		}
		if s.off, err = lines(path, s.off, s.take); err != nil {
			return err
		}
		s.logStamp = st
	}
	return nil
}

// take applies one record read from the segment s.seg.
func (s *Store) take(record []byte, from, to int64) error {
	c, err := policy.ParseChange(record)
	if err != nil {
		return err
	}
	next, err := s.snap.Apply(c)
	if err != nil {
		return fmt.Errorf("replaying rev %d: %w", c.Rev, err)
	}
	s.snap = next
	s.note(&c, s.seg, from, to)
	return nil
}

func (s *Store) note(c *policy.Change, seg segRef, from, to int64) {
	s.recs = append(s.recs, rec{rev: c.Rev, chain: c.Chain, key: c.Key, seg: seg, from: from, to: to})
	if c.Key != "" {
		s.keys[c.Key] = c.Rev
	}
	s.lastAt = max(s.lastAt, c.At)
}

// load reads the directory from its newest good checkpoint on, and indexes the records before it.
func (s *Store) load(m *manifest) error {
	s.forgetAll()
	s.keys = map[string]uint64{}
	var faults []error
	for i := len(m.Checkpoints) - 1; i >= 0 && s.snap == nil; i-- {
		c, err := readCheckpoint(s.path(m.checkpoint(i)))
		if err != nil || c.Rev() != m.Checkpoints[i] || c.Epoch() != m.Epoch {
			faults = append(faults, err)
			if m.Checkpoints[i] == m.Resynced {
				break // what is before a resync need not lead to it
			}
			continue
		}
		s.snap = c
	}
	if s.snap == nil && m.Resynced == 0 && m.Segments[0].From == 0 {
		s.snap = policy.Empty(m.Epoch)
	}
	if s.snap == nil {
		return fmt.Errorf("%s: no checkpoint is whole: %w", s.dir, errors.Join(faults...))
	}
	for _, seg := range m.Segments {
		s.seg, s.off = seg, 0
		if seg.From >= s.snap.Rev() {
			return nil // refreshOnce goes on from here
		}
		index := func(record []byte, from, to int64) error {
			c, err := policy.ParseChange(record)
			if err != nil {
				return err
			}
			if c.Rev > s.snap.Rev() {
				return s.take(record, from, to)
			}
			s.note(&c, seg, from, to)
			return nil
		}
		var err error
		if s.off, err = lines(s.path(seg.file()), 0, index); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets the records of segments that m no longer names.
func (s *Store) drop(m *manifest) {
	s.recs = slices.DeleteFunc(s.recs, func(r rec) bool {
		gone := !m.has(r.seg)
		if gone {
			delete(s.keys, r.key)
		}
		return gone
	})
}
