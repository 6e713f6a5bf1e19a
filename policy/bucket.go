package policy

import (
	"crypto/sha256"
	"encoding/binary"
)

// hashVersion is the one way of hashing that this build knows. Another number in a record is refused: to hash
// otherwise would move people.
const hashVersion = 1

// maxUnit bounds the unit that is hashed. A longer one is no unit of anybody's.
const maxUnit = 200

// bucketOf places a unit in [0, FullShare):
//
//	H = first 4 bytes, big endian, of SHA-256(salt, 0x00, "1", 0x00, "u:" or "g:", unit);  b = (uint64(H) * 10000) >> 32
//
// A unit whose bucket is below the share is served by core, so a larger share only adds units. kind is 'u' for a user
// and 'g' for an affinity group. The vectors in testdata/buckets.json were computed by another program.
func bucketOf(salt *[16]byte, kind byte, unit string) int {
	var buf [16 + 3 + 2 + maxUnit]byte
	b := append(buf[:0], salt[:]...)
	b = append(b, 0, '0'+hashVersion, 0, kind, ':')
	b = append(b, unit[:min(len(unit), maxUnit)]...)
	sum := sha256.Sum256(b)
	return int(uint64(binary.BigEndian.Uint32(sum[:4])) * FullShare >> 32)
}
