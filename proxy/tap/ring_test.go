package tap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

func TestRingGivesWhatItWasGiven(t *testing.T) {
	r := NewRing(4, 32)
	var buf []byte
	var ev Event
	if _, ok := r.Take(&ev, nil); ok {
		t.Fatal("an empty ring gave something")
	}
	for round := range 5 {
		for i := range 4 {
			in := Event{At: int64(i), Kind: Request, Leg: Far, Upstream: true, Tenant: "acme", Platform: "legacy", Rev: 7, Emergency: true, Party: "trunk"}
			raw := fmt.Appendf(nil, "message %d of %d", i, round)
			if !r.Put(&in, raw) {
				t.Fatalf("round %d: put %d refused", round, i)
			}
			clear(raw) // it was copied
		}
		if r.Put(&Event{}, []byte("one too many")) {
			t.Fatal("a full ring took one")
		}
		for i := range 4 {
			var ok bool
			buf, ok = r.Take(&ev, buf)
			want := Event{At: int64(i), Kind: Request, Leg: Far, Upstream: true, Tenant: "acme", Platform: "legacy", Rev: 7, Emergency: true, Party: "trunk"}
			if !ok || ev != want || string(buf) != fmt.Sprintf("message %d of %d", i, round) {
				t.Fatalf("round %d: took %+v %q %v", round, ev, buf, ok)
			}
		}
	}
	if full, large := r.Dropped(); full != 5 || large != 0 {
		t.Errorf("dropped %d for want of room and %d as too large, 5 and 0 were", full, large)
	}
}

func TestRingRefusesWhatIsLargerThanASlot(t *testing.T) {
	r := NewRing(2, 8)
	if r.Put(&Event{}, make([]byte, 9)) {
		t.Error("9 bytes went into a slot of 8")
	}
	if !r.Put(&Event{}, make([]byte, 8)) {
		t.Error("8 bytes did not go into a slot of 8")
	}
	if full, large := r.Dropped(); full != 0 || large != 1 {
		t.Errorf("dropped %d, %d", full, large)
	}
}

func TestRingKeepsItsBounds(t *testing.T) {
	for _, c := range []struct{ slots, size, wantSlots, wantSize int }{
		{0, 0, 2, 1}, {-1, -1, 2, 1}, {3, 10, 4, 10}, {2048, 4096, 2048, 4096}, {2049, 1 << 20, 4096, 64 << 10},
	} {
		r := NewRing(c.slots, c.size)
		if len(r.slots) != c.wantSlots || r.size != c.wantSize {
			t.Errorf("NewRing(%d, %d) has %d slots of %d", c.slots, c.size, len(r.slots), r.size)
		}
	}
}

// Many writers, one reader: nothing is lost that Put accepted, nothing comes twice, nothing is torn, and each writer's own order holds.
func TestRingUnderManyWriters(t *testing.T) {
	const writers, each = 8, 2000
	r := NewRing(64, 64)
	var wg sync.WaitGroup
	var accepted [writers]uint64
	for w := range writers {
		wg.Go(func() {
			var raw [24]byte
			for i := range each {
				n := uint64(w)<<32 | uint64(i)
				for at := 0; at < len(raw); at += 8 {
					binary.BigEndian.PutUint64(raw[at:], n)
				}
				if r.Put(&Event{At: int64(n), Rev: n}, raw[:]) {
					accepted[w]++
				} else {
					runtime.Gosched()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()

	var took [writers]uint64
	var last [writers]int64
	for w := range last {
		last[w] = -1
	}
	var buf []byte
	for ended := false; ; {
		var ev Event
		b, ok := r.Take(&ev, buf)
		if !ok {
			if ended {
				break
			}
			select {
			case <-done:
				ended = true // one more look: what was put before the end
			default:
				runtime.Gosched()
			}
			continue
		}
		buf = b
		n := uint64(ev.At)
		var want [8]byte
		binary.BigEndian.PutUint64(want[:], n)
		if len(b) != 24 || ev.Rev != n || !bytes.Equal(b, bytes.Repeat(want[:], 3)) {
			t.Fatalf("torn: event %x, bytes %x", n, b)
		}
		w, i := n>>32, int64(n&0xffffffff)
		if i <= last[w] {
			t.Fatalf("writer %d: %d after %d", w, i, last[w])
		}
		last[w] = i
		took[w]++
	}
	sum := uint64(0)
	for w := range writers {
		if took[w] != accepted[w] {
			t.Errorf("writer %d: %d accepted, %d taken", w, accepted[w], took[w])
		}
		sum += accepted[w]
	}
	if full, _ := r.Dropped(); full+sum != writers*each {
		t.Errorf("%d accepted and %d dropped of %d", sum, full, writers*each)
	}
}

func TestPutAndTakeAllocateNothing(t *testing.T) {
	r := NewRing(16, 1024)
	raw, buf := make([]byte, 900), make([]byte, 0, 1024)
	var ev Event
	if n := testing.AllocsPerRun(1000, func() {
		ev.Tenant = "acme"
		r.Put(&ev, raw)
		buf, _ = r.Take(&ev, buf)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for r.Put(&ev, raw) {
	}
	if n := testing.AllocsPerRun(1000, func() { r.Put(&ev, raw) }); n != 0 {
		t.Errorf("%v allocations of a full ring", n)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Request.String(): "request", Response.String(): "response", Escape.String(): "escape", Kind(9).String(): "none",
		Near.String(): "near", Far.String(): "far", Leg(0).String(): "none",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	r := NewRing(DefaultSlots, DefaultSlotBytes)
	raw, buf := make([]byte, 900), make([]byte, 0, 4096)
	ev := Event{Tenant: "acme", Platform: "legacy", Party: "phone"}
	b.ReportAllocs()
	for b.Loop() {
		r.Put(&ev, raw)
		buf, _ = r.Take(&ev, buf)
	}
}
