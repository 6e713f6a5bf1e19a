package choice

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// TestTornWrites replays what a kill can leave of an update: the sequence of
// stores of write, broken off at each byte, and pieces of the body in any order.
// What is found is the old choice or the new one, whole.
func TestTornWrites(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "ring"), 8)
	set := r.file.slots()
	before, after := choiceOf(1), choiceOf(1)
	after.Rev, after.Target, after.At, after.Ringing = 77, 78, epoch+1, true
	rnd := rand.New(rand.NewPCG(1, 1))

	var old, with [choiceBytes]byte
	encode(&old, &before, 1)
	encode(&with, &after, 2)
	for cut := range choiceBytes + 2 {
		clear(set)
		write(set[:choiceBytes], old[:])
		slot := set[choiceBytes:][:choiceBytes]
		for i := range slot { // what lay there before
			slot[i] = byte(rnd.Uint32())
		}
		word(slot, sumAt).Store(0)
		if cut <= choiceBytes-wordAt {
			copy(slot[wordAt:][:cut], with[wordAt:])
		} else {
			write(slot, with[:])
		}
		want := before
		if cut > choiceBytes-wordAt {
			want = after
		}
		if got, ok := r.Get(keyOf(1), epoch); !ok || got != want {
			t.Fatalf("cut at %d: %+v %v, want %+v", cut, got, ok, want)
		}
	}

	// A slot of which some bytes are another's is no slot, whatever its checksum says.
	for range 20000 {
		clear(set)
		slot := set[:choiceBytes]
		write(slot, old[:])
		other := choiceOf(1)
		other.Target = rnd.Uint64()
		other.Rev = rnd.Uint64()
		encode(&with, &other, rnd.Uint64())
		from := bodyAt + rnd.IntN(choiceBytes-bodyAt)
		changed := false
		for i := from; i < min(choiceBytes, from+1+rnd.IntN(20)); i++ {
			changed = changed || slot[i] != with[i]
			slot[i] = with[i]
		}
		if got, ok := r.Get(keyOf(1), epoch); ok == changed {
			t.Fatalf("a torn slot was returned: %+v", got)
		}
	}
}

// TestKilledBeforeClear is an update broken off when both slots of the key are
// valid: after a restart the later one counts, and goes on counting.
func TestKilledBeforeClear(t *testing.T) {
	for _, first := range []int{0, 1} { // where the later one lies
		path := filepath.Join(t.TempDir(), "ring")
		r := open(t, path, 8)
		var b [choiceBytes]byte
		later, earlier := choiceOf(1), choiceOf(1)
		later.Rev, earlier.Rev = 2, 1
		encode(&b, &later, 9)
		write(r.file.slots()[first*choiceBytes:][:choiceBytes], b[:])
		encode(&b, &earlier, 8)
		write(r.file.slots()[(1-first)*choiceBytes:][:choiceBytes], b[:])
		r = reopen(t, r, path, 8)
		if c, ok := r.Get(keyOf(1), epoch); !ok || c != later {
			t.Errorf("%+v %v, want the later", c, ok)
		}
		later.Rev = 3
		r.Put(later)
		if c, ok := r.Get(keyOf(1), epoch); !ok || c != later {
			t.Errorf("%+v %v, want the latest", c, ok)
		}

		path = filepath.Join(t.TempDir(), "dialogs")
		d := openDialogs(t, path, 8)
		for i, rev := range []uint64{1, 2} {
			c := dialogOf(1)
			c.Rev, c.Seen = rev, epoch+int64(rev)
			var b [dialogBytes]byte
			encodeDialog(&b, &c)
			at := i
			if first == 0 {
				at = 1 - i
			}
			write(d.file.slots()[at*dialogBytes:][:dialogBytes], b[:])
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = openDialogs(t, path, 8)
		if there := all(t, d); len(there) != 1 || there[keyOf(1)].Rev != 2 {
			t.Errorf("%+v, want the later alone", there)
		}
		for n := range uint64(8) {
			d.Put(dialogOf(n))
		}
		if d.Lost() != 0 || d.Len() != 8 {
			t.Errorf("the slot of the earlier is not free: %d there, %d lost", d.Len(), d.Lost())
		}
	}
}
