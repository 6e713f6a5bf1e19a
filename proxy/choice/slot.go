package choice

import (
	"encoding/binary"
	"hash/crc32"
	"sync/atomic"
	"unsafe"
)

// Key names an INVITE transaction (upstream key) or a dialog. It is expected to
// be the output of a keyed hash: no outsider chooses which slot it takes.
type Key [16]byte

func (k Key) hash() uint64 {
	h := binary.LittleEndian.Uint64(k[:8]) ^ binary.LittleEndian.Uint64(k[8:])
	return h * 0x9E3779B97F4A7C15 // 2^64 / golden ratio: the upper bits depend on all
}

var (
	order      = binary.NativeEndian // the file never leaves its machine
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// A slot starts with its checksum, which covers all from body on.
const (
	sumAt  = 0 // 4 bytes
	wordAt = 4 // 4 bytes: flags, outside the checksum
	timeAt = 8 // 8 bytes: a moment that changes alone, outside the checksum
	bodyAt = 16
)

// checksum is never 0, which marks a slot that is empty or being written.
func checksum(slot []byte) uint32 { return max(1, crc32.Checksum(slot[bodyAt:], castagnoli)) }

func valid(slot []byte) bool {
	sum := word(slot, sumAt).Load()
	return sum != 0 && sum == checksum(slot)
}

// write replaces a slot so that a kill at any moment leaves it old, invalid or new.
func write(slot, with []byte) {
	word(slot, sumAt).Store(0)
	copy(slot[wordAt:], with[wordAt:])
	word(slot, sumAt).Store(checksum(slot))
}

// clear empties a slot: one store.
func clearSlot(slot []byte) { word(slot, sumAt).Store(0) }

// word and long are aligned words of the mapping. They are atomic for the order of
// stores, which a kill must find as written here; goroutines have the stripe's lock.
func word(slot []byte, at int) *atomic.Uint32 {
	_ = slot[at+3]
	return (*atomic.Uint32)(unsafe.Pointer(&slot[at]))
}

func long(slot []byte, at int) *atomic.Int64 {
	_ = slot[at+7]
	return (*atomic.Int64)(unsafe.Pointer(&slot[at]))
}
