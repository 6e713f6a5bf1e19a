package choice

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

const epoch = int64(1_700_000_000_000_000_000)

// keyOf makes distinct, well spread keys, as the keyed hash does.
func keyOf(n uint64) (k Key) {
	binary.LittleEndian.PutUint64(k[:], n*0x9E3779B97F4A7C15)
	binary.LittleEndian.PutUint64(k[8:], (n+1)*0xBF58476D1CE4E5B9)
	return k
}

func choiceOf(n uint64) Choice {
	return Choice{Key: keyOf(n), Platform: uint8(n), Target: n * 3, Rev: n * 5, Listener: uint16(n * 7), At: epoch}
}

func open(t *testing.T, path string, slots int) *Ring {
	t.Helper()
	r, err := Open(path, slots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func reopen(t *testing.T, r *Ring, path string, slots int) *Ring {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path, slots)
}

func TestRingKeepsChoices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	r := open(t, path, 64)
	want := Choice{Key: keyOf(1), Platform: 2, Target: 1 << 63, Rev: 4129, Listener: 65535, At: epoch}
	r.Put(want)
	check := func(at int64, ok bool) {
		t.Helper()
		got, found := r.Get(want.Key, at)
		if found != ok || ok && got != want {
			t.Fatalf("at %+d s: %+v %v, want %+v %v", (at-epoch)/1e9, got, found, want, ok)
		}
	}
	check(epoch, true)
	check(epoch+Age-1, true)
	check(epoch+Age, false)
	check(epoch-Age+1, true) // the clock was set back
	check(epoch-Age, false)

	r = reopen(t, r, path, 64)
	check(epoch, true)

	r.Mark(want.Key, true, false)
	want.Ringing = true
	check(epoch+Age, true)
	check(epoch+RingingAge, false)
	r.Mark(want.Key, false, false) // what was seen stays seen
	check(epoch, true)
	r = reopen(t, r, path, 64)
	check(epoch+Age, true)
	r.Mark(want.Key, false, true)
	want.Final = true
	check(epoch+Age, true) // its hop ACK may still come
	check(epoch+RingingAge, false)
	if c, ok := r.Finished(want.Key); !ok || c.At != epoch || c.Answered {
		t.Errorf("finished %t, %+v", ok, c)
	}

	want.Target, want.Ringing, want.Final, want.At = 7, false, false, epoch+5 // fail-over
	r.Put(want)
	check(epoch, true)
	if n := r.Len(epoch); n != 1 {
		t.Errorf("Len %d", n)
	}
	r.Mark(keyOf(2), true, true)
	r.MarkAnswered(keyOf(2))
	if _, ok := r.Get(keyOf(2), epoch); ok {
		t.Error("Mark has made an entry")
	}
	want.Ringing, want.Final, want.Answered = true, true, true
	r.MarkAnswered(want.Key)
	check(epoch, true)
	r.Put(want)
	check(epoch, true)
	if c, ok := r.Finished(want.Key); !ok || c != want {
		t.Errorf("finished %t, %+v", ok, c)
	}
}

// TestRingEvictsOldest holds that a full set loses its oldest, and nothing else.
func TestRingEvictsOldest(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "ring"), 8) // one set
	for n := range uint64(20) {
		c := choiceOf(n)
		c.At += int64(n)
		r.Put(c)
		for old := range n + 1 {
			_, ok := r.Get(keyOf(old), epoch)
			if want := old+8 > n; ok != want {
				t.Fatalf("after %d: %d there %v, want %v", n, old, ok, want)
			}
		}
	}
	// An update of the newest in a full set costs the oldest at most, never itself.
	c := choiceOf(19)
	c.Rev = 99
	r.Put(c)
	if got, ok := r.Get(c.Key, epoch); !ok || got.Rev != 99 {
		t.Error("an update has lost its entry")
	}
	if n := r.Len(epoch); n != 7 {
		t.Errorf("Len %d after an update in a full set, want 7", n)
	}
	c = choiceOf(30)
	c.At = epoch - 5 // fills the set, and is its oldest
	r.Put(c)
	c.Rev = 99
	r.Put(c)
	if got, ok := r.Get(c.Key, epoch); !ok || got != c {
		t.Errorf("an update of the oldest: %+v %v", got, ok)
	}
}

