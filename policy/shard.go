package policy

import "maps"

const shardCount = 1024

// shards is a map in 1,024 pieces, so that a change copies a hundred entries and not a hundred thousand.
// It is a value and never changes: edit returns a writer that builds the next one.
type shards[K comparable, V any] struct {
	at *[shardCount]map[K]V // nil: empty
	n  int
}

func (s shards[K, V]) get(hash uint32, k K) (v V, ok bool) {
	if s.at == nil {
		return v, false
	}
	v, ok = s.at[hash%shardCount][k]
	return v, ok
}

// shard returns one piece, only to read.
func (s shards[K, V]) shard(i int) map[K]V {
	if s.at == nil {
		return nil
	}
	return s.at[i]
}

// shardEdit is the writer of the next shards: it copies the table once, and each piece when it first writes to it.
type shardEdit[K comparable, V any] struct {
	s     shards[K, V]
	own   [shardCount / 64]uint64 // pieces that are already ours
	table bool                    // the table is already ours
}

func (s shards[K, V]) edit() *shardEdit[K, V] { return &shardEdit[K, V]{s: s} }

func (e *shardEdit[K, V]) piece(i uint32) map[K]V {
	if !e.table {
		at := new([shardCount]map[K]V)
		if e.s.at != nil {
			*at = *e.s.at
		}
		e.s.at, e.table = at, true
	}
	if bit := uint64(1) << (i % 64); e.own[i/64]&bit == 0 {
		e.own[i/64] |= bit
		if e.s.at[i] == nil {
			e.s.at[i] = make(map[K]V)
		} else {
			e.s.at[i] = maps.Clone(e.s.at[i])
		}
	}
	return e.s.at[i]
}

func (e *shardEdit[K, V]) set(hash uint32, k K, v V) {
	m := e.piece(hash % shardCount)
	if _, ok := m[k]; !ok {
		e.s.n++
	}
	m[k] = v
}

func (e *shardEdit[K, V]) remove(hash uint32, k K) {
	if _, ok := e.s.get(hash, k); !ok {
		return
	}
	delete(e.piece(hash%shardCount), k)
	e.s.n--
}

// hashString is FNV-1a. It needs no seed: keys are the operator's, and the pieces themselves are Go maps, which have one.
// It also places a tenant in its bucket of the root, so it must be the same on every edge, for ever.
func hashString(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
