package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// maxPast bounds the chains kept of trimmed revs.
const maxPast = 20000

// checkpointIfDue starts a new segment behind a checkpoint after s.every revs, or after a day with a change. A failure
// loses nothing: the log only stays longer, and the next commit tries again. Called with the flock held.
func (s *Store) checkpointIfDue() {
	rev := s.snap.Rev()
	var last uint64
	lastAt := int64(0)
	if n := len(s.man.Checkpoints); n > 0 {
		last, lastAt = s.man.Checkpoints[n-1], s.man.Times[n-1]
	} else if len(s.recs) > 0 {
		lastAt = time.Now().Unix() // a young store waits for its first thousand
	}
	daily := time.Now().Unix()-lastAt >= 24*60*60
	if rev-last < s.every && !daily {
		return
	}
	m := s.man.clone()
	m.Segments = append(m.Segments, segRef{Gen: m.Gen, From: rev})
	s.addCheckpoint(m, s.snap)
}

// addCheckpoint writes snap, an empty segment for what follows, and m, which names that segment already; then trims.
func (s *Store) addCheckpoint(m *manifest, snap *policy.Snapshot) error {
	s.tidy()
	m.Checkpoints = append(m.Checkpoints, snap.Rev())
	m.Times = append(m.Times, time.Now().Unix())
	if err := writeCheckpoint(s.path(m.checkpoint(len(m.Checkpoints)-1)), snap); err != nil {
		return err
	}
	if err := replaceBytes(s.path(m.last().file()), nil); err != nil {
		return err
	}
	gone, err := s.trim(m)
	if err != nil {
		return err
	}
	if err := m.write(s.dir); err != nil {
		return err
	}
	for _, name := range gone {
		os.Remove(s.path(name)) // a file left behind is only space
	}
	return nil
}

// trim takes the oldest checkpoints and the log before them out of m, and keeps the chains of those revs in past.
func (s *Store) trim(m *manifest) (gone []string, err error) {
	for len(m.Checkpoints) > s.keep {
		gone = append(gone, m.checkpoint(0))
		m.Checkpoints, m.Times = m.Checkpoints[1:], m.Times[1:]
	}
	var out []segRef
	for i, seg := range m.Segments {
		// A segment goes when the next one starts at or before the oldest checkpoint.
		if len(m.Checkpoints) == s.keep && i+1 < len(m.Segments) && m.Segments[i+1].From <= m.Checkpoints[0] {
			gone = append(gone, seg.file())
			continue
		}
		out = append(out, seg)
	}
	m.Segments = out
	past := s.readPast()
	for _, r := range s.recs {
		if !m.has(r.seg) && r.rev >= m.Resynced {
			past = append(past, link{r.rev, r.chain})
		}
	}
	return gone, s.writePast(past)
}

// link is one step of the lineage.
type link struct {
	rev   uint64
	chain string
}

func (s *Store) readPast() []link {
	b, err := os.ReadFile(s.path("past"))
	if err != nil {
		return nil
	}
	return parsePast(b)
}

// parsePast skips what it can not read: a missing link makes an edge ask a person, a wrong one would let a fork in.
func parsePast(b []byte) []link {
	var out []link
	for line := range bytes.Lines(b) {
		rev, chain, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		n, err := strconv.ParseUint(rev, 10, 64)
		if ok && err == nil && len(chain) == 64 {
			out = append(out, link{n, chain})
		}
	}
	return out
}

func (s *Store) writePast(past []link) error {
	past = past[max(0, len(past)-maxPast):]
	var b bytes.Buffer
	for _, l := range past {
		fmt.Fprintf(&b, "%d %s\n", l.rev, l.chain)
	}
	return replaceBytes(s.path("past"), b.Bytes())
}

// ChainAt implements policy.Ancestry.
func (s *Store) ChainAt(ctx context.Context, rev uint64) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return "", err
	}
	if rev >= s.man.Resynced {
		if i, ok := s.find(rev); ok {
			return s.recs[i].chain, nil
		}
	}
	for _, l := range s.readPast() {
		if l.rev == rev {
			return l.chain, nil
		}
	}
	return "", nil
}

// Resync implements policy.Store. The old log stays readable; it is no ancestor any more, but for the rev of snap.
func (s *Store) Resync(ctx context.Context, snap *policy.Snapshot, newRev uint64, c policy.Change) (policy.Head, error) {
	unlock, err := s.lock(ctx, true)
	if err != nil {
		return policy.Head{}, err
	}
	defer unlock()
	m := &manifest{Version: 1, Epoch: snap.Epoch()}
	switch err := s.refresh(); {
	case err == nil:
		head := s.snap.Head()
		if c.Key != "" && s.keys[c.Key] != 0 {
			return s.headAt(s.keys[c.Key]), nil
		}
		if err := policy.CheckResync(head, snap, newRev); err != nil {
			return head, err
		}
		m = s.man.clone()
	case errors.Is(err, policy.ErrNoPolicy):
		if err := policy.CheckResync(policy.Head{}, snap, newRev); err != nil {
			return policy.Head{}, err
		}
	default:
		return policy.Head{}, err
	}
	sealed, next, err := snap.Resync(newRev, c, s.now())
	if err != nil {
		return policy.Head{}, err
	}
	line, err := appendLine(nil, &sealed)
	if err != nil {
		return policy.Head{}, err
	}
	m.Gen = max(m.Gen+1, uint64(time.Now().UnixNano()))
	m.Resynced = newRev
	record := segRef{Gen: m.Gen, From: newRev - 1}
	if n := len(m.Segments); n > 0 && m.Segments[n-1].From == record.From {
		m.Segments = m.Segments[:n-1] // empty
	}
	m.Segments = append(m.Segments, record, segRef{Gen: m.Gen, From: newRev})
	if err := replaceBytes(s.path(record.file()), line); err != nil {
		return policy.Head{}, err
	}
	if err := s.writePast([]link{{snap.Rev(), snap.Chain()}}); err != nil {
		return policy.Head{}, err
	}
	if err := s.addCheckpoint(m, next); err != nil {
		return policy.Head{}, err
	}
	if err := s.refresh(); err != nil {
		return policy.Head{}, fmt.Errorf("%w: %w", policy.ErrUnknownOutcome, err)
	}
	return next.Head(), nil
}

// tidy removes what a crash left of a replacement. Called with the flock held, so nobody is writing one.
func (s *Store) tidy() {
	names, _ := filepath.Glob(s.path(".tmp-*"))
	for _, n := range names {
		os.Remove(n)
	}
}
