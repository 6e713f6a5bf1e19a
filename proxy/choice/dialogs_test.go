package choice

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func dialogOf(n uint64) Dialog {
	return Dialog{Key: keyOf(n), CallID: fmt.Sprintf("call-%d@phone.example", n), Tenant: fmt.Sprintf("tenant-%d", n%7),
		Platform: uint8(n), Target: n * 3, Rev: n * 5, Since: epoch, Seen: epoch + int64(n)}
}

func openDialogs(t *testing.T, path string, slots int) *Dialogs {
	t.Helper()
	d, err := OpenDialogs(path, slots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func all(t *testing.T, d *Dialogs) map[Key]Dialog {
	t.Helper()
	m := map[Key]Dialog{}
	for c := range d.All() {
		if _, twice := m[c.Key]; twice {
			t.Errorf("%x twice", c.Key)
		}
		m[c.Key] = c
	}
	if len(m) != d.Len() {
		t.Errorf("Len %d, %d listed", d.Len(), len(m))
	}
	return m
}

// TestDialogsAgainstMap drives the table and a map with the same random changes,
// also through reopening.
func TestDialogsAgainstMap(t *testing.T) {
	for seed := range uint64(20) {
		path := filepath.Join(t.TempDir(), "dialogs")
		d := openDialogs(t, path, 64)
		r := rand.New(rand.NewPCG(seed, 0))
		model := map[Key]Dialog{}
		var lost uint64
		for step := range 3000 {
			c := dialogOf(r.Uint64N(100))
			_, there := model[c.Key]
			switch r.IntN(10) {
			case 0, 1, 2, 3:
				c.Rev = r.Uint64()
				d.Put(c)
				if len(model) == 64 && !there {
					lost++
				} else {
					model[c.Key] = c
				}
			case 4:
				seen := r.Int64()
				d.Touch(c.Key, seen)
				if there {
					c = model[c.Key]
					c.Seen = seen
					model[c.Key] = c
				}
			case 5, 6, 7:
				d.End(c.Key)
				delete(model, c.Key)
			case 8:
				if r.IntN(20) == 0 {
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
					d = openDialogs(t, path, 64)
					lost = 0
				}
			default:
				if r.IntN(20) == 0 {
					if got := all(t, d); !maps.Equal(got, model) {
						t.Fatalf("seed %d step %d: %d dialogs, want %d", seed, step, len(got), len(model))
					}
				}
			}
			if d.Lost() != lost || d.Len() != len(model) {
				t.Fatalf("seed %d step %d: %d lost, %d there, want %d and %d", seed, step, d.Lost(), d.Len(), lost, len(model))
			}
		}
		if got := all(t, d); !maps.Equal(got, model) {
			t.Fatalf("seed %d: %d dialogs, want %d", seed, len(got), len(model))
		}
	}
}

// TestDialogsRefuseWhenFull also fills the parts of a larger table.
func TestDialogsRefuseWhenFull(t *testing.T) {
	const slots = 4096
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), slots)
	first := uint64(0)
	for n := range uint64(2 * slots) {
		d.Put(dialogOf(n))
		if first == 0 && d.Lost() > 0 {
			first = n
		}
	}
	if first < slots*8/10 {
		t.Errorf("the first was refused with %d of %d slots taken", first, slots)
	}
	if d.Len()+int(d.Lost()) != 2*slots || d.Len() > slots {
		t.Errorf("%d kept, %d lost", d.Len(), d.Lost())
	}
	for k := range all(t, d) {
		d.End(k)
	}
	if d.Len() != 0 {
		t.Errorf("%d left", d.Len())
	}
	d.Put(dialogOf(1))
	if d.Len() != 1 {
		t.Error("an emptied table refuses")
	}
}

func TestDialogsUpdateWhenFull(t *testing.T) {
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), 8)
	for n := range uint64(8) {
		d.Put(dialogOf(n))
	}
	c := dialogOf(3)
	c.Rev = 77
	d.Put(c)
	if got := all(t, d)[c.Key]; got != c || d.Lost() != 0 || d.Len() != 8 {
		t.Errorf("%+v, %d lost", got, d.Lost())
	}
}

func TestDialogStrings(t *testing.T) {
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), 8)
	c := dialogOf(1)
	c.CallID = strings.Repeat("x", 97)
	c.Tenant = strings.Repeat("t", 101)
	d.Put(c)
	c.CallID = c.CallID[:96]
	if got := all(t, d)[c.Key]; got != c {
		t.Errorf("%+v", got)
	}
	c = dialogOf(2)
	c.Tenant = strings.Repeat("t", 102)
	d.Put(c)
	if d.Len() != 1 || d.Lost() != 1 {
		t.Error("a tenant was cut")
	}
}

func TestClosedDialogsDoNothing(t *testing.T) {
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), 8)
	d.Put(dialogOf(1))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d.Close() == nil {
		t.Error("closed twice without an error")
	}
	d.Put(dialogOf(2))
	d.Touch(keyOf(1), epoch)
	d.End(keyOf(1))
	if len(all(t, d)) != 0 || d.Len() != 0 {
		t.Error("a closed table has answered")
	}
}

func TestAllStopsAndMayChange(t *testing.T) {
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), 8)
	for n := range uint64(5) {
		d.Put(dialogOf(n))
	}
	seen := 0
	for c := range d.All() {
		d.End(c.Key) // would deadlock under a lock
		if seen++; seen == 3 {
			break
		}
	}
	if d.Len() != 2 {
		t.Errorf("%d left, want 2", d.Len())
	}
}

func TestDialogsDoNotAllocate(t *testing.T) {
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), 1024)
	some := make([]Dialog, 100)
	for i := range some {
		some[i] = dialogOf(uint64(i))
	}
	i := 0
	if a := testing.AllocsPerRun(1000, func() {
		c := some[i%len(some)]
		i++
		d.Put(c)
		d.Touch(c.Key, epoch)
		d.Put(c)
		if i%2 == 0 {
			d.End(c.Key)
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func TestDialogsConcurrently(t *testing.T) {
	d := openDialogs(t, filepath.Join(t.TempDir(), "dialogs"), 1024)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(g, 0))
			for range 2000 {
				n := r.Uint64N(1500)
				switch r.IntN(4) {
				case 0:
					d.End(keyOf(n))
				case 1:
					d.Touch(keyOf(n), epoch)
				default:
					d.Put(dialogOf(n))
				}
			}
			for c := range d.All() {
				if !strings.HasPrefix(c.CallID, "call-") || c.Rev*3 != c.Target*5 {
					t.Errorf("%+v is no dialog", c)
				}
			}
		})
	}
	wg.Wait()
	all(t, d)
}
