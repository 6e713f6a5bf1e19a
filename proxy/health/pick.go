package health

// Pick chooses a target for a call out of pool, the configured indexes: the first
// in the call's rendezvous order that is up and not in skip, a bit for each
// position within pool that was tried already; if all of those are down, the first
// of them. It returns the target's index, and false when nothing is left to try. A
// pool's positions from 64 on have no bit in skip. Unknown indexes are passed over.
func (t *Table) Pick(pool []int, callHash uint64, skip uint64) (int, bool) {
	up, any := -1, -1
	var upScore, anyScore uint64
	for at, i := range pool {
		if !t.has(i) || at < 64 && skip&(1<<at) != 0 {
			continue
		}
		x := &t.targets[i]
		s := score(callHash, x.hash)
		if any < 0 || s > anyScore {
			any, anyScore = i, s
		}
		if (up < 0 || s > upScore) && !x.out.Load() {
			up, upScore = i, s
		}
	}
	if up >= 0 {
		return up, true
	}
	return any, any >= 0
}

// score is highest for the target that a call goes to (rendezvous hashing). It is
// part of what edges of a fleet agree on and must not change.
func score(call, target uint64) uint64 {
	x := call ^ target
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return x ^ x>>31
}
