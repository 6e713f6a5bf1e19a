package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"github.com/hotcut/hotcut/policy"
)

const (
	pieceSize  = 1 << 20 // bytes of one piece
	maxPieces  = 4096
	maxContent = 4 << 30 // bytes of a decompressed checkpoint
	lockTime   = 2 * time.Minute
	keepChains = 50000 // revs of which the chain is remembered behind the oldest checkpoint
)

// ckptMeta describes a checkpoint in the hash ckpts.
type ckptMeta struct {
	Epoch  string `json:"epoch"`
	Rev    uint64 `json:"rev"`
	Chain  string `json:"chain"`
	Root   string `json:"root"`
	Pieces int    `json:"pieces"`
	SHA256 string `json:"sha256"` // of the pieces together
	At     int64  `json:"at"`     // unix seconds
}

// checkpoints lists them, oldest first.
func (s *Store) checkpoints(ctx context.Context) ([]ckptMeta, error) {
	all, err := s.read.HGetAll(ctx, s.key.ckpts()).Result()
	if err != nil {
		return nil, s.fault(err)
	}
	var out []ckptMeta
	for rev, v := range all {
		var m ckptMeta
		if err := json.Unmarshal([]byte(v), &m); err != nil || itoa(m.Rev) != rev || m.Pieces < 1 || m.Pieces > maxPieces {
			continue // no checkpoint of ours; an older one will do
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b ckptMeta) int { return cmp.Compare(a.Rev, b.Rev) })
	return out, nil
}

// pieceWriter cuts a stream into keys.
type pieceWriter struct {
	ctx context.Context
	s   *Store
	rev uint64
	buf []byte
	n   int
	sum hash.Hash
}

func (w *pieceWriter) Write(b []byte) (int, error) {
	w.sum.Write(b)
	for rest := b; len(rest) > 0; {
		n := min(len(rest), pieceSize-len(w.buf))
		w.buf, rest = append(w.buf, rest[:n]...), rest[n:]
		if len(w.buf) == pieceSize {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(b), nil
}

func (w *pieceWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if w.n == maxPieces {
		return fmt.Errorf("a checkpoint of more than %d pieces", maxPieces)
	}
	err := w.s.read.Set(w.ctx, w.s.key.ckpt(w.rev, w.n), w.buf, 0).Err()
	w.buf = w.buf[:0]
	w.n++
	return err
}

// writeCheckpoint writes the pieces and returns what the hash ckpts shall say of them.
func (s *Store) writeCheckpoint(ctx context.Context, snap *policy.Snapshot, at time.Time) (ckptMeta, error) {
	w := &pieceWriter{ctx: ctx, s: s, rev: snap.Rev(), sum: sha256.New()}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return ckptMeta{}, err
	}
	err = snap.Encode(z)
	err = errors.Join(err, z.Close())
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		return ckptMeta{}, s.fault(err)
	}
	return ckptMeta{Epoch: snap.Epoch(), Rev: snap.Rev(), Chain: snap.Chain(), Root: snap.Root(),
		Pieces: w.n, SHA256: hex.EncodeToString(w.sum.Sum(nil)), At: at.Unix()}, nil
}

// pieceReader reads the pieces of a checkpoint one after the other.
type pieceReader struct {
	ctx  context.Context
	s    *Store
	meta ckptMeta
	n    int
	rest bytes.Reader
	sum  hash.Hash
}

func (r *pieceReader) Read(b []byte) (int, error) {
	for r.rest.Len() == 0 {
		if r.n == r.meta.Pieces {
			return 0, io.EOF
		}
		p, err := r.s.read.Get(r.ctx, r.s.key.ckpt(r.meta.Rev, r.n)).Bytes()
		if errors.Is(err, redis.Nil) {
			return 0, fmt.Errorf("piece %d of %d is missing", r.n, r.meta.Pieces)
		}
		if err != nil {
			return 0, r.s.fault(err)
		}
		r.n++
		r.sum.Write(p)
		r.rest.Reset(p)
	}
	return r.rest.Read(b)
}

