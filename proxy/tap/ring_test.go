package tap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// put is false where the ring took nothing.
func put(r *Ring, ev *Event, raw []byte) bool {
	c := r.Put(ev, raw)
	c.Done()
	return c != nil
}

func TestRingGivesWhatItWasGiven(t *testing.T) {
	r := NewRing(4, 32)
	var buf []byte
	var ev Event
	if _, ok := r.Take(&ev, nil); ok {
		t.Fatal("an empty ring gave something")
	}
	for round := range 5 {
		for i := range 4 {
			in := Event{At: int64(i), Kind: Request, Leg: Far, Upstream: true, Tenant: "acme", Platform: Legacy, Rev: 7, Emergency: true, Party: Trunk}
			raw := fmt.Appendf(nil, "message %d of %d", i, round)
			if !put(r, &in, raw) {
				t.Fatalf("round %d: put %d refused", round, i)
			}
			clear(raw) // it was copied
		}
		if put(r, &Event{}, []byte("one too many")) {
			t.Fatal("a full ring took one")
		}
		for i := range 4 {
			var ok bool
			buf, ok = r.Take(&ev, buf)
			want := Event{At: int64(i), Kind: Request, Leg: Far, Upstream: true, Tenant: "acme", Platform: Legacy, Rev: 7, Emergency: true, Party: Trunk}
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
	if put(r, &Event{}, make([]byte, 9)) {
		t.Error("9 bytes went into a slot of 8")
	}
	if !put(r, &Event{}, make([]byte, 8)) {
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
		if int(r.cells) != c.wantSlots || r.size != c.wantSize {
			t.Errorf("NewRing(%d, %d) has %d slots of %d", c.slots, c.size, r.cells, r.size)
		}
	}
}

// A writer that stops between taking a cell and filling it, at the worst of times, holds up nobody: what others put comes out, in its order,
// and the late one's as soon as it is there. Until then its half is not given to writers again.
func TestRingWithAnInterruptedWriter(t *testing.T) {
	r := NewRing(4, 32)
	var ev Event
	var buf []byte
	take := func(want string) {
		t.Helper()
		var ok bool
		if buf, ok = r.Take(&ev, buf); ok != (want != "") || ok && string(buf) != want {
			t.Fatalf("took %q %v, not %q", buf, ok, want)
		}
	}
	put(r, &ev, []byte("a"))
	late := r.Put(&ev, []byte("late"))
	put(r, &ev, []byte("b"))
	take("a")
	take("b")
	take("")
	for i := range 4 { // the other half
		if !put(r, &ev, []byte{'0' + byte(i)}) {
			t.Fatalf("%d was refused", i)
		}
	}
	take("") // no turn
	if put(r, &ev, nil) {
		t.Fatal("the ring took more than its other half holds")
	}
	late.Done()
	take("late")
	for i := range 4 {
		take(string(rune('0' + i)))
	}
	take("")
	put(r, &ev, []byte("c"))
	take("c")
}

// Long messages fill a half before its cells are used up.
func TestRingIsBoundedInBytes(t *testing.T) {
	r := NewRing(16, 1024)
	var ev Event
	n := 0
	for put(r, &ev, make([]byte, 1024)) {
		n++
	}
	if n != 8 {
		t.Errorf("%d messages of the longest kind, 8 have room", n)
	}
	if put(r, &ev, []byte("short")) {
		t.Error("a full ring took one")
	}
	for range n {
		if _, ok := r.Take(&ev, nil); !ok {
			t.Fatal("one is missing")
		}
	}
	if !put(r, &ev, make([]byte, 1024)) {
		t.Error("an empty ring refused one")
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
				if put(r, &Event{At: int64(n), Rev: n}, raw[:]) {
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
		put(r, &ev, raw)
		buf, _ = r.Take(&ev, buf)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for put(r, &ev, raw) {
	}
	if n := testing.AllocsPerRun(1000, func() { put(r, &ev, raw) }); n != 0 {
		t.Errorf("%v allocations of a full ring", n)
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Request.String(): "request", Response.String(): "response", Escape.String(): "escape", Kind(9).String(): "none",
		Near.String(): "near", Far.String(): "far", Leg(0).String(): "none", Legacy.String(): "legacy", Core.String(): "core",
		Phone.String(): "phone", OtherPlatform.String(): "platform", Dark.String(): "dark", PartyOf("carrier").String(): "carrier", PartyOf("x").String() + Party(99).String() + Platform(9).String(): "",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	r := NewRing(DefaultSlots, DefaultSlotBytes)
	raw, buf := make([]byte, 900), make([]byte, 0, 4096)
	ev := Event{Tenant: "acme", Platform: Legacy, Party: Phone}
	b.ReportAllocs()
	for b.Loop() {
		put(r, &ev, raw)
		buf, _ = r.Take(&ev, buf)
	}
}
