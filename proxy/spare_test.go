package proxy

import (
	"bytes"
	"testing"
)

// What is given back stays readable until the step's end, and is only then another message.
func TestSpareBuffers(t *testing.T) {
	var p spare
	for _, size := range []int{0, 1, spareSmall, spareSmall + 1, spareLarge} {
		was := bytes.Repeat([]byte{'a'}, size)
		b := p.copy(was)
		if !bytes.Equal(b, was) {
			t.Fatalf("a copy of %d bytes has %d", size, len(b))
		}
		old := b
		p.giveBack(&b)
		if b != nil {
			t.Errorf("%d bytes: still there", size)
		}
		other := p.copy(bytes.Repeat([]byte{'b'}, size))
		if !bytes.Equal(old, was) {
			t.Errorf("%d bytes: overwritten within the step", size)
		}
		p.giveBack(&other)
		p.stepped(true)
		if size > 0 && old[0] != poisonByte {
			t.Errorf("%d bytes: not ready for the next step", size)
		}
		if n := testing.AllocsPerRun(100, func() {
			b := p.copy(was)
			p.giveBack(&b)
			p.stepped(false)
		}); n != 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

// The shelf has bounds, and long messages do not lie on it.
func TestSpareBuffersAreBounded(t *testing.T) {
	var p spare
	for range 3 {
		var all [][]byte
		for range 4 * spareMost {
			all = append(all, p.copy(make([]byte, spareSmall)), p.copy(make([]byte, spareLarge)), p.copy(make([]byte, spareLarge+1)))
		}
		for i := range all {
			p.giveBack(&all[i])
			p.stepped(false)
		}
	}
	for i := range p.shelf {
		if len(p.shelf[i]) != spareMost {
			t.Errorf("%d of size %d", len(p.shelf[i]), i)
		}
		for _, b := range p.shelf[i] {
			if c := cap(b); c != spareSmall && c != spareLarge || c/spareLarge != i {
				t.Errorf("%d bytes on shelf %d", c, i)
			}
		}
	}
}
