package policy

import (
	"crypto/sha256"
	"slices"
)

// bucketHash is SHA-256 over the hashes of one shard's records, by id.
func (s *Snapshot) bucketHash(i int) [32]byte {
	shard := s.tenants.shard(i)
	if len(shard) == 0 {
		return sha256.Sum256(nil)
	}
	recs := make([]*Record, 0, len(shard))
	for _, r := range shard {
		recs = append(recs, r)
	}
	slices.SortFunc(recs, byID)
	all := make([]byte, 0, 32*len(recs))
	for _, r := range recs {
		all = append(all, r.hash[:]...)
	}
	return sha256.Sum256(all)
}

// rootHash is SHA-256 over the 1,024 bucket hashes and the hash of the globals. A change re-hashes the buckets that it
// touched and these.
func (s *Snapshot) rootHash() [32]byte {
	h := sha256.New()
	for i := range s.buckets {
		h.Write(s.buckets[i][:])
	}
	h.Write(s.globalsHash[:])
	var root [32]byte
	h.Sum(root[:0])
	return root
}
