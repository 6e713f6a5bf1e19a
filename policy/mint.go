package policy

import (
	"crypto/rand"
	"encoding/hex"
)

// MintEpoch returns a new lineage: 128 random bits in hex. Only init and `policy import --new` mint one.
func MintEpoch() string { return mint() }

// MintSalt returns the 16 random bytes in hex by which one tenant's units are spread over buckets. A tenant's salt is
// minted when the tenant is added and never again: another salt would move people.
func MintSalt() string { return mint() }

// MintKey returns a new idempotency key: 128 random bits in hex.
func MintKey() string { return mint() }

func mint() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