func TestRingSpreadsOverSets(t *testing.T) {
	const slots = 1 << 14
	r := open(t, filepath.Join(t.TempDir(), "ring"), slots)
	for n := range uint64(slots / 2) {
		r.Put(choiceOf(n))
	}
	if n := r.Len(epoch); n < slots/2*97/100 {
		t.Errorf("at half load %d of %d are kept", n, slots/2)
	}
}

func TestOpenOther(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ring")
	r := open(t, path, 64)
	r.Put(choiceOf(1))
	if _, err := Open(path, 64); !errors.Is(err, ErrInUse) {
		t.Errorf("a second owner: %v", err)
	}
	r = reopen(t, r, path, 128)
	if r.Len(epoch) != 0 {
		t.Error("another size has kept its content")
	}
	r.Put(choiceOf(1))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r.Close() == nil {
		t.Error("closed twice without an error")
	}
	for _, slots := range []int{-8, 0, 4, 9, 1 << 30} {
		if _, err := Open(path, slots); err == nil {
			t.Errorf("%d slots accepted", slots)
		}
		if _, err := OpenDialogs(path, slots); err == nil {
			t.Errorf("%d dialog slots accepted", slots)
		}
	}
	if _, err := Open(dir, 64); err == nil {
		t.Error("a directory is no ring")
	}
	if _, err := Open(filepath.Join(dir, "no", "where"), 64); err == nil {
		t.Error("a missing folder is no error")
	}
	if _, err := Open("/dev/null", 64); err == nil {
		t.Error("a device is no ring")
	}

	// One word of the header differs: another version.
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[8]++
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if r = open(t, path, 128); r.Len(epoch) != 0 {
		t.Error("another version has kept its content")
	}
}

// TestOpenGarbage holds that a file with our header and any content is harmless.
func TestOpenGarbage(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	garble := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := headerBytes; i < len(b); i++ {
			b[i] = byte(rnd.Uint32())
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "ring")
	r := open(t, path, 1024)
	r.Close()
	garble(path)
	r = open(t, path, 1024)
	if n := r.Len(epoch); n != 0 {
		t.Errorf("%d choices out of noise", n)
	}
	r.Put(choiceOf(1))
	if _, ok := r.Get(keyOf(1), epoch); !ok {
		t.Error("noise takes the place of a choice")
	}
	path = filepath.Join(dir, "dialogs")
	d, err := OpenDialogs(path, 1024)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	garble(path)
	if d, err = OpenDialogs(path, 1024); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Len() != 0 {
		t.Errorf("%d dialogs out of noise", d.Len())
	}
}

func TestClosedRingDoesNothing(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "ring"), 64)
	r.Put(choiceOf(1))
	r.Close()
	r.Put(choiceOf(2))
	r.Mark(keyOf(1), true, true)
	if _, ok := r.Get(keyOf(1), epoch); ok || r.Len(epoch) != 0 {
		t.Error("a closed ring has answered")
	}
}

func TestRingDoesNotAllocate(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "ring"), 1024)
	n := uint64(0)
	if a := testing.AllocsPerRun(1000, func() {
		n++
		c := choiceOf(n)
		r.Put(c)
		r.Mark(c.Key, true, false)
		if _, ok := r.Get(c.Key, epoch); !ok {
			t.Fatal("lost")
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// TestRingConcurrently has every goroutine see only whole choices.
func TestRingConcurrently(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "ring"), 64)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 0))
			for range 5000 {
				n := rnd.Uint64N(100)
				switch rnd.IntN(4) {
				case 0:
					r.Mark(keyOf(n), true, false)
				case 1:
					r.Len(epoch)
				case 2:
					r.Put(choiceOf(n))
				default:
					if c, ok := r.Get(keyOf(n), epoch); ok {
						c.Ringing = false
						if c != choiceOf(n) {
							t.Errorf("%+v is no choice of %d", c, n)
						}
					}
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkRingPutGet(b *testing.B) {
	r, err := Open(filepath.Join(b.TempDir(), "ring"), 1<<16)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	for n := range uint64(b.N) {
		c := choiceOf(n)
		r.Put(c)
		r.Get(c.Key, epoch)
	}
}