func (s *Store) readCheckpoint(ctx context.Context, m ckptMeta) (*policy.Snapshot, error) {
	r := &pieceReader{ctx: ctx, s: s, meta: m, sum: sha256.New()}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	snap, err := policy.Decode(io.LimitReader(z, maxContent))
	if err != nil {
		return nil, fmt.Errorf("%s: checkpoint of rev %d: %w", s.addr, m.Rev, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, fmt.Errorf("%s: checkpoint of rev %d: %w", s.addr, m.Rev, err)
	}
	if hex.EncodeToString(r.sum.Sum(nil)) != m.SHA256 || snap.Rev() != m.Rev || snap.Chain() != m.Chain || snap.Epoch() != m.Epoch {
		return nil, fmt.Errorf("%s: checkpoint of rev %d is not what was written: %w", s.addr, m.Rev, errNotOurs)
	}
	return snap, nil
}

// maintain writes a checkpoint when one is due, and trims the log. It runs behind a commit that has been answered; what
// it leaves undone the next one does. Called in the background.
func (s *Store) maintain(head policy.Head) {
	ctx, cancel := context.WithTimeout(s.outer, lockTime)
	defer cancel()
	err := s.checkpointIfDue(ctx, head)
	s.maintenance.Store(&err)
}

// Maintenance returns why the last checkpoint that was due could not be written, or the log not be trimmed; nil when all
// is well. Commits go on: the log only grows.
func (s *Store) Maintenance() error {
	if err := s.maintenance.Load(); err != nil {
		return *err
	}
	return nil
}

// due: every s.every revs, or daily.
func (s *Store) due(metas []ckptMeta, head policy.Head) bool {
	if len(metas) == 0 {
		return head.Rev >= s.every
	}
	last := metas[len(metas)-1]
	return head.Rev >= last.Rev+s.every || head.Rev > last.Rev && time.Now().Unix()-last.At >= 24*60*60
}

func (s *Store) checkpointIfDue(ctx context.Context, head policy.Head) error {
	metas, err := s.checkpoints(ctx)
	if err != nil || !s.due(metas, head) {
		return err
	}
	// One at a time over all processes. The lock only saves work: two writers of one checkpoint would leave pieces whose
	// SHA-256 does not fit, and the one before is used.
	owner := policy.MintKey()
	if ok, err := s.read.SetNX(ctx, s.key.lock(), owner, lockTime).Result(); err != nil || !ok {
		return s.fault(err)
	}
	defer unlockScript.Run(ctx, s.read, []string{s.key.lock()}, owner)
	if metas, err = s.checkpoints(ctx); err != nil || !s.due(metas, head) {
		return err
	}
	snap, err := s.LoadAt(ctx, 0)
	if err != nil {
		return err
	}
	meta, err := s.writeCheckpoint(ctx, snap, time.Now())
	if err != nil {
		return err
	}
	if err := s.publishCheckpoint(ctx, meta); err != nil {
		return err
	}
	return s.trim(ctx, append(metas, meta))
}

func (s *Store) publishCheckpoint(ctx context.Context, m ckptMeta) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.fault(s.read.HSet(ctx, s.key.ckpts(), itoa(m.Rev), b).Err())
}

// trim keeps s.keep checkpoints and the log back to the oldest of them.
func (s *Store) trim(ctx context.Context, metas []ckptMeta) error {
	if len(metas) <= s.keep {
		return nil
	}
	old, oldest := metas[:len(metas)-s.keep], metas[len(metas)-s.keep]
	if err := s.read.XTrimMinID(ctx, s.key.log(), streamID(oldest.Rev)).Err(); err != nil {
		return s.fault(err)
	}
	for _, m := range old {
		// The entry first: nobody is sent to pieces that are going.
		if err := s.read.HDel(ctx, s.key.ckpts(), itoa(m.Rev)).Err(); err != nil {
			return s.fault(err)
		}
		for i := range m.Pieces {
			if err := s.read.Unlink(ctx, s.key.ckpt(m.Rev, i)).Err(); err != nil {
				return s.fault(err)
			}
		}
	}
	if err := s.dropPieces(ctx, oldest.Rev); err != nil {
		return err
	}
	return s.dropChains(ctx, old[0].Rev, oldest.Rev)
}

// dropChains forgets the chains that fell behind the bound since the last trim.
func (s *Store) dropChains(ctx context.Context, from, to uint64) error {
	if to <= keepChains {
		return nil
	}
	var fields []string
	for rev := from - min(from, keepChains); rev < to-keepChains && len(fields) < 10000; rev++ {
		fields = append(fields, itoa(rev))
	}
	if len(fields) == 0 {
		return nil
	}
	return s.fault(s.read.HDel(ctx, s.key.chains(), fields...).Err())
}

// dropPieces removes the pieces of imports that have left the log.
func (s *Store) dropPieces(ctx context.Context, oldest uint64) error {
	all, err := s.read.HGetAll(ctx, s.key.pieces()).Result()
	if err != nil {
		return s.fault(err)
	}
	for field, at := range all {
		rev, err := strconv.ParseUint(field, 10, 64)
		if err != nil || rev >= oldest {
			continue
		}
		id, n, err := parsePieces(at)
		if err != nil {
			continue
		}
		for i := range n {
			if err := s.read.Unlink(ctx, s.key.piece(id, i)).Err(); err != nil {
				return s.fault(err)
			}
		}
		if err := s.read.HDel(ctx, s.key.pieces(), field).Err(); err != nil {
			return s.fault(err)
		}
	}
	return nil
}
