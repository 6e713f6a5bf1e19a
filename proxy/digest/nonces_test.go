package digest

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

func TestNoncesRemember(t *testing.T) {
	n := NewNonces(0, time.Minute)
	const now = 1_700_000_000
	a, b := []byte("nonce a"), []byte("nonce b")
	if _, _, _, ok := n.Origin(a, now); ok {
		t.Error("knows what it never learned")
	}
	n.Learn(a, 1, 77, now)
	n.Learn(b, 2, 78, now+1)
	if platform, at, hash, ok := n.Origin(a, now+2); !ok || platform != 1 || at != now || hash != 77 {
		t.Error(platform, at, hash, ok)
	}
	if platform, at, hash, ok := n.Origin(b, now+2); !ok || platform != 2 || at != now+1 || hash != 78 {
		t.Error(platform, at, hash, ok)
	}
	n.Learn(a, 2, 79, now+3) // given again
	if platform, at, hash, ok := n.Origin(a, now+3); !ok || platform != 2 || at != now+3 || hash != 79 {
		t.Error(platform, at, hash, ok)
	}
	if n.Len() != 2 {
		t.Error(n.Len(), "nonces")
	}
}

func TestNoncesAge(t *testing.T) {
	n := NewNonces(0, time.Minute)
	const now = 1_700_000_000
	a := []byte("nonce a")
	n.Learn(a, 1, 77, now)
	for _, at := range []int64{now + 60, now + 120, now - 1000, now + 180} { // used all the time; the clock steps back once
		if _, minted, _, ok := n.Origin(a, at); !ok || minted != now {
			t.Error("forgotten at", at-now)
		}
	}
	if _, _, _, ok := n.Origin(a, now+241); ok {
		t.Error("never forgotten")
	}
	if n.StaleOnce(a, now+300) != true || n.StaleOnce(a, now+360) != false || n.StaleOnce(a, now+421) != true {
		t.Error("marks must age like nonces")
	}
}

func TestStaleOnce(t *testing.T) {
	n := NewNonces(0, time.Minute)
	const now = 1_700_000_000
	known, unknown := []byte("known"), []byte("unknown")
	n.Learn(known, 1, 0, now)
	for _, nonce := range [][]byte{known, unknown} {
		if !n.StaleOnce(nonce, now) || n.StaleOnce(nonce, now) {
			t.Errorf("%s: not exactly once", nonce)
		}
	}
	if _, _, _, ok := n.Origin(unknown, now); ok {
		t.Error("a mark became an origin")
	}
	n.Learn(known, 1, 0, now+1)
	n.Learn(unknown, 1, 0, now+1) // the platform gives it after all
	if n.StaleOnce(known, now+1) || n.StaleOnce(unknown, now+1) {
		t.Error("learning a nonce forgot that it was called stale")
	}
}

// A stranger who invents nonces neither grows the table nor evicts what was learned.
func TestNoncesFlood(t *testing.T) {
	n := NewNonces(0, time.Hour)
	const now = 1_700_000_000
	n.Learn([]byte("learned"), 2, 5, now)
	before := len(n.sets)
	var nonce [8]byte
	for i := range uint64(50_000) {
		binary.BigEndian.PutUint64(nonce[:], i)
		if !n.StaleOnce(nonce[:], now+1) {
			t.Fatal("an unseen nonce was seen")
		}
	}
	if platform, _, _, ok := n.Origin([]byte("learned"), now+2); !ok || platform != 2 {
		t.Error("evicted by what was invented")
	}
	for i := range uint64(50_000) {
		binary.BigEndian.PutUint64(nonce[:], i)
		n.Learn(nonce[:], 1, i, now+3)
	}
	if got, most := n.Len(), before*ways; got != most || len(n.sets) != before {
		t.Errorf("%d nonces, %d places", got, most)
	}
	if size := unsafe.Sizeof(set{}); size > ways*48 {
		t.Errorf("%d bytes a set", size)
	}
}

// The least recently used one makes room, not the oldest.
func TestNoncesEvictUnused(t *testing.T) {
	n := NewNonces(0, time.Hour)
	const now = 1_700_000_000
	used := []byte("used")
	n.Learn(used, 1, 0, now)
	var nonce [8]byte
	for i := range uint64(20_000) {
		at := now + 1 + int64(i)
		binary.BigEndian.PutUint64(nonce[:], i)
		n.Learn(nonce[:], 2, 0, at)
		if _, _, _, ok := n.Origin(used, at); !ok {
			t.Fatal("evicted while in use")
		}
	}
}

func TestStaleOnceAtOnce(t *testing.T) {
	n := NewNonces(1<<16, time.Hour) // so many that none is evicted
	var yes atomic.Int64
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				nonce := []byte{byte(i), byte(i >> 8)}
				if g == 0 {
					n.Learn(nonce, 1, 0, 100)
				}
				if n.StaleOnce(nonce, 100) {
					yes.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if yes.Load() != 500 {
		t.Errorf("%d times stale for 500 nonces", yes.Load())
	}
}
